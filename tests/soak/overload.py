"""More than fits: a broker that is away while people write, and traffic for an hour without its follower."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from actors.runtime import Environment
from actors.runtime.client import open_broker
from drill.installation import Installation, running_installation
from drill.ledger import Account
from drill.person import Person
from drill.report import Spread, spread
from drill.scene import Scene
from drill.waiting import until
from settings import load
from storage import Reader
from storage.notifier import NOTIFIER
from storage.router import ROUTER
from tests.soak.figures import Figure, seconds
from tests.soak.killing import Tell

RATE = 50.0
PAIRS = 5
ARRIVES = 15.0
"""Seconds after the broker's return within which everything that was typed meanwhile is shown."""

OUTSTANDING = 20
PINGS = 100
WAITING = 40
"""Mail that may wait for a follower that is away: four hints a second live for two seconds, leases not much longer."""

UNLIMITED = {
    "PARLEY_LIMITS__MESSAGES_PER_SECOND": "0",
    "PARLEY_LIMITS__REQUESTS_PER_HOUR": "0",
    "PARLEY_LIMITS__SOCKETS_PER_PERSON": "0",
}

_BROKEN = ("lost", "duplicated", "reordered", "gap", "unexpected", "unlogged", "refused", "unanswered")


class Numbers(Struct, frozen=True):
    """`away` in seconds; `messages` while notifier is stopped."""

    away: float
    messages: int


def overload(folder: Path, seed: int, numbers: Numbers, tell: Tell) -> list[Figure]:
    """All of it in one installation."""
    return asyncio.run(_overload(folder, seed, numbers, tell))


async def _overload(folder: Path, seed: int, numbers: Numbers, tell: Tell) -> list[Figure]:
    async with running_installation(folder, **UNLIMITED) as one:
        tell(f"the broker goes away for {numbers.away:g} s")
        away = await broker_away(one, seed, numbers.away)
        tell(f"notifier is stopped for {numbers.messages} messages")
        return [away, await without_notifier(one, seed + 1, numbers.messages)]


async def broker_away(one: Installation, seed: int, away: float) -> Figure:
    """Stop the broker for so many seconds while people type 50 messages a second, and time the arrival of all."""
    async with Scene(one.base, pairs=PAIRS, rate=RATE, seed=seed) as scene:
        scene.type_on()
        await until(lambda: scene.counts().shown > RATE, 30.0)
        await one.parley("stop", "broker")
        before = len(scene.sent)
        await asyncio.sleep(away)
        await one.parley("start", "broker")
        await one.running("broker", within=60.0)
        back = time.monotonic()
        waiting = [sent.client_id for sent in scene.sent]
        arrived = await until(lambda: scene.shown_at().keys() >= set(waiting), 4 * ARRIVES)
        took = time.monotonic() - back
        await scene.be_quiet()
        await scene.quiesce(4 * ARRIVES)
        account = await scene.account()
    typed = len(waiting) - before
    return Figure(
        name=f"the broker away for {away:g} s at {RATE:g} messages a second",
        goal=f"all {typed} typed meanwhile are shown within {seconds(ARRIVES)} of its return, in order",
        measured=f"shown after {seconds(took)}; {_said(account)}",
        # Half of what was to be typed: a machine that is too busy to type shows nothing.
        kept=arrived and took <= ARRIVES and not _broken(account) and typed > away * RATE / 2,
    )


async def without_notifier(one: Installation, seed: int, messages: int) -> Figure:
    """Let so many messages pass while notifier is stopped; then it catches up."""
    async with Scene(one.base, pairs=PAIRS, rate=RATE, seed=seed) as scene:
        beside = await _pings(scene)
        await one.parley("stop", "notifier")
        try:
            alone = await _pings(scene)
            depth = await _flood(one, scene, messages)
        finally:
            await one.parley("start", "notifier")
        await scene.quiesce(60.0)
        account = await scene.account()
        began = time.monotonic()
        caught_up = await _caught_up(one, 60.0)
        took = time.monotonic() - began
    return Figure(
        name=f"{messages} messages while notifier is stopped",
        goal=f"none lost; at most {WAITING} hints wait at a time; it catches up",
        measured=f"{_said(account)}; at most {depth} waited; median {alone.p50 / beside.p50:.2f} of that with it; "
        + (f"caught up {seconds(took)} after its start" if caught_up else "it did not catch up"),
        kept=caught_up and depth <= WAITING and not _broken(account) and account.stored >= messages,
        spreads={"with": beside, "without": alone},
    )


def _pair(scene: Scene, number: int = 0) -> tuple[Person, Person]:
    return scene.people[2 * number], scene.people[2 * number + 1]


async def _pings(scene: Scene) -> Spread:
    """From typing to the tick, one at a time."""
    ann, bob = _pair(scene)
    times = []
    for number in range(PINGS):
        began = time.monotonic()
        ann.say(bob.id, f"ping {number}")
        async with asyncio.timeout(30.0):
            await ann.until(lambda: not ann.unanswered)
        times.append(time.monotonic() - began)
    return spread(times)


async def _flood(one: Installation, scene: Scene, messages: int) -> int:
    """All pairs write as fast as they can; returns the most mail that was seen waiting for notifier."""
    settings = load(environ=one.environment)
    most = 0

    async def write(number: int) -> None:
        ann, bob = _pair(scene, number)
        for count in range(messages // PAIRS + 1):
            ann.say(bob.id, f"line {count}")
            await ann.until(lambda: ann.unanswered < OUTSTANDING)

    async def watch() -> None:
        nonlocal most
        async with open_broker(Environment(settings, one.paths), "cli") as broker:
            while True:
                most = max(most, await broker.depth("notifier"))
                await asyncio.sleep(0.1)

    watching = asyncio.create_task(watch())
    try:
        await asyncio.gather(*(write(number) for number in range(PAIRS)))
    finally:
        watching.cancel()
        (outcome,) = await asyncio.gather(watching, return_exceptions=True)
    assert isinstance(outcome, asyncio.CancelledError), f"nobody could count the mail that waits: {outcome!r}"
    return most


async def _caught_up(one: Installation, within: float) -> bool:
    """Whether notifier has come to the end of router's log within so many seconds."""
    notifier, router = Reader(NOTIFIER, one.paths.databases), Reader(ROUTER, one.paths.databases)
    try:
        async with asyncio.timeout(within):
            while True:
                end = await router.read(lambda tx: tx.journal.change())
                place = await notifier.read(lambda tx: tx.cursors.of("router"))
                if place is not None and place.change >= end:
                    return True
                await asyncio.sleep(0.1)
    except TimeoutError:
        return False
    finally:
        await notifier.close()
        await router.close()


def _broken(account: Account) -> Sequence[str]:
    return [f"{len(found)} {word}" for word in _BROKEN if (found := getattr(account, word))]


def _said(account: Account) -> str:
    return f"{account.shown} shown, " + (", ".join(_broken(account)) or "nothing lost, doubled or out of order")
