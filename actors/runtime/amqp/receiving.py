"""Mail in: deliveries and confirmations are taken from the stream before aiormq reads it, everything else is its own.

aiormq reads a frame in three steps, hands it from task to task and begins one for each delivery: a fifth of a
millisecond, on each hop of each message. Here whole frames are looked at as they arrive, and who waits for them is
called at once, in order. Pure but for those calls.
"""

import logging
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

from pamqp import frame
from pamqp.header import ContentHeader

from actors.runtime.broker import PERSISTENT

_METHOD: Final = 1
_HEADER: Final = 2
_BODY: Final = 3
_HEARTBEAT: Final = 8
_KINDS: Final = frozenset((_METHOD, _HEADER, _BODY, _HEARTBEAT))
_BASIC: Final = 60
_RETURN: Final = 50
_DELIVER: Final = 60
_ACK: Final = 80
_NACK: Final = 120

_OURS: Final = 1 << 12 | 1 << 7 | 1 << 4
"""The properties that each mail of ours has, and no more most of the time: delivery_mode, message_id, user_id."""

HEARTBEAT: Final = b"\x08\x00\x00\x00\x00\x00\x00\xce"
SIGN_OF_LIFE: Final = 1.0
"""Seconds after which aiormq is shown a heartbeat while others take all that comes: a busy broker sends none."""

_head: Final = struct.Struct(">BHI").unpack_from
_method: Final = struct.Struct(">HH").unpack_from
_content: Final = struct.Struct(">HHQHB").unpack_from
_tag_and_bit: Final = struct.Struct(">QB").unpack_from

log: Final = logging.getLogger(__name__)


@dataclass(slots=True)
class Incoming:
    """A delivery. `user` is who published it, as the broker vouches; `tag` is 0 of returned mail."""

    tag: int
    redelivered: bool
    body: bytes = b""
    user: str = ""
    message_id: str = ""
    durable: bool = False


@dataclass(frozen=True, slots=True)
class Settling:
    """Who waits for the fate of what a channel publishes. Called with its number (and all before it), or its id."""

    taken: Callable[[int, bool], None]
    refused: Callable[[int, bool], None]
    returned: Callable[[str], None]


@dataclass(slots=True)
class _Open:
    """Content of which not all has come. `left`: bytes of its body, -1 before the header."""

    mail: Incoming
    whole: Callable[[Incoming], None]
    left: int = -1
    parts: list[bytes] | None = None


class Tap:
    """Sits before a reader: `feed` takes what the broker sent, and `rest` gets what nobody here waits for.

    Only whole frames come to `rest`. `consumers` are by channel and consumer tag, `publishers` by channel; put them
    there before the broker is asked for anything that they wait for.
    """

    def __init__(self, rest: Callable[[bytes], None], monotonic: Callable[[], float]) -> None:
        self._rest = rest
        self._monotonic = monotonic
        self._shown = monotonic()
        self._partial = b""
        self._foreign = False
        self._open: dict[int, _Open] = {}
        self.consumers: dict[tuple[int, bytes], Callable[[Incoming], None]] = {}
        self.publishers: dict[int, Settling] = {}

    def feed(self, data: bytes) -> None:
        """Take bytes, cut wherever."""
        if self._foreign:
            self._rest(data)
            return
        if self._partial:
            data = self._partial + data
        at = begin = 0
        size = len(data)
        while size - at >= 8:  # noqa: PLR2004  (seven bytes before the payload, one after it)
            kind, channel, length = _head(data, at)
            if kind not in _KINDS:
                # Not AMQP: whoever speaks the rest of the protocol knows what to say of it.
                self._foreign = True
                at = size
                break
            end = at + 8 + length
            if end > size:
                break
            if channel and self._takes(kind, channel, data, at + 7, end - 1):
                if begin < at:
                    self._pass_on(data[begin:at])
                begin = end
            at = end
        if begin < at:
            self._pass_on(data[begin:at])
        elif at and self._monotonic() - self._shown > SIGN_OF_LIFE:
            self._pass_on(HEARTBEAT)
        self._partial = data[at:]

    def end(self) -> None:
        """The stream is over: what is left of a frame belongs to the reader, which tells of it."""
        partial, self._partial = self._partial, b""
        if partial:
            self._rest(partial)

    def _pass_on(self, data: bytes) -> None:
        self._shown = self._monotonic()
        self._rest(data)

    def _takes(self, kind: int, channel: int, data: bytes, at: int, end: int) -> bool:
        """Whether the frame, whose payload this is, was for somebody here."""
        if kind == _METHOD:
            group, method = _method(data, at)
            return group == _BASIC and self._takes_method(method, channel, data, at + 4)
        opened = self._open.get(channel)
        if opened is None:
            return False
        if kind == _HEADER:
            _, _, opened.left, _, _ = _content(data, at)
            try:
                _describe(opened.mail, data, at, end)
            except Exception:
                # Whoever may publish at all could otherwise end each connection that it is delivered to. Of nobody, it
                # is a matter for the dead letters.
                log.exception("the properties of mail are not understood")
                opened.mail.user, opened.mail.durable = "", True
        else:
            opened.left -= end - at
            if opened.left and opened.parts is None:
                opened.parts = []
            if opened.parts is None:
                opened.mail.body = data[at:end]
            else:
                opened.parts.append(data[at:end])
        if not opened.left:
            del self._open[channel]
            if opened.parts is not None:
                opened.mail.body = b"".join(opened.parts)
            _call(opened.whole, opened.mail)
        return True

    def _takes_method(self, method: int, channel: int, data: bytes, at: int) -> bool:
        if method == _DELIVER:
            after = at + 1 + data[at]
            consumer = self.consumers.get((channel, data[at + 1 : after]))
            if consumer is None:
                return False
            tag, redelivered = _tag_and_bit(data, after)
            self._open[channel] = _Open(Incoming(tag, bool(redelivered)), consumer)
            return True
        publisher = self.publishers.get(channel)
        if publisher is None:
            return False
        if method == _RETURN:
            self._open[channel] = _Open(Incoming(0, False), lambda mail: publisher.returned(mail.message_id))
            return True
        if method in {_ACK, _NACK}:
            tag, bits = _tag_and_bit(data, at)
            (publisher.taken if method == _ACK else publisher.refused)(tag, bool(bits & 1))
            return True
        return False


def _describe(mail: Incoming, data: bytes, at: int, end: int) -> None:
    _, _, _, flags, mode = _content(data, at)
    if flags == _OURS:
        begin = at + 15
        after = begin + 1 + data[begin]
        mail.message_id = str(data[begin + 1 : after], "utf-8")
        mail.user = str(data[after + 1 : after + 1 + data[after]], "utf-8")
        mail.durable = mode == PERSISTENT
        return
    # With an expiration, and what a broker adds of its own.
    _, _, header = frame.unmarshal(data[at - 7 : end + 1])
    properties = cast("ContentHeader", header).properties
    mail.message_id = properties.message_id or ""
    mail.user = properties.user_id or ""
    mail.durable = properties.delivery_mode == PERSISTENT


def _call(whole: Callable[[Incoming], None], mail: Incoming) -> None:
    try:
        whole(mail)
    except Exception:
        log.exception("mail was not taken")
