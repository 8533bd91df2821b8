"""The work loop under anything: cuts, crashes, stops, a broker that refuses, a database that cannot be used.

Whatever happens, in the end each command was done once and in its sender's order, nothing was acknowledged before its
outcome was out, and nobody was set aside who did no harm. What cannot be understood is kept, whatever else goes on.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Literal

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from actors.runtime.dispatch import TRIES
from tests.support.memory_house import House
from tests.support.memory_mail import FATES, Fate, unavailable
from tests.support.tally import DEADLY
from tests.support.virtual_time import run_virtually

PEOPLE = ("ann", "bob")

Op = (
    tuple[Literal["send"], str, int]
    | tuple[Literal["repeat"], int]
    | tuple[Literal["garbage", "cut", "connect", "stop", "crash"]]
    | tuple[Literal["fates"], list[Fate]]
    | tuple[Literal["unavailable", "hop"], int]
)
CALM: st.SearchStrategy[Op] = st.one_of(
    st.tuples(st.just("send"), st.sampled_from(PEOPLE), st.integers(1, 3)),
    st.tuples(st.just("repeat"), st.integers(0, 20)),
    st.tuples(st.just("fates"), st.lists(st.sampled_from(FATES), max_size=4)),
    st.tuples(st.just("unavailable"), st.integers(1, 3)),
    st.tuples(st.just("hop"), st.integers(1, 20)),
    st.tuples(st.sampled_from(("garbage", "cut", "connect", "stop"))),
)
WILD: st.SearchStrategy[Op] = st.one_of(CALM, st.tuples(st.just("crash")))


async def do(house: House, op: Op) -> None:
    match op:
        case ("send", person, count):
            house.send(person, count)
        case ("repeat", which):
            house.repeat(which)
        case ("garbage",):
            house.put_garbage()
        case ("fates", fates):
            house.broker.fates.extend(fates)
        case ("unavailable", times):
            house.database.troubles.extend(unavailable(times))
        case ("hop", times):
            for _ in range(times):
                await asyncio.sleep(0)
        case ("cut" | "connect" as which,):
            (house.broker.cut if which == "cut" else house.broker.connect)()
        case ("stop" | "crash" as how,):
            await house.restart(orderly=how == "stop")


async def lived(ops: Sequence[Op]) -> House:
    house = House()
    for op in ops:
        await do(house, op)
    return await house.ended()


def aside(house: House) -> set[str]:
    """Commands that were set aside."""
    return {letter.command_id for letter in house.letters() if letter.command_id}


def check(house: House) -> None:
    set_aside = aside(house)
    assert {letter.raw for letter in house.letters() if not letter.command_id} == house.garbage
    words = house.database.unit.words()
    done = {id_ for id_, told in house.told.items() if told.word in words}
    assert len(words) == len(done)
    assert done | set_aside == house.told.keys()
    for person in PEOPLE:
        mine = [word for word in words if word.startswith(person)]
        assert mine == sorted(mine, key=lambda word: int(word.removeprefix(person)))
    last = {outcome.correlation: outcome for outcome in house.outcomes()}
    assert last.keys() == house.told.keys()
    assert {id_ for id_, outcome in last.items() if not outcome.error} == done
    numbers: dict[str, list[int]] = {}
    for batch in house.batches():
        numbers.setdefault(batch.incarnation, []).append(batch.number)
    # A late copy may come behind a newer one; whoever reads them drops what it has had.
    assert all(set(run) <= set(range(1, max(run) + 1)) for run in numbers.values())


@hypothesis_settings(max_examples=150, deadline=None)
@given(st.lists(CALM, max_size=40))
def test_while_no_process_is_killed_everything_is_done_once_in_order_and_nobody_is_set_aside(ops: list[Op]) -> None:
    house = run_virtually(lived(ops))
    check(house)
    assert not aside(house)
    house.database.close()


@hypothesis_settings(max_examples=150, deadline=None)
@given(st.lists(WILD, max_size=40))
def test_whatever_is_killed_everything_is_done_once_in_order_or_set_aside_with_an_answer(ops: list[Op]) -> None:
    house = run_virtually(lived(ops))
    check(house)
    crashes = sum(op == ("crash",) for op in ops)
    assert not aside(house) or crashes > 2
    house.database.close()


@hypothesis_settings(max_examples=80, deadline=None)
@given(st.lists(CALM, max_size=20), st.integers(0, 8))
def test_a_commit_that_fails_without_a_reason_hits_one_command_at_most(ops: list[Op], when: int) -> None:
    async def failing() -> House:
        house = House()
        house.database.troubles = deque([*([None] * when), RuntimeError("told to")])
        for op in ops:
            if op[0] in {"send", "repeat", "hop"}:
                await do(house, op)
        return await house.ended()

    house = run_virtually(failing())
    check(house)
    assert len(house.letters()) <= 1
    house.database.close()


@hypothesis_settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 3), st.booleans()), min_size=1, max_size=8), st.integers(0, 20))
def test_the_deadly_are_found_at_their_third_try_and_nobody_else_suffers(
    envelopes: list[tuple[int, bool]], hops: int
) -> None:
    async def dying() -> House:
        house = House()
        for count, deadly in envelopes:
            house.send("ann", count, DEADLY if deadly else "")
            await do(house, ("hop", hops))
        return await house.ended()

    house = run_virtually(dying())
    deadly = {id_ for id_, told in house.told.items() if told.word.startswith(DEADLY)}
    assert aside(house) == deadly
    check(house)
    assert house.deaths <= TRIES * len(deadly)
    house.database.close()
