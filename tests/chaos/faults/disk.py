"""The disk that the databases are on is full for a while."""

import asyncio
import random

from tests.chaos.fault import Fault, Ground, World
from tests.support.small_disk import SmallDisk, why_not
from tests.support.waiting import SCALE

MIB = 256
SHORTEST, LONGEST = 2.0, 6.0
FULL_WITHIN = 20.0
STEP = 0.05


class FullDisk(Fault):
    """Fills it until nothing is stored any more, holds that for some seconds, and frees it."""

    name = "disk full"

    def missing(self) -> str:
        return why_not()

    async def prepare(self, ground: Ground) -> None:
        if not self.missing():
            _disk(ground).mount()

    async def inject(self, world: World, dice: random.Random) -> str:
        disk, hold = _disk(world.ground), dice.uniform(SHORTEST, LONGEST)
        try:
            stopped = await self._filled(disk, world, hold)
        finally:
            disk.free_again()
        return f"the disk was full for {hold:.1f} s" + (
            "" if stopped else ", and there was room in the logs all the while"
        )

    async def _filled(self, disk: SmallDisk, world: World, hold: float) -> bool:
        """Keep it full until no tick has come for `hold` seconds though somebody waits for one."""
        await asyncio.to_thread(disk.shorten_logs)
        loop = asyncio.get_running_loop()
        give_up = loop.time() + FULL_WITHIN * SCALE + hold
        since, ticks = loop.time(), _ticks(world)
        while loop.time() < give_up:
            disk.fill()
            await asyncio.sleep(STEP)
            if _ticks(world) != ticks or not any(client.unanswered for client in world.clients):
                since, ticks = loop.time(), _ticks(world)
            elif loop.time() - since > hold:
                return True
        return False

    async def clear(self, ground: Ground) -> None:
        _disk(ground).unmount()


def _disk(ground: Ground) -> SmallDisk:
    return SmallDisk(ground.folder / "db", MIB)


def _ticks(world: World) -> int:
    return sum(len(client.sent) - client.unanswered for client in world.clients)
