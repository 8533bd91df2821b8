"""One person's page, as lean as it can be: while the clock runs no frame is parsed beyond its first bytes.

It sends receipts as the page does, coalesced: `delivered` after 150 ms, `read` for what was in view a second ago; and
it says which conversation is in view. Its client_ids begin with the time, as a page's do. It does not read on in the
log every 500 pushes, as a page does to move its token: no person gets hundreds a second.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import Struct

from bench.orders import Guest, Sending
from bench.wire import Wire, connected
from drill.ledger import Sent
from drill.screen import Shown
from protocols.values import conversation_of

DELIVERED_WAIT: Final = 0.150
READ_WAIT: Final = 1.0
OPEN_WITHIN: Final = 60.0
PONG_WITHIN: Final = 30.0

_MESSAGE: Final = b'{"type":"message",'
_OK: Final = b'{"type":"ok",'
_HELLO: Final = b'{"type":"hello"'
_PONG: Final = b'{"type":"pong"'
_TROUBLE: Final = (b'{"type":"error"', b'{"type":"resync"')

BODY: Final = "message {} of those that are measured"


class _Message(Struct):
    conversation: str
    seq: int
    version: int
    message_id: str
    client_id: str
    sender: str
    body: str


class _Place(Struct):
    conversation: str
    seq: int


class _Ok(Struct):
    id: str
    seq: int


_decode_message: Final = msgspec.json.Decoder(_Message).decode
_decode_place: Final = msgspec.json.Decoder(_Place).decode
_decode_ok: Final = msgspec.json.Decoder(_Ok).decode


class DeviceError(Exception):
    """The device met what a run must not contain: an error, a resync, a lost connection."""


class Device:
    """`on_shown` is called for each message that is shown, with its time."""

    def __init__(self, guest: Guest) -> None:
        self.user = guest.id
        self._token = guest.token
        self._wire: Wire | None = None
        self._loop = asyncio.get_running_loop()
        self._hello: asyncio.Future[None] = self._loop.create_future()
        self._pong: asyncio.Future[None] = self._loop.create_future()
        self._trouble: asyncio.Future[None] = self._loop.create_future()
        self._shown: list[tuple[float, bytes | bytearray]] = []
        self._answers: list[bytes | bytearray] = []
        self._times: list[float] = []
        self._delivered: asyncio.TimerHandle | None = None
        self._read: asyncio.TimerHandle | None = None
        self._news = asyncio.Event()
        self._awaited = 0
        self._viewed = ""
        self._sending: Sending | None = None
        self._template = b""
        # What is to be added to a time of ours, to have the time of day.
        self._day = time.time() - time.perf_counter()
        self._pending = 0
        self._stop = 0.0
        self._quiet = asyncio.Event()
        self.on_shown: Callable[[float], None] | None = None

    async def open(self, port: int) -> None:
        """Return with the hello. Raises DeviceError, WireError or OSError."""
        async with asyncio.timeout(OPEN_WITHIN):
            self._wire = await connected(port, self._token, self._heard)
            self._wire.closed.add_done_callback(self._lost)
            await self._unless_trouble(self._hello)
        self._wire.send(b'{"type":"attention","visible":true}')
        self._flush()

    def close(self) -> None:
        for timer in (self._delivered, self._read):
            if timer is not None:
                timer.cancel()
        if self._wire is not None:
            wire, self._wire = self._wire, None
            wire.abort()

    # Typing.

    def begin(self, sending: Sending, stop: float, now: float) -> None:
        """Type from now on."""
        self._sending, self._stop = sending, stop
        body = BODY.format("%d")
        self._template = f'{{"type":"send","id":"%d","client_id":"%b","to":"{sending.to}","body":"{body}"}}'.encode()
        self._pending = 0
        self._quiet.clear()
        self._view(conversation_of(self.user, sending.to))
        self._pump(now)
        self._flush()

    def go_on(self, at: float) -> None:
        """What was typed last is on the other's screen."""
        self._pending -= 1
        self._pump(at)
        self._flush()

    async def answered(self, within: float) -> int:
        """Wait until everything typed has its answer; returns how many that are. Raises DeviceError, TimeoutError."""
        async with asyncio.timeout(within):
            await self._unless_trouble(asyncio.ensure_future(self._quiet.wait()))
        return len(self._times)

    def _pump(self, now: float) -> None:
        sending, wire, times = self._sending, self._wire, self._times
        if sending is None or wire is None:
            return
        most = sending.most if now < self._stop else 0
        while self._pending < sending.outstanding and len(times) < most:
            number = len(times)
            # In a closed loop it is pending twice: until its tick, and until it is shown.
            self._pending += 2 if sending.shown else 1
            times.append(now)
            wire.send(self._template % (number, self._client_id(sending.tag, number, now).encode(), number))
        if not self._pending:
            self._quiet.set()

    def _client_id(self, tag: str, number: int, at: float) -> str:
        return f"{int((self._day + at) * 1000):012x}.{tag}-{number}"

    # What arrives.

    def _heard(self, text: bytes | bytearray, at: float) -> None:
        if text.startswith(_MESSAGE):
            self._shown.append((at, text))
            if self._delivered is None:
                self._delivered = self._loop.call_later(DELIVERED_WAIT, self._tell_delivered)
            if self._read is None:
                self._read = self._loop.call_later(READ_WAIT, self._tell_read, len(self._shown))
            if len(self._shown) == self._awaited:
                self._news.set()
            if self.on_shown is not None:
                self.on_shown(at)
        elif text.startswith(_OK):
            self._answers.append(text)
            self._pending -= 1
            self._pump(at)
        elif text.startswith(_HELLO):
            _resolve(self._hello)
        elif text.startswith(_PONG):
            _resolve(self._pong)
        elif text.startswith(_TROUBLE):
            self._fail(f"was told {text[:200].decode(errors='replace')}")

    def _tell_delivered(self) -> None:
        self._delivered = None
        self._tell(b"delivered", len(self._shown))

    def _tell_read(self, count: int) -> None:
        self._read = None
        self._tell(b"read", count)
        if len(self._shown) > count:
            self._read = self._loop.call_later(READ_WAIT, self._tell_read, len(self._shown))

    def _tell(self, kind: bytes, count: int) -> None:
        if self._wire is None or not self._shown:
            return
        place = _decode_place(self._shown[count - 1][1])
        if place.conversation != self._viewed:
            self._view(place.conversation)
        self._wire.send(b'{"type":"%b","conversation":"%b","seq":%d}' % (kind, place.conversation.encode(), place.seq))
        self._flush()

    def _view(self, conversation: str) -> None:
        """Say which conversation is in view: nobody needs to be told of messages that they look at."""
        self._viewed = conversation
        if self._wire is not None:
            self._wire.send(b'{"type":"attention","visible":true,"conversation":"%b"}' % conversation.encode())

    def _flush(self) -> None:
        if self._wire is not None:
            self._wire.flush()

    # The end.

    async def showed(self, count: int, within: float) -> None:
        """Wait until `count` messages are shown, and for all that was pushed to this socket before now."""
        self._awaited = count
        async with asyncio.timeout(within):
            if len(self._shown) < count:
                self._news.clear()
                await self._unless_trouble(asyncio.ensure_future(self._news.wait()))
            await self.pong()

    async def pong(self) -> None:
        """Wait for the answer to a ping."""
        if self._wire is None:
            raise DeviceError(f"{self.user} is not connected")
        self._pong = self._loop.create_future()
        self._wire.send(b'{"type":"ping"}')
        self._flush()
        async with asyncio.timeout(PONG_WITHIN):
            await self._unless_trouble(self._pong)

    def take(self, before: int) -> tuple[list[Sent], list[Shown]]:
        """What was typed and shown; forgotten here. Places are counted on from `before`."""
        seqs = {ok.id: ok.seq - before for ok in map(_decode_ok, self._answers)}
        sent = []
        if self._sending is not None:
            tag, to = self._sending.tag, self._sending.to
            sent = [
                Sent(self._client_id(tag, number, at), self.user, to, BODY.format(number), at, seqs.get(str(number), 0))
                for number, at in enumerate(self._times)
            ]
        shown = [_shown(at, _decode_message(text), before) for at, text in self._shown]
        self._times, self._answers, self._shown, self._sending = [], [], [], None
        return sent, shown

    def _lost(self, reason: asyncio.Future[str]) -> None:
        if self._wire is not None:
            self._fail(f"lost the connection: {reason.result()}")

    def _fail(self, what: str) -> None:
        if not self._trouble.done():
            self._trouble.set_exception(DeviceError(f"{self.user} {what}"))
            # Nobody may be waiting just now.
            self._trouble.exception()

    async def _unless_trouble(self, wanted: asyncio.Future[Any]) -> None:
        """Raises DeviceError as soon as there is trouble."""
        await asyncio.wait({wanted, self._trouble}, return_when=asyncio.FIRST_COMPLETED)
        if self._trouble.done():
            wanted.cancel()
            self._trouble.result()


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _shown(at: float, message: _Message, before: int) -> Shown:
    return Shown(
        conversation=message.conversation,
        seq=message.seq - before,
        version=message.version,
        message_id=message.message_id,
        client_id=message.client_id,
        sender=message.sender,
        body=message.body,
        at=at,
    )
