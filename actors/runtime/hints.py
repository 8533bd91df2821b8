"""Hints of one owner to others that its log has moved on. Losing one costs the follower its next look, no more."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Raw, msgpack

from actors.runtime import topology
from actors.runtime.broker import Broker, BrokerError, Outgoing
from protocols.mail import Changed, Envelope, Item, encoder
from settings.model import Broker as BrokerSettings

PAUSE: Final = 0.25
"""Seconds from one hint to the next: a follower looks so often at most, however busy the log is."""
WITHIN: Final = 1.0
EXPIRES_MS: Final = 2_000


class Hints:
    """`changed` costs nothing; `run` sends. One is under way at a time, and what moves meanwhile is in the next."""

    def __init__(
        self, broker: Broker, settings: BrokerSettings, source: str, to: Sequence[str], now: Callable[[], int]
    ) -> None:
        self._broker = broker
        self._settings = settings
        self._source = source
        self._to = to
        self._now = now
        self._change = 0
        self._told = 0
        self._moved = asyncio.Event()

    def changed(self, change: int) -> None:
        """The log has come to `change`; what it had come to before says nothing."""
        # A batch that needed no transaction brings the change of an earlier one, which errands may have passed since.
        self._change = max(self._change, change)
        if self._change != self._told:
            self._moved.set()

    async def run(self) -> None:
        """Send hints until cancelled."""
        while True:
            await self._moved.wait()
            self._moved.clear()
            self._told = self._change
            for name in self._to:
                with contextlib.suppress(BrokerError, TimeoutError):
                    async with asyncio.timeout(WITHIN):
                        await self._broker.publish(self._hint(name, self._told))
            await asyncio.sleep(PAUSE)

    def _hint(self, to: str, change: int) -> Outgoing:
        command = Raw(msgpack.encode(Changed(source=self._source, change=change)))
        item = Item(id=f"{self._source}/{change}", command=command, expires=self._now() + EXPIRES_MS)
        # Not one that must arrive: whoever has no mailbox yet will begin with the log as it is then.
        body = encoder.encode(Envelope(sender=self._source, items=[item]))
        return Outgoing("", topology.mailbox(self._settings, to), body, expires_ms=EXPIRES_MS)
