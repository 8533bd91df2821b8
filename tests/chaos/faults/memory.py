"""The broker is out of memory for a while: it reads nothing from whoever publishes."""

import asyncio
import random

from settings.model import Broker
from tests.chaos.fault import Fault, World
from tests.chaos.faults.insisting import insist
from tests.support.rabbitmqctl import rabbitmqctl

SHORTEST, LONGEST = 2.0, 10.0


class MemoryAlarm(Fault):
    """Lowers the node's watermark below what it needs to live, and puts it back to what the settings say."""

    name = "memory alarm"

    async def inject(self, world: World, dice: random.Random) -> str:
        hold = dice.uniform(SHORTEST, LONGEST)
        try:
            await insist(lambda: self._watermark(world, "1MB"))
            await asyncio.sleep(hold)
        finally:
            # A node that was killed meanwhile has come back with its own, which is the same.
            await insist(lambda: self._watermark(world, f"{Broker().memory_mib}MiB"))
        return f"the broker was out of memory for {hold:.1f} s"

    async def _watermark(self, world: World, value: str) -> None:
        await rabbitmqctl(world.installation.paths, "set_vm_memory_high_watermark", "absolute", value)
