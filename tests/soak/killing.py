"""Kill and freeze children, and the supervisor itself, and time what becomes of it."""

import random
import signal
import socket
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import msgspec

from drill.report import Spread, spread
from settings.endpoint import Endpoint, endpoint_file
from supervision.broker import NAME as BROKER
from tests.soak.figures import Figure, seconds, within
from tests.soak.installation import EACH_AS_THE_FIRST, Running, running, survivors
from tests.support.fake_installation import Installation
from tests.support.waiting import eventually_sync

NOTICED = 0.05
STARTED = 0.1
READY = 2.0
BROKER_LISTENS = 10.0
REPLACED = 15.0
GONE = 1.0

Tell = Callable[[str], None]


def recoveries(home: Installation, seed: int, kills: int, broker_kills: int, tell: Tell) -> list[Figure]:
    """Kill each child so many times with SIGKILL, one at a time, each with a clean past."""
    dice = random.Random(seed)  # noqa: S311  (reproducible on purpose)
    times: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with running(home, **EACH_AS_THE_FIRST) as one:
        names = list(one.rows())
        turns = [name for name in names for _ in range(broker_kills if name == BROKER else kills)]
        dice.shuffle(turns)
        for number, name in enumerate(turns, 1):
            one.settled(name)
            _recovery(one, name, times)
            if number % 10 == 0:
                tell(f"{number} of {len(turns)} kills")
    actors = [name for name in names if name != BROKER]
    figures = [
        within("death noticed", NOTICED, _spreads(times["noticed"], names)),
        within("first restart after a death was noticed", STARTED, _spreads(times["started"], names)),
        within("an actor is ready again", READY, _spreads(times["ready"], actors)),
    ]
    if BROKER in names:
        figures.append(within("the broker listens again", BROKER_LISTENS, _spreads(times["listens"], [BROKER])))
    return figures


def _recovery(one: Running, name: str, times: Mapping[str, Mapping[str, list[float]]]) -> None:
    killed = one.strike(name, signal.SIGKILL)
    ended = one.journal.wait(name, "ended", killed, 5.0)
    started = one.journal.wait(name, "started", ended.at, 30.0)
    times["noticed"][name].append(max(ended.at - killed, 0.0))
    times["started"][name].append(started.at - ended.at)
    if name == BROKER:
        eventually_sync(lambda: _listens(one), 60.0)
        times["listens"][name].append(time.time() - killed)
    ready = one.journal.wait(name, "ready", started.at, 60.0)
    times["ready"][name].append(ready.at - killed)


def _listens(one: Running) -> bool:
    endpoint = msgspec.json.decode(endpoint_file(one.home.paths).read_bytes(), type=Endpoint)
    try:
        socket.create_connection(("127.0.0.1", endpoint.port), timeout=1).close()
    except OSError:
        return False
    return True


def hangs(home: Installation, seed: int, count: int, tell: Tell, *, patience: float = 40.0, **env: str) -> Figure:
    """Stop actors with SIGSTOP, one after the other; time how long each is away."""
    dice = random.Random(seed)  # noqa: S311  (as above)
    times: dict[str, list[float]] = defaultdict(list)
    with running(home, **EACH_AS_THE_FIRST, **env) as one:
        actors = [name for name in one.rows() if name != BROKER]
        while count:
            # All in one round are stopped together: each is silent for itself, and a soak is to end some time.
            stopped = {name: one.strike(name, signal.SIGSTOP) for name in dice.sample(actors, min(count, len(actors)))}
            for name, at in stopped.items():
                one.journal.wait(name, "silent", at, patience)
                times[name].append(one.journal.wait(name, "ready", at, patience).at - at)
            for name in stopped:
                one.settled(name)
            count -= len(stopped)
            tell(f"{count} hangs to go")
    return within("a stopped actor is replaced and ready", REPLACED, _spreads(times, actors), worst=True)


def orphans(home: Installation, count: int, tell: Tell) -> Figure:
    """SIGKILL to the supervisor, again and again, on the same data."""
    gone: list[float] = []
    troubles: list[str] = []
    for number in range(count):
        with running(home) as one:
            # Nothing may be wrong in a start on what the last kill left.
            troubles += [line.text for line in one.journal.read() if line.level in {"WARNING", "ERROR"}]
            killed = time.monotonic()
            one.process.kill()
            eventually_sync(lambda: not survivors(home), 30.0)
            gone.append(time.monotonic() - killed)
        tell(f"{number + 1} of {count} supervisors killed")
    with running(home):
        pass  # the start after the last one
    late = [one for one in gone if one > GONE]
    return Figure(
        name=f"{count} kill -9 of the supervisor",
        goal=f"0 survivors after {seconds(GONE)}, and a clean next start",
        measured=f"all gone after {seconds(max(gone))} at most, {count} clean starts"
        + (f"; {len(late)} late" if late else "")
        + (f"; {len(troubles)} complaints, such as: {troubles[0]}" if troubles else ""),
        kept=not late and not troubles,
        spreads={"all gone": spread(gone)},
    )


def _spreads(times: Mapping[str, Sequence[float]], names: Sequence[str]) -> dict[str, Spread]:
    return {name: spread(times[name]) for name in names if times.get(name)}
