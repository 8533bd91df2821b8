"""A body as pieces: whole ones, late ones, too many bytes, too slow ones, and what is left of one that broke."""

import asyncio
from unittest.mock import Mock

import pytest
from aiohttp import StreamReader
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.errors import Refusal
from protocols.files import PIECE_BYTES
from tests.support.virtual_time import run_virtually
from web.files_body import LINGER, SLOWEST, SPAN, Body, Pace


def reader() -> StreamReader:
    return StreamReader(Mock(), limit=2**16, loop=asyncio.get_running_loop())


def body(content: StreamReader, rest: int, *, exact: bool = True) -> Body:
    async def look() -> None:
        return None

    return Body(
        content,
        rest,
        exact=exact,
        too_much=Refusal("too_large"),
        look=look,
        monotonic=asyncio.get_running_loop().time,
    )


async def all_of(one: Body) -> list[bytes]:
    found = []
    while piece := await one.next():
        found.append(piece)
    return found


EDGES = st.sampled_from([1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 2 * PIECE_BYTES + 7])


@settings(deadline=None, max_examples=40)
@given(st.lists(EDGES | st.integers(1, 100_000), max_size=5), st.booleans())
def test_pieces_are_the_body(sizes: list[int], exact: bool) -> None:
    chunks = [(b"%06d," % number) * (size // 7) + bytes(size % 7) for number, size in enumerate(sizes)]

    async def read() -> list[bytes]:
        content = reader()
        for chunk in chunks:
            content.feed_data(chunk)
        content.feed_eof()
        return await all_of(body(content, sum(sizes), exact=exact))

    pieces = asyncio.run(read())
    assert b"".join(pieces) == b"".join(chunks)
    assert all(len(piece) == PIECE_BYTES for piece in pieces[:-1])
    assert all(type(piece) is bytes and 0 < len(piece) <= PIECE_BYTES for piece in pieces)


async def test_one_byte_too_many_is_refused_before_the_last_piece_is_handed_out() -> None:
    content = reader()
    content.feed_data(bytes(PIECE_BYTES))
    one = body(content, PIECE_BYTES, exact=False)
    waiting = asyncio.create_task(one.next())
    await asyncio.sleep(0)
    assert not waiting.done()
    content.feed_data(b"x")
    with pytest.raises(Refusal) as refused:
        await waiting
    assert refused.value.code == "too_large"


def test_a_slow_body_comes_in_small_pieces() -> None:
    async def read() -> tuple[list[bytes], float]:
        content, loop = reader(), asyncio.get_running_loop()
        one = body(content, 10_000)
        content.feed_data(bytes(2_000))
        loop.call_later(LINGER / 2, content.feed_data, bytes(1_000))
        first = await one.next()
        at = loop.time()
        loop.call_later(5.0, content.feed_data, bytes(7_000))
        loop.call_later(5.0, content.feed_eof)
        return [first, *(await all_of(one))], at

    pieces, at = run_virtually(read())
    assert [len(piece) for piece in pieces] == [3_000, 7_000]
    assert at == pytest.approx(1_000 + LINGER)


def test_who_sends_too_slowly_is_not_waited_for() -> None:
    async def read() -> float:
        content, loop = reader(), asyncio.get_running_loop()
        one = body(content, 10**6)
        for second in range(1, 100):
            loop.call_later(second, content.feed_data, bytes(SLOWEST // 2))
        with pytest.raises(Refusal) as refused:
            await all_of(one)
        assert refused.value.code == "unavailable"
        return loop.time()

    assert run_virtually(read()) == pytest.approx(1_000 + SPAN, abs=1.5)


def test_pace_counts_only_what_was_waited_for() -> None:
    pace = Pace()
    for _ in range(1_000):
        pace.note(0.1, int(SLOWEST * 0.1) + 1)
    for _ in range(1_000):
        pace.note(0.0, 0)
    pace = Pace()
    pace.note(SPAN - 1, SLOWEST)
    with pytest.raises(Refusal):
        pace.note(2.0, SLOWEST)


async def test_what_came_before_it_broke_is_handed_out() -> None:
    # Of aiohttp's reader two private fields are used: this fails when they are not what they were.
    content = reader()
    content.feed_data(b"ab")
    content.feed_data(b"c" * 400_000)
    assert await content.read(1) == b"a"
    content.set_exception(ConnectionResetError())
    one = body(content, 10**6)
    pieces = await all_of(one)
    assert b"".join(pieces) == b"b" + b"c" * 400_000
    assert isinstance(one.broken, ConnectionResetError)


async def test_a_look_ends_the_reading() -> None:
    async def stop() -> None:
        raise Refusal("unauthenticated")

    content = reader()
    content.feed_data(b"ab")
    one = Body(content, 9, exact=True, too_much=Refusal("too_large"), look=stop, monotonic=lambda: 0.0)
    with pytest.raises(Refusal):
        await one.next()
