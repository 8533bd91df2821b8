"""Room for pieces, and who gets what of it is free."""

import asyncio

import pytest

from protocols.errors import Refusal
from tests.support.virtual_time import run_virtually
from web.files_room import Room, Seats


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_gets_free_goes_to_who_has_the_fewest_and_then_in_turn() -> None:
    room, order = Room(3), list[str]()

    async def enter(person: str, name: str) -> None:
        await room.enter(person)
        order.append(name)

    for number in range(3):
        await enter("ann", f"ann{number}")
    waiting = [asyncio.create_task(enter(name[:3], name)) for name in ("ann3", "ann4", "bob0", "bob1")]
    await settled()
    assert (len(order), room.held) == (3, 3)
    for _ in range(4):
        room.leave("ann")
        await settled()
    # Bob had none; from then on they have as few, and take turns.
    assert order[3:] == ["bob0", "ann3", "bob1", "ann4"]
    assert room.held == 3
    await asyncio.gather(*waiting)


@pytest.mark.parametrize("given", [False, True])
async def test_who_gives_up_takes_no_room(given: bool) -> None:
    room = Room(1)
    await room.enter("ann")
    first, second = (asyncio.create_task(room.enter(person)) for person in ("bob", "cat"))
    await settled()
    if given:
        # Bob has it, and is cancelled before he hears of it.
        room.leave("ann")
    first.cancel()
    await settled()
    if not given:
        room.leave("ann")
    await settled()
    assert (first.cancelled(), second.done(), room.held) == (True, True, 1)
    room.leave("cat")
    assert room.held == 0


def test_one_person_has_so_many_downloads_and_others_have_theirs() -> None:
    async def test() -> None:
        seats, begun = Seats(2, 2), list[str]()
        clock = asyncio.get_running_loop().time

        async def download(name: str, seconds: float, within: float = 30.0) -> str:
            try:
                async with seats.of(name[:3], within):
                    begun.append(name)
                    await asyncio.sleep(seconds)
            except Refusal as refusal:
                return refusal.code
            return ""

        began = clock()
        tasks = [
            asyncio.create_task(download(*one)) for one in (("ann0", 10), ("ann1", 20), ("ann2", 5), ("ann3", 5, 3))
        ]
        tasks += [asyncio.create_task(download(*one)) for one in (("ann4", 1), ("bob0", 1))]
        await asyncio.sleep(1)
        assert begun == ["ann0", "ann1", "bob0"]
        assert (await tasks[4], clock() - began) == ("rate_limited", 1), "not even to wait is there room"
        assert (await tasks[3], clock() - began) == ("rate_limited", 3)
        tasks.append(asyncio.create_task(download("ann5", 1)))
        assert [await task for task in (tasks[0], tasks[1], tasks[2], tasks[5], tasks[6])] == [""] * 5
        assert (begun[3:], clock() - began) == (["ann2", "ann5"], 20)
        # Nothing is left of anybody, of whoever was cancelled neither.
        held = [asyncio.create_task(download("cat", 100)) for _ in range(4)]
        await asyncio.sleep(1)
        for task in held:
            task.cancel()
        await asyncio.gather(*held, return_exceptions=True)
        assert (len(seats._there), len(seats._rooms)) == (0, 0)

    run_virtually(test())
