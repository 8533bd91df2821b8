"""Many seeds, one after the other."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tests.simulation.world import run

CHUNK = 50


@dataclass
class Sweep:
    """What many seeds came to. `broken` by seed; `recovery` is the slowest, in seconds of the seeds' own clock."""

    seeds: int = 0
    seconds: float = 0.0
    stored: int = 0
    ended: int = 0
    recovery: float = 0.0
    broken: dict[int, list[str]] = field(default_factory=dict)

    def __str__(self) -> str:
        return (
            f"{self.seeds} seeds in {self.seconds:.0f} s: {len(self.broken)} broken; {self.stored} commands done, "
            f"{self.ended} ends of processes, slowest recovery {self.recovery:.1f} s"
        )


def sweep(seeds: Iterable[int], tell: Callable[[int, list[str]], None] = lambda *_: None) -> Sweep:
    """Live them all. `tell` hears of each that was broken, at once."""
    began = time.monotonic()
    found = Sweep()
    for seed in seeds:
        result = run(seed)
        found.seeds += 1
        found.stored += result.stored
        found.ended += result.ended
        found.recovery = max(found.recovery, result.recovery)
        if result.broken:
            found.broken[seed] = result.broken
            tell(seed, result.broken)
    found.seconds = time.monotonic() - began
    return found


def chunks(first: int, end: int) -> list[range]:
    """Ranges of a size that one test can be waited for."""
    return [range(start, min(start + CHUNK, end)) for start in range(first, end, CHUNK)]


def verdicts(seeds: Iterable[int]) -> list[str]:
    """What was broken, with the command that shows how."""
    return [
        f"{sentence}; python -m tests.simulation --seed {seed} --trace"
        for seed, broken in sweep(seeds).broken.items()
        for sentence in broken
    ]
