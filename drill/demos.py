"""The demonstrations: what is done to the installation while people chat, and what is promised of it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from drill import nemesis
from drill.nemesis import Deed
from drill.parts import PARTS, Part
from drill.probes import Guest
from drill.stage import Stage

BROKER = "broker"
FRONT = "front"
ACTORS = [part for name, part in PARTS.items() if name != BROKER]
KILLED_ON_TOUR = {FRONT, "router"}
"""These are back before anybody could try out what is missing; the others are stopped for a while."""
WANDERING = 3.0
"""Seconds between two people's losing their network by themselves."""
CALM = 3.0
"""Seconds of plain chat before and after something is done."""
READ = 6.0
"""Seconds in which people can read what is explained."""
FREEZE_FROM = 120.0
"""Shorter crash drills freeze nobody: a frozen process is found out after supervision.watchdog, ten seconds."""
BACK_WITHIN = 90.0
ARRIVED_WITHIN = 60.0
AGAIN_WITHIN = 15.0
"""Seconds from an actor's being ready to its feature's working: it finds the broker first, and fronts hear of it."""

Demo = Callable[[Stage], Awaitable[None]]


def crash(seconds: float, replay: Sequence[Deed] = ()) -> Demo:
    """Kill everything, again and again, for so long; or carry out a schedule of an earlier drill."""

    async def run(stage: Stage) -> None:
        victims = stage.watch.names
        deeds = replay or nemesis.crash(
            stage.cast.seed,
            seconds,
            victims,
            freezable=[name for name in victims if name != BROKER] if seconds >= FREEZE_FROM else (),
        )
        stage.planned = max(seconds, deeds[-1].at + nemesis.TAIL) if replay else seconds
        (stage.installation.folder / "deeds.log").write_text(nemesis.write(deeds))
        stage.explain(
            "People chat, and everything that they chat over is killed, one after the other, with kill -9."
            + (" Now and then one is frozen instead, and must be found out." if seconds >= FREEZE_FROM else "")
        )
        stage.scene.wander(WANDERING)
        await stage.executor.run(deeds, stop=stage.stop)
        await stage.hold(max(stage.planned - stage.elapsed, 0.0))
        killed = {blow.name for blow in stage.executor.blows if blow.verb == "kill"}
        for name in () if replay else victims:
            stage.require(name in killed, f"{name} was never killed")

    return run


def stop() -> Demo:
    """Stop one actor after the other for a while, and try out what works and what pauses."""

    async def run(stage: Stage) -> None:
        async with Guest(stage.installation.base, stage.scene, stage.cast.seed) as guest:
            for part in ACTORS:
                name = stage.one_of(part.name)
                stage.explain(f"{name} {part.does}\nIt is stopped now. {part.away}")
                await _away(stage, guest, part, name)
                await stage.hold(CALM)

    return run


def broker() -> Demo:
    """Take the broker away and bring it back; then kill it."""

    async def run(stage: Stage) -> None:
        part = PARTS[BROKER]
        await stage.hold(CALM)
        async with Guest(stage.installation.base, stage.scene, stage.cast.seed) as guest:
            stage.explain(f"The broker {part.does}\nIt is stopped now. {part.away}")
            await _away(stage, guest, part, BROKER)
        await stage.hold(CALM)
        stage.explain("Now with kill -9, as a power cut would. Whatever was accepted is on its disk or is sent again.")
        await _kill(stage, BROKER)
        await stage.hold(CALM)

    return run


def upgrade() -> Demo:
    """Restart every actor, one after the other, as a new version would, while people chat."""

    async def run(stage: Stage) -> None:
        await stage.hold(CALM)
        await _roll(stage)
        await stage.hold(CALM)

    return run


def tour() -> Demo:
    """About two minutes for people who have never seen this: one actor after another, in plain words."""

    async def run(stage: Stage) -> None:
        people = len(stage.scene.people)
        stage.explain(
            f"{people} people, in pairs, chat with each other over real connections. Every message is numbered and "
            "accounted for: typed, stored, shown to the other.\n"
            "Left: the processes that make it work. Each is an actor, with a mailbox and a database of its own."
        )
        await stage.hold(2 * READ)
        async with Guest(stage.installation.base, stage.scene, stage.cast.seed) as guest:
            for part in ACTORS:
                name = stage.one_of(part.name)
                if part.name in KILLED_ON_TOUR:
                    stage.explain(f"{name} {part.does}\nWe kill it, with kill -9. {part.away}")
                    await stage.hold(READ)
                    await _kill(stage, name)
                else:
                    stage.explain(f"{name} {part.does}\nWe stop it, and try things out. {part.away}")
                    await _away(stage, guest, part, name)
                await stage.hold(READ)
            part = PARTS[BROKER]
            stage.explain(f"The broker {part.does}\nWe kill it too. {part.away}")
            await stage.hold(READ)
            await _kill(stage, BROKER)
            await stage.hold(READ)
        await _roll(stage)
        await stage.hold(READ)

    return run


async def _kill(stage: Stage, name: str) -> None:
    """Kill, and wait until it is back."""
    reconnects = stage.scene.reconnects
    if not await stage.executor.do("kill", name):
        return
    await stage.unless_stopped(stage.executor.recovered())
    blow = stage.executor.blows[-1]
    stage.require(blow.ready is not None, f"{name} did not come back")
    if name.startswith(FRONT):
        stage.require(stage.scene.reconnects > reconnects, f"nobody was connected to {name} when it was killed")
    if blow.ready is not None:
        stage.explain(f"{name} came back by itself after {blow.ready:.1f} s. What waited for it goes on its way.")


async def _away(stage: Stage, guest: Guest, part: Part, name: str) -> None:
    """Stop, try everything out, start again, and see that what waited arrives."""
    try:
        await stage.executor.do("stop", name)
        await stage.hold(1.0)
        for finding in await stage.unless_stopped(guest.try_out()):
            stage.note(
                f"{finding.feature}: works" if finding.works else f'{finding.feature}: pauses ("{finding.said}")'
            )
            expected = finding.feature not in part.pauses
            stage.require(
                finding.works == expected,
                f"while {name} was stopped, {finding.feature} {'worked' if finding.works else 'did not work'}",
            )
    finally:
        await stage.executor.do("start", name)
    back = await stage.unless_stopped(stage.watch.running(name, BACK_WITHIN))
    stage.require(back, f"{name} did not start again")
    stage.explain(f"{name} is started again. What waited for it goes on its way, in order.")
    stage.require(
        await stage.unless_stopped(guest.arrived(ARRIVED_WITHIN)), f"a message that waited for {name} did not come"
    )
    for feature in part.pauses:
        again = await stage.unless_stopped(guest.works_again(feature, AGAIN_WITHIN))
        stage.require(again is not None, f"{name} was started, and {feature} did not work within {AGAIN_WITHIN:g} s")
        if again is not None:
            stage.note(f"{feature}: works again after {again:.1f} s")


async def _roll(stage: Stage) -> None:
    """A rolling restart of every actor; fronts one after the other."""
    actors = [name for name in stage.watch.names if name != BROKER]
    stage.explain(
        "A new version: every actor is restarted in turn. Each finishes what it has in hand and leaves the rest in "
        "its mailbox. People see nothing of it; their sockets reconnect."
    )
    before = {name: stage.watch.rows[name]["pid"] for name in actors}
    reconnects = stage.scene.reconnects
    await stage.executor.run(nemesis.rolling(0.0, actors, gap=1.0), stop=stage.stop)
    await stage.hold(0.0)
    after: Mapping[str, object] = {name: stage.watch.rows[name]["pid"] for name in actors}
    for name in actors:
        stage.require(after[name] not in {None, before[name]}, f"{name} was not restarted")
    stage.require(stage.scene.reconnects > reconnects, "nobody reconnected, so no front was really restarted")
    stage.explain("All of them are new processes now.")
