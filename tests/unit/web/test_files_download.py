"""How far a file may be handed out while it is still coming in."""

import asyncio
from collections.abc import Sequence

import msgspec
import pytest

from protocols.errors import Refusal
from protocols.files import PIECE_BYTES, UploadState
from protocols.frames import FileFrame
from protocols.mail import FrontItem, Push, PushBatch
from tests.support.uploads import upload
from tests.support.virtual_time import run_virtually
from web.files_download import LOOK, PATIENCE, Follower, handed_out
from web.files_news import FileNews

SIZE = PIECE_BYTES * 3


def at(offset: int, state: str = "open") -> UploadState:
    return upload(size=SIZE, offset=offset, state=state)


@pytest.mark.parametrize(
    ("one", "end"),
    [
        (at(0), 0),
        (at(PIECE_BYTES), PIECE_BYTES),
        (at(SIZE - 1), SIZE - PIECE_BYTES),
        (at(SIZE, "verifying"), SIZE - PIECE_BYTES),
        (at(SIZE, "ready"), SIZE),
        (upload(size=100, offset=99), 0),
        (upload(size=100, offset=100, state="verifying"), 0),
    ],
)
def test_the_last_piece_waits(one: UploadState, end: int) -> None:
    assert max(0, handed_out(one)) == end


def follow(states: Sequence[UploadState | None], beyond: int) -> tuple[int | str, float]:
    """(how far, or the refusal's code; seconds that it took) when the ledger says one after the other."""

    async def run() -> tuple[int | str, float]:
        told = iter(states[1:])
        loop = asyncio.get_running_loop()
        began = loop.time()
        assert states[0] is not None
        last = states[0]

        async def read() -> UploadState | None:
            nonlocal last
            fresh = next(told, last)
            last = fresh or last
            return fresh

        async def look() -> None:
            return None

        try:
            found: int | str = await Follower(states[0], read, asyncio.Event(), look, loop.time).beyond(beyond)
        except Refusal as refusal:
            found = refusal.code
        return found, loop.time() - began

    return run_virtually(run())


def test_what_is_there_is_not_waited_for() -> None:
    assert follow([at(PIECE_BYTES)], 0) == (PIECE_BYTES, 0.0)


def test_what_comes_is_seen_at_the_next_look() -> None:
    found, after = follow([at(0), at(0), at(PIECE_BYTES)], 0)
    assert found == PIECE_BYTES
    assert after == pytest.approx(2 * LOOK)
    found, after = follow([at(SIZE, "verifying"), at(SIZE, "ready")], SIZE - PIECE_BYTES)
    assert found == SIZE
    assert after == pytest.approx(LOOK)


@pytest.mark.parametrize("end", [at(0, "cancelled"), at(0, "failed"), at(0, "expired"), None])
def test_what_never_comes_is_gone(end: UploadState | None) -> None:
    found, after = follow([at(0), end], 0)
    assert found == "gone"
    assert after == pytest.approx(LOOK)


def test_patience_ends() -> None:
    found, after = follow([at(0)], 0)
    assert found == "unavailable"
    assert after == pytest.approx(PATIENCE, abs=2 * LOOK)


async def test_news_of_a_file_wakes_those_who_wait_for_it() -> None:
    news = FileNews()
    frame = msgspec.json.encode(FileFrame(id="u", state="open", offset=5, size=10))
    pushes: list[FrontItem] = [Push(to=["ann"], frame=b"nonsense"), Push(to=["ann"], frame=frame)]
    with news.of("u") as mine, news.of("other") as others:
        news.receive(PushBatch(source="router", incarnation="1", number=1, items=pushes))
        assert not mine.is_set()
        news.receive(PushBatch(source="file_chunker", incarnation="1", number=1, items=pushes))
        assert (mine.is_set(), others.is_set()) == (True, False)
    assert news._waiting == {}


async def test_who_follows_looks_as_soon_as_there_is_news() -> None:
    news = asyncio.Event()
    states = iter([at(PIECE_BYTES)])

    async def read() -> UploadState | None:
        return next(states)

    async def look() -> None:
        news.set()

    # A clock that stands still: nothing but the news can have brought it on.
    assert await Follower(at(0), read, news, look, lambda: 0.0).beyond(0) == PIECE_BYTES
    assert not news.is_set()
