"""A page that comes back after having been away: the hello, then page after page of what it missed."""

import asyncio
import time
from collections import Counter
from typing import Final

import msgspec
from msgspec import Struct

from bench.orders import Caught, ReadUp
from bench.wire import Wire, connected

READ_WITHIN: Final = 120.0


class _Head(Struct):
    type: str
    next: str = ""
    more: bool = False


class _Change(Struct):
    type: str
    client_id: str = ""
    conversation: str = ""
    seq: int = 0


class _Page(Struct):
    changes: list[_Change]


_decode_head: Final = msgspec.json.Decoder(_Head).decode
_decode_page: Final = msgspec.json.Decoder(_Page).decode


class ReadingError(OSError):
    """What was read is not what was waiting."""


async def read_up(order: ReadUp) -> Caught:
    """Read all; after the clock has stopped, look whether each message is there once and in order."""
    pages: list[bytes | bytearray] = []
    done: asyncio.Future[float] = asyncio.get_running_loop().create_future()
    hello = 0.0
    wire: Wire | None = None
    waiting: list[str] = []

    def ask(since: str) -> None:
        if wire is None:
            waiting.append(since)
        else:
            wire.send(b'{"type":"sync","id":"%d","since":"%b"}' % (len(pages), since.encode()))

    def heard(text: bytes | bytearray, at: float) -> None:
        nonlocal hello
        head = _decode_head(text)
        if head.type == "hello":
            hello = at
            ask("")
        elif head.type == "ok":
            pages.append(text)
            if head.more:
                ask(head.next)
            elif not done.done():
                done.set_result(at)
        elif head.type == "error" and not done.done():
            done.set_exception(ReadingError(bytes(text[:200]).decode()))

    began = time.perf_counter()
    async with asyncio.timeout(READ_WITHIN):
        wire = await connected(order.port, order.guest.token, heard)
        for since in waiting:
            ask(since)
        wire.flush()
        try:
            ended = await done
        finally:
            wire.abort()
    _check(pages, order.waiting)
    return Caught(hello - began, ended - began, len(pages), sum(map(len, pages)))


def _check(pages: list[bytes | bytearray], waiting: int) -> None:
    changes = [one for page in pages for one in _decode_page(page).changes if one.type == "message"]
    places: Counter[str] = Counter()
    for one in changes:
        places[one.conversation] += 1
        if one.seq != places[one.conversation]:
            raise ReadingError(f"{one.client_id} came at place {places[one.conversation]} instead of {one.seq}")
    if len(changes) != waiting:
        raise ReadingError(f"{len(changes)} messages came, {waiting} were waiting")
