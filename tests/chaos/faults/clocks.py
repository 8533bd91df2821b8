"""One process believes it an hour later, or earlier, than it is."""

import asyncio
import random
from pathlib import Path

from settings.owners import OWNERS
from tests.chaos.fault import Fault, Ground, World
from tests.support import bent_clock
from tests.support.bent_clock import BentClock

SHIFT = 3600
SHORTEST, LONGEST = 3.0, 10.0
CHILDREN = (*OWNERS, "front.1", "front.2")


class BentClocks(Fault):
    """The clock jumps while the process runs, and back again after a while."""

    name = "clock shifted"

    def missing(self) -> str:
        return "" if bent_clock.library() else bent_clock.MISSING

    async def prepare(self, ground: Ground) -> None:
        if self.missing():
            return
        for name in CHILDREN:
            ground.children.setdefault(name, {}).update(clock_of(ground.folder, name).environment)

    async def inject(self, world: World, dice: random.Random) -> str:
        name, shift = dice.choice(CHILDREN), dice.choice((-SHIFT, SHIFT))
        hold = dice.uniform(SHORTEST, LONGEST)
        clock = clock_of(world.ground.folder, name)
        try:
            clock.shift(shift)
            await asyncio.sleep(hold)
        finally:
            clock.shift(0)
        return f"the clock of {name} was shifted by {shift:+d} s for {hold:.1f} s"

    async def clear(self, ground: Ground) -> None:
        del ground
        bent_clock.sweep()


def clock_of(folder: Path, name: str) -> BentClock:
    """The clock of one child of the installation that lies in `folder`; it shows the true time."""
    clocks = folder / "clocks"
    clocks.mkdir(exist_ok=True)
    return BentClock(clocks / name)
