"""What an actor's own tasks have written, and the preparation of hot commands: in memory, on a clock that jumps."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import pytest

from actors.runtime import Answer, Mail, handles_batch
from protocols.errors import Refusal
from protocols.mail import Command, Done, Push
from tests.support.memory_house import House, Mortal
from tests.support.tally import TallyUnit
from tests.support.virtual_time import run_virtually

T = TypeVar("T")


class Hot(Command[Done], frozen=True, kw_only=True, tag="hot"):
    seconds: float


class Warm(Mortal):
    """Prepares hot commands, each for as long as it says, and remembers what came together."""

    actors: Sequence["Warm"] = ()
    batches: Sequence[Sequence[tuple[float, int]]] = ()
    begun: Sequence[float] = ()

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        Warm.actors = (*Warm.actors, self)

    async def heat(self, mail: Mail[Hot]) -> float:
        Warm.begun = (*Warm.begun, mail.command.seconds)
        await asyncio.sleep(mail.command.seconds)
        if mail.command.seconds == 3:
            raise Refusal("conflict")
        return mail.command.seconds

    @handles_batch(Hot, prepare=heat)
    def hot(self, _tx: TallyUnit, mails: Sequence[Mail[Hot]]) -> Sequence[Answer[Done]]:
        Warm.batches = (*Warm.batches, [(mail.prepared, mail.expires) for mail in mails])
        return [Answer(Done())] * len(mails)


@pytest.fixture(autouse=True)
def clean() -> None:
    Warm.actors, Warm.batches, Warm.begun = (), (), ()


def within(seconds: float, wanted: Coroutine[Any, Any, T]) -> Coroutine[Any, Any, T]:
    return asyncio.wait_for(wanted, seconds)


def test_an_errand_wakes_an_idle_owner_and_lets_out_its_effects_after_the_commit() -> None:
    async def test() -> None:
        house = House(Warm)
        # It is idle: its next sign of life is a second away.
        await asyncio.sleep(0.5)

        def work(tx: TallyUnit, now: int) -> tuple[int, Sequence[Push]]:
            assert now == int(asyncio.get_running_loop().time() * 1000)
            return tx.add("ann", "own"), [Push(to=["ann"], frame=b"own")]

        assert await within(0.1, Warm.actors[0].errands.run(work)) == 1
        await house.ended()
        assert house.database.unit.words() == ["own"]
        assert [item.frame for batch in house.batches() for item in batch.items if isinstance(item, Push)] == [b"own"]

    run_virtually(test())


def test_one_that_fails_tells_who_asked_and_leaves_nothing() -> None:
    async def test() -> None:
        house = House(Warm)

        def fails(tx: TallyUnit, _now: int) -> tuple[None, Sequence[Push]]:
            tx.add("ann", "own")
            raise Refusal("unavailable")

        with pytest.raises(Refusal):
            await within(5, Warm.actors[0].errands.run(fails))
        house.send("ann", 1)
        await house.ended()
        assert house.database.unit.words() == ["ann1"]

    run_virtually(test())


def test_one_that_nobody_waits_for_any_more_is_not_begun() -> None:
    async def test() -> None:
        house = House(Warm)
        errands = Warm.actors[0].errands
        task = asyncio.create_task(errands.run(lambda tx, _: (tx.add("ann", "own"), ())))
        # One round of the loop: it is asked for, and the owner has not woken yet.
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert errands.take() == []
        await house.ended()
        assert house.database.unit.words() == []

    run_virtually(test())


def test_hot_commands_are_prepared_side_by_side_and_join_as_they_are_ready() -> None:
    async def test() -> None:
        house = House(Warm)
        expires = int(asyncio.get_running_loop().time() * 1000) + 60_000
        house.put([house.item(Hot(seconds=seconds), expires=expires) for seconds in (5, 3, 1, 1)])
        await house.ended()
        assert Warm.begun == (5, 3, 1, 1)
        assert Warm.batches == ([(1, expires), (1, expires)], [(5, expires)])
        codes = {one.correlation: one.error.code if one.error else "" for one in house.outcomes()}
        assert codes == {"1": "", "2": "conflict", "3": "", "4": ""}

    run_virtually(test())
