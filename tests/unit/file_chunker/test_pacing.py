"""Pieces waiting for their turn, on a clock that jumps."""

import asyncio

import pytest

from actors.file_chunker.pacing import Pacing
from protocols.errors import Refusal
from tests.support.virtual_time import run_virtually

MIB = 1024 * 1024


def test_the_cap_is_kept_in_order_and_nothing_is_polled() -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        pacing = Pacing(4 * MIB, loop.time)
        began = loop.time()
        gone: list[int] = []

        async def one(number: int) -> None:
            await pacing.turn("ann", "a", MIB // 4, within=60)
            gone.append(number)

        await asyncio.gather(*map(one, range(42)))
        assert gone == list(range(42))
        # 10.5 MiB; a first bit of them at once.
        assert 2.3 < loop.time() - began < 2.7

    run_virtually(test())


def test_nobody_overtakes_those_whose_turn_has_come() -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        late = 0.0
        pacing = Pacing(4 * MIB, lambda: loop.time() + late)
        gone: list[int] = []

        async def one(number: int) -> None:
            await pacing.turn("ann", "a", MIB // 8, within=60)
            gone.append(number)

        await pacing.turn("ann", "a", MIB, within=60)
        first = asyncio.create_task(one(1))
        await asyncio.sleep(0.01)
        assert gone == []
        # The loop had no time for a while, so that there is room for all when the next ones come.
        late = 10.0
        await asyncio.gather(first, one(2), one(3))
        assert gone == [1, 2, 3]

    run_virtually(test())


def test_nobody_waits_beyond_the_deadline_and_the_next_one_has_the_place() -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        pacing = Pacing(1 * MIB, loop.time)
        began = loop.time()
        await pacing.turn("ann", "a", 4 * MIB, within=1)
        with pytest.raises(Refusal) as caught:
            await pacing.turn("ann", "a", MIB, within=1)
        assert (caught.value.code, loop.time() - began) == ("unavailable", 1)
        waiting = asyncio.create_task(pacing.turn("ann", "a", MIB, within=60))
        await asyncio.sleep(0.5)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await pacing.turn("ann", "a", MIB, within=60)
        assert 3.4 < loop.time() - began < 3.6

    run_virtually(test())


def test_without_a_cap_nobody_waits() -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        pacing = Pacing(0, loop.time)
        for _ in range(100):
            await pacing.turn("ann", "a", 64 * MIB, within=0.001)
        assert loop.time() == began

    run_virtually(test())
