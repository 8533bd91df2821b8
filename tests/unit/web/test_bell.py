"""One waiter, who is woken once and loses nothing."""

import asyncio

import pytest

from tests.support.waiting import SCALE
from web.bell import Bell


async def test_a_bell_that_was_rung_lets_pass_until_it_is_cleared() -> None:
    bell = Bell()
    bell.set()
    async with asyncio.timeout(SCALE):
        await bell.wait()
        await bell.wait()
    bell.clear()
    waiting = asyncio.create_task(bell.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    bell.set()
    bell.set()
    async with asyncio.timeout(SCALE):
        await waiting


async def test_a_cancelled_waiter_leaves_room_for_the_next() -> None:
    bell = Bell()
    waiting = asyncio.create_task(bell.wait())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert waiting.cancelled()
    bell.set()
    async with asyncio.timeout(SCALE):
        await bell.wait()


async def test_two_waiters_are_one_too_many() -> None:
    bell = Bell()
    waiting = asyncio.create_task(bell.wait())
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError):
        await bell.wait()
    bell.set()
    async with asyncio.timeout(SCALE):
        await waiting
