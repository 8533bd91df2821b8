"""Room for pieces, and who gets what of it is free."""

import asyncio

import pytest

from web.files_room import Room


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
