"""Mail out: what aiormq's basic_publish does, without marshalling field by field what is the same each time.

Numbers, confirmations and returns are kept where aiormq's channel keeps them, so that its own reader settles them.
"""

import asyncio
import struct
from random import getrandbits
from typing import Final

from aiormq.abc import ChannelFrame
from aiormq.channel import Channel
from aiormq.exceptions import ChannelInvalidStateError
from pamqp import commands, frame

from actors.runtime.broker import PERSISTENT, TRANSIENT, Outgoing

_HEADER: Final = 2
_BODY: Final = 3
_BASIC: Final = 60
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
    """Publishes over a channel on which nobody else does."""

    def __init__(self, channel: Channel, user: str) -> None:
        self._channel = channel
        self._wire = Wire(channel.number, channel.max_content_size, user)
        self._in_turn = asyncio.Lock()

    async def publish(self, mail: Outgoing, within: float) -> None:
        """Return when it is confirmed. Raises as aiormq does, TimeoutError after `within` seconds included."""
        # Fresh for each attempt: returned mail is matched by it, and with two of the same a lost one would be reported
        # as taken.
        message_id = f"{getrandbits(128):032x}"
        payload = self._wire.payload(mail, message_id)
        returned = self._channel.message_id_delivery_tag
        async with asyncio.timeout(within):
            try:
                # The broker counts what it sees: numbers are given in the order of the writing.
                async with self._in_turn:
                    confirmation = await self._hand_over(payload, message_id)
                await confirmation
            finally:
                returned.pop(message_id, None)

    async def _hand_over(self, payload: bytes, message_id: str) -> "asyncio.Future[object]":
        channel = self._channel
        if channel.is_closed:
            raise ChannelInvalidStateError(f"{channel!r} closed")
        channel.delivery_tag += 1
        tag = channel.delivery_tag
        confirmation = channel.confirmations[tag] = channel.create_future()
        channel.message_id_delivery_tag[message_id] = tag
        try:
            # With a future to settle the writer waits, before the next one, until the peer has taken this.
            await channel.write_queue.put(ChannelFrame(payload, False, channel.create_future()))
        except BaseException:
            # The broker has not seen it.
            channel.delivery_tag = tag - 1
            del channel.confirmations[tag]
            confirmation.cancel()
            raise
        return confirmation


def _short(text: str) -> bytes:
    raw = text.encode()
    return bytes((len(raw),)) + raw
