"""Pairs of people who type to each other at a rate; some of them have two devices, and type on both."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable

from drill.gathering import Gathering, name_of
from drill.scene import PHRASES
from drill.waiting import until
from tests.chaos import record
from tests.chaos.client import Client
from tests.support.waiting import SCALE

CONNECTED_WITHIN = 60.0
SECOND_DEVICE = 4
"""Every so many people have one."""
BACKLOG = 200
"""Messages of one device without a tick, at which its person waits: an outage must not pile up hours of chat."""
PATIENCE = 0.05


class Crowd(Gathering):
    """All devices together type `rate` messages a second on average. The seed decides who types what and when."""

    def __init__(
        self,
        base: str,
        *,
        pairs: int,
        rate: float,
        seed: int,
        clock: Callable[[], float],
        write: Callable[[record.Record], None],
    ) -> None:
        super().__init__()
        self._rate = rate
        self._seed = seed
        self._clock = clock
        self._write = write
        self._peers: dict[str, str] = {}
        people = [Client(base, f"{name_of(at)}{seed}", clock=clock, write=write) for at in range(2 * pairs)]
        self._couples = list(zip(people[::2], people[1::2], strict=True))
        self._second = [
            Client(base, person.username, 2, clock=clock, write=write) for person in people[::SECOND_DEVICE]
        ]
        self.devices = [*people, *self._second]

    async def _come(self) -> None:
        for device in self.devices:
            await self._exits.enter_async_context(device)
        for one, other in self._couples:
            await one.register()
            await other.register()
            await one.befriend(other)
            self._peers |= {one.id: other.id, other.id: one.id}
        for second in self._second:
            await second.sign_in()
        for device in self.devices:
            self._write(record.Device(device.device, device.id, self._peers[device.id]))
        await self._join(self.devices, CONNECTED_WITHIN * SCALE)

    def type_on(self) -> None:
        """Everybody begins to type."""
        self._typing = [asyncio.create_task(self._type(device)) for device in self.devices]

    async def _type(self, device: Client) -> None:
        dice = random.Random(f"{self._seed} {device.device}")  # noqa: S311  (reproducible on purpose)
        each = self._rate / len(self.devices)
        due = self._clock()
        while True:
            # By the clock, not by pauses: a loop that is late must not make people type less.
            due += dice.expovariate(each)
            await asyncio.sleep(max(0.0, due - self._clock()))
            while device.unanswered >= BACKLOG:
                await asyncio.sleep(PATIENCE)
                due = self._clock()
            device.say(self._peers[device.id], f"{dice.choice(PHRASES)} ({len(device.sent) + 1})")

    # What is seen of it.

    @property
    def typed(self) -> int:
        return sum(len(device.sent) for device in self.devices)

    @property
    def acknowledged(self) -> int:
        return sum(len(device.sent) - device.unanswered for device in self.devices)

    async def settled(self, within: float) -> bool:
        """Wait until all that was typed is answered, on every screen, and told as read. Nobody may type."""
        return await until(self._all_told, within)

    def _all_told(self) -> bool:
        if any(device.unanswered for device in self.devices):
            return False
        wanted = Counter[str]()
        for device in self.devices:
            stored = sum(1 for one in device.sent.values() if not one.refused)
            wanted[device.id] += stored
            wanted[self._peers[device.id]] += stored
        if any(len(device.screen.shown) < wanted[device.id] for device in self.devices):
            return False
        return all(self._told(device) for device in self.devices)

    def _told(self, device: Client) -> bool:
        """Whether a device knows that the other has read everything of its person."""
        last: dict[str, int] = {}
        for one in reversed(device.screen.shown):
            if one.sender == device.id:
                last[one.conversation] = one.seq
                break
        peer = self._peers[device.id]
        return all(device.receipts.get((conversation, peer)) == (seq, seq) for conversation, seq in last.items())
