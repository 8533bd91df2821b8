"""Mail out: what aiormq's basic_publish does, without its queue, and without marshalling what is the same each time."""

import asyncio
import struct
from typing import Final

from aiormq.channel import Channel
from aiormq.exceptions import ChannelInvalidStateError
from pamqp import commands, frame

from actors.runtime.amqp.receiving import Settling
from actors.runtime.broker import PERSISTENT, TRANSIENT, BrokerError, Busy, NoSuchQueue, Outgoing

_HEADER: Final = 2
_BODY: Final = 3
_METHOD: Final = 1
_BASIC: Final = 60
_ACK: Final = 80
_END: Final = b"\xce"
_ALWAYS: Final = 1 << 12 | 1 << 7 | 1 << 4
"""The properties that each mail has: delivery_mode, message_id, user_id."""

_EXPIRATION: Final = 1 << 8
_UNLIMITED: Final = 1 << 30


class Wire:
    """Mail as the frames of a channel (AMQP 0-9-1, 4.2).

    `most` is the largest piece of a body, in bytes; below 1 where the broker sets no limit to a frame (frame_max 0).
    """

    def __init__(self, number: int, most: int, user: str) -> None:
        self._number = number
        self._most = most if most > 0 else _UNLIMITED
        self._user = _short(user)
        self._methods: dict[tuple[str, str, bool], bytes] = {}

    def payload(self, mail: Outgoing, message_id: str) -> bytes:
        """Method, header and body, ready to be written."""
        flags, expiration = _ALWAYS, b""
        if mail.expires_ms is not None:
            flags, expiration = _ALWAYS | _EXPIRATION, _short(str(max(1, mail.expires_ms)))
        mode = PERSISTENT if mail.durable else TRANSIENT
        header = b"".join(
            (
                struct.pack(">HHQHB", _BASIC, 0, len(mail.body), flags, mode),
                expiration,
                _short(message_id),
                self._user,
            )
        )
        parts = [self._method(mail), *self._frame(_HEADER, header)]
        for at in range(0, len(mail.body), self._most):
            parts += self._frame(_BODY, mail.body[at : at + self._most])
        return b"".join(parts)

    def _method(self, mail: Outgoing) -> bytes:
        # Mailboxes, queues for replies, the fronts: few, but the latter come and go.
        way = (mail.exchange, mail.key, mail.must_arrive)
        known = self._methods.get(way)
        if known is None:
            if len(self._methods) >= 1_000:  # noqa: PLR2004  (a bound, whatever comes)
                self._methods.clear()
            method = commands.Basic.Publish(exchange=mail.exchange, routing_key=mail.key, mandatory=mail.must_arrive)
            known = self._methods[way] = frame.marshal(method, self._number)
        return known

    def _frame(self, kind: int, content: bytes) -> tuple[bytes, bytes, bytes]:
        return struct.pack(">BHI", kind, self._number, len(content)), content, _END


class Publisher:
    """Publishes over a channel on which nobody else does, and settles what the tap before its reader tells of it."""

    def __init__(self, channel: Channel, user: str, writer: asyncio.StreamWriter) -> None:
        self._channel = channel
        self._wire = Wire(channel.number, channel.max_content_size, user)
        self._writer = writer
        self._number = 0
        self._waiting: dict[int, asyncio.Future[type[BrokerError] | None]] = {}
        self.settling = Settling(self._taken, self._refused, self._returned)

    async def publish(self, mail: Outgoing, within: float) -> None:
        """Return when it is confirmed. Raises NoSuchQueue, Busy; and as aiormq does, TimeoutError included."""
        async with asyncio.timeout(within):
            # Before it is written: nothing is between the number and the writing, and the broker counts what it sees.
            await self._writer.drain()
            if self._channel.is_closed:
                raise ChannelInvalidStateError(f"{self._channel!r} closed")
            self._number += 1
            number = self._number
            # The library fails it when the channel ends.
            fate = self._waiting[number] = self._channel.create_future()
            self._writer.write(self._wire.payload(mail, str(number)))
            try:
                refusal = await fate
            finally:
                self._waiting.pop(number, None)
        if refusal is not None:
            raise refusal(mail.key)

    def _taken(self, number: int, all_before: bool) -> None:
        self._settle(number, all_before, None)

    def _refused(self, number: int, all_before: bool) -> None:
        self._settle(number, all_before, Busy)

    def _returned(self, message_id: str) -> None:
        # Its confirmation follows, and finds nobody.
        self._settle(int(message_id), False, NoSuchQueue)

    def _settle(self, number: int, all_before: bool, refusal: type[BrokerError] | None) -> None:
        numbers = [one for one in self._waiting if one <= number] if all_before else [number]
        for one in numbers:
            fate = self._waiting.pop(one, None)
            if fate is not None and not fate.done():
                fate.set_result(refusal)


def acknowledgement(channel: int, tag: int) -> bytes:
    """The frame that acknowledges a delivery and all before it on its channel."""
    return struct.pack(">BHIHHQB", _METHOD, channel, 13, _BASIC, _ACK, tag, 1) + _END


def _short(text: str) -> bytes:
    raw = text.encode()
    return bytes((len(raw),)) + raw
