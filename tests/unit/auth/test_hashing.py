"""The line before the password hash is bounded."""

import asyncio
import threading

import pytest

from actors.auth.hashing import RETRY_AFTER, THREADS, Hashing
from protocols.errors import Refusal
from tests.support.waiting import SCALE, eventually


async def test_who_comes_when_the_line_is_full_is_told_to_come_back() -> None:
    hashing = Hashing(waiting=1)
    gate = threading.Event()

    def work() -> bool:
        return gate.wait(10 * SCALE)

    inside = [asyncio.create_task(hashing.run(work)) for _ in range(THREADS + 1)]
    try:
        await asyncio.sleep(0)
        with pytest.raises(Refusal) as refused:
            await hashing.run(work)
        assert (refused.value.code, refused.value.body.retry_after) == ("rate_limited", RETRY_AFTER)
    finally:
        gate.set()
    assert await asyncio.gather(*inside) == [True] * 3
    assert await hashing.run(lambda: 7) == 7
    hashing.close()


async def test_a_limit_of_zero_is_none() -> None:
    hashing = Hashing(waiting=0)
    assert await asyncio.gather(*[hashing.run(lambda: 1) for _ in range(100)]) == [1] * 100
    hashing.close()


async def test_what_work_raises_is_raised_and_frees_its_place() -> None:
    hashing = Hashing(waiting=1)

    def fail() -> None:
        raise LookupError

    for _ in range(THREADS + 2):
        with pytest.raises(LookupError):
            await hashing.run(fail)
    hashing.close()


async def test_closing_gives_up_what_waits() -> None:
    hashing = Hashing(waiting=5)
    gate = threading.Event()
    begun = threading.Semaphore(0)

    def work() -> None:
        begun.release()
        gate.wait(10 * SCALE)

    running = [asyncio.create_task(hashing.run(work)) for _ in range(THREADS)]
    await eventually(lambda: begun._value == THREADS)
    waiting = asyncio.create_task(hashing.run(work))
    await asyncio.sleep(0)
    hashing.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    gate.set()
    await asyncio.gather(*running)
