"""Runs in pieces, each an installation of its own, so that a long one that was interrupted can be gone on with."""

import asyncio
import itertools
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct, structs

from tests.chaos import run
from tests.chaos.fault import Fault
from tests.chaos.record import Begun, read
from tests.chaos.report import Outcome, outcome
from tests.chaos.schedule import Size

PIECES_A_SEED = 1000
"""Pieces of a seed have seeds of their own, which no other seed's pieces have."""

Tell = Callable[[str], None]


class Wanted(Struct, frozen=True, kw_only=True):
    """How much in all. `pairs` of people type `rate` messages a second together, `messages` of them at least."""

    seed: int
    size: Size
    pieces: int
    pairs: int
    rate: float
    messages: int


SMALL = Wanted(
    seed=0,
    size=Size(kills=25, broker_kills=1, supervisor_kills=1, freezes=3, network=6, pace=0.9, longest=4.0),
    pieces=1,
    pairs=8,
    rate=80.0,
    messages=2_000,
)
RELEASE = Wanted(
    seed=0,
    size=Size(kills=500, broker_kills=15, supervisor_kills=5, freezes=25, network=60, faults=5, pace=0.8),
    pieces=5,
    pairs=20,
    rate=200.0,
    messages=100_000,
)
RECOVERY = Wanted(seed=0, size=Size(kills=40, pace=2.5), pieces=1, pairs=8, rate=80.0, messages=2_000)
"""Only router is killed, and what is timed is how soon messages go on."""


def orders(wanted: Wanted, faults: Sequence[str], actors: Sequence[str] = run.ACTORS) -> list[Begun]:
    """A run for each piece. What cannot be divided evenly goes to the first pieces."""
    sizes = [_share(wanted.size, wanted.pieces, number) for number in range(wanted.pieces)]
    messages = [_part(wanted.messages, wanted.pieces, number) for number in range(wanted.pieces)]
    return [
        run.order(
            wanted.seed * PIECES_A_SEED + number,
            size,
            pairs=wanted.pairs,
            rate=wanted.rate,
            messages=count,
            faults=faults,
            actors=actors,
        )
        for number, size, count in zip(itertools.count(), sizes, messages, strict=False)
    ]


def _share(size: Size, pieces: int, number: int) -> Size:
    counts = ("kills", "broker_kills", "supervisor_kills", "freezes", "network", "faults")
    return structs.replace(size, **{name: _part(getattr(size, name), pieces, number) for name in counts})


def _part(total: int, pieces: int, number: int) -> int:
    return total // pieces + (number < total % pieces)


async def carry_out(every: Sequence[Begun], folder: Path, faults: Sequence[Fault], tell: Tell) -> list[Outcome]:
    """Run what has no finished log in the folder yet, in order; outcomes of all. Logs stay there, the actors' too."""
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240  (once, before anything runs)
    outcomes = []
    for number, order in enumerate(every):
        log = folder / f"{order.seed}.log"
        done = finished(order, log)
        if done is None:
            tell(f"piece {number + 1} of {len(every)}: {len(order.steps)} steps, log {log}")
            data = folder / f"{order.seed}"
            # An interrupted piece is begun again: nobody was there to see what became of its messages.
            await asyncio.to_thread(shutil.rmtree, data, ignore_errors=True)
            try:
                await run.run(order, data, log, faults, tell)
            finally:
                await asyncio.to_thread(_keep_logs, data, folder / f"{order.seed}.logs")
            done = outcome(read(log))
        outcomes.append(done)
        tell(f"piece {number + 1} of {len(every)}: {'kept' if done.verdict.kept else 'BROKEN'}")
    return outcomes


def _keep_logs(data: Path, kept: Path) -> None:
    """Whoever looks into a broken promise wants to know what the actors said of it; the rest goes."""
    shutil.rmtree(kept, ignore_errors=True)
    if (data / "logs").exists():
        shutil.move(data / "logs", kept)
    shutil.rmtree(data, ignore_errors=True)


def finished(order: Begun, log: Path) -> Outcome | None:
    """What a log shows, when it is of this very run and came to its end."""
    if not log.exists():
        return None
    try:
        records = list(read(log))
        same = isinstance(records[0], Begun) and structs.replace(records[0], began="") == order
        return outcome(records) if same else None
    except (ValueError, IndexError):
        return None
