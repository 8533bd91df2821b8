"""A request's body as pieces of a file: bounded in size and number, and cut off when it comes too slowly."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import StreamReader, web
from aiohttp.http import HttpProcessingError

from protocols.errors import Refusal
from protocols.files import PIECE_BYTES

SLOWEST: Final = 1024
"""Bytes a second that a body must bring, on the average of SPAN seconds in which it was waited for."""

SPAN: Final = 30.0

LINGER: Final = 0.25
"""Seconds that a piece which is not full waits for more: whoever looks on sees a slow body come all the same."""

BROKEN: Final = (ConnectionError, web.RequestPayloadError, HttpProcessingError)
"""What aiohttp raises of a body that ends before its time, or is no HTTP."""

LOOK: Final = 1.0
"""Most seconds without a look at whether the request may go on."""


class Pace:
    """Whether a body comes fast enough. Pure; only the time counts in which somebody waited for it."""

    def __init__(self) -> None:
        self._waited = 0.0
        self._came = 0

    def note(self, waited: float, came: int) -> None:
        """`came` bytes came after a wait of so many seconds. Raises Refusal("unavailable") when that is too little."""
        self._waited += waited
        self._came += came
        if self._waited >= SPAN:
            if self._came < SLOWEST * SPAN:
                raise Refusal("unavailable", "The bytes come too slowly.")
            self._waited, self._came = 0.0, 0


class Body:
    """`rest`: how many bytes there may be. `exact`: that it is known, from its head, that there are no more.

    `look` is called every LOOK seconds at least, and raises when the request is to end.
    """

    def __init__(
        self,
        content: StreamReader,
        rest: int,
        *,
        exact: bool,
        too_much: Refusal,
        look: Callable[[], Awaitable[None]],
        monotonic: Callable[[], float],
    ) -> None:
        content.set_read_chunk_size(PIECE_BYTES)
        self._content = content
        self._rest = rest
        self._exact = exact
        self._too_much = too_much
        self._look = look
        self._monotonic = monotonic
        self._pace = Pace()
        self._chunks: list[bytes | memoryview] = []
        self._size = 0
        self._since = 0.0
        self._ended = False
        self.broken: BaseException | None = None
        """What ended it before its time, such as a connection that was cut; what came before that is handed out."""

    async def next(self) -> bytes:
        """The next piece, b"" at the end. Raises Refusal: too much, too slow, or what `look` raises."""
        while not self._ended and not self._full():
            wait = LOOK
            if self._size and not self._held_back():
                wait = LINGER - (self._monotonic() - self._since)
                if wait <= 0:
                    break
            await self._read(wait)
            await self._look()
        return self._taken()

    def _full(self) -> bool:
        return self._size >= PIECE_BYTES and not self._held_back()

    def _held_back(self) -> bool:
        """Whether the file is whole, unless still more comes: that would be another one, and is not finished."""
        return not self._exact and not self._rest

    async def _read(self, wait: float) -> None:
        began = self._monotonic()
        chunk = None
        try:
            async with asyncio.timeout(wait):
                chunk = await self._content.readany()
        except TimeoutError:
            pass
        except BROKEN as error:
            self._ended, self.broken = True, error
            chunk = _left(self._content)
            if not chunk:
                return
        now = self._monotonic()
        self._pace.note(now - began, len(chunk or b""))
        if chunk is None:
            return
        if not chunk:
            self._ended = True
            return
        if len(chunk) > self._rest:
            raise self._too_much
        if not self._size:
            self._since = now
        self._rest -= len(chunk)
        self._size += len(chunk)
        self._chunks.append(chunk)

    def _taken(self) -> bytes:
        """At most a piece of what is there, copied once."""
        over = self._size - PIECE_BYTES
        left: list[bytes | memoryview] = []
        if over > 0:
            last = memoryview(self._chunks[-1])
            self._chunks[-1], left = last[:-over], [last[-over:]]
        piece = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks, self._size = left, max(over, 0)
        return piece if isinstance(piece, bytes) else bytes(piece)


def _left(content: StreamReader) -> bytes:
    """What had come before the body broke: aiohttp keeps it, and hands out nothing but the error any more."""
    return b"".join(content._buffer)[content._buffer_offset :]  # noqa: SLF001  (tests/unit/web pins both)
