"""The work loop, case by case, on a broker and a database in memory and a clock that jumps."""

import asyncio
from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any

import pytest
from msgspec import msgpack

from actors.runtime import Answer, Mail, every, handles, handles_batch
from actors.runtime.broker import Outgoing
from protocols.errors import Refusal
from protocols.mail import Command, Done, Envelope, Push, encoder
from tests.support.memory_house import QUEUE, House, Mortal
from tests.support.memory_mail import unavailable
from tests.support.tally import DEADLY, Slow, TallyUnit, Write, Written
from tests.support.virtual_time import run_virtually


class Many(Command[Done], frozen=True, kw_only=True, tag="many"):
    pass


class Careless(Mortal):
    """Answers too few of a batch, and does things by itself."""

    ticks = 0

    @handles_batch(Many)
    def many(self, _tx: TallyUnit, mails: Sequence[Mail[Many]]) -> Sequence[Answer[Done]]:
        return [Answer(Done())] * (len(mails) - 1)

    @every(10)
    def tick(self, tx: TallyUnit, _now: int) -> Iterable[Push]:
        Careless.ticks += 1
        if Careless.ticks == 2:
            raise ValueError("told to")
        tx.add("clock", f"tick{Careless.ticks}")
        return [Push(to=["ann"], frame=b"tick")]


def test_stops_while_something_cannot_be_used_make_nobody_a_suspect_for_ever() -> None:
    async def test() -> None:
        house = House()
        house.send("ann", 1)
        for _ in range(5):
            # A dependency is gone, not the database: that it is being tried is noted, and the work is not done.
            house.refusing = True
            await asyncio.sleep(5)
            await house.restart(orderly=True)
        house.refusing = False
        await house.ended()
        assert not house.letters()
        assert house.database.unit.words() == ["ann1"]

    run_virtually(test())


def test_losing_the_broker_while_something_cannot_be_used_makes_nobody_a_suspect_for_ever() -> None:
    async def test() -> None:
        house = House()
        house.refusing = True
        house.send("ann", 2)
        for _ in range(6):
            await asyncio.sleep(30)
            house.broker.cut()
            await asyncio.sleep(1)
            house.broker.connect()
        assert house.signs.state == "degraded"
        assert house.signs.silence <= 2 * house.signs.interval
        house.refusing = False
        await house.ended()
        assert not house.letters()
        assert house.database.unit.words() == ["ann1", "ann2"]

    run_virtually(test())


def test_what_was_begun_with_the_culprit_is_done_by_itself_and_in_order() -> None:
    async def test() -> None:
        house = House()
        house.put([house.item(Write(word=word)) for word in ("a", "b", DEADLY, "c", "d")])
        await house.ended()
        assert house.deaths == 3
        assert house.database.unit.words() == ["a", "b", "c", "d"]
        assert [letter.command_id for letter in house.letters()] == ["3"]

    run_virtually(test())


def test_a_long_harmless_redelivery_costs_two_commits_a_batch() -> None:
    async def test() -> None:
        house = House()
        await house.end(orderly=True)
        house.send("ann", 40)
        house.broker.cut()
        house.broker.connect()
        house.broker.cut()
        before = house.database.commits
        house.start()
        await house.ended()
        # 20 batches of two commands.
        assert house.database.commits - before <= 41
        assert len(house.database.unit.words()) == 40

    run_virtually(test())


def test_envelopes_without_anything_to_do_are_acknowledged() -> None:
    async def test() -> None:
        house = House()
        now = int(asyncio.get_running_loop().time() * 1000)
        house.put([])
        house.put([house.item(Slow(seconds=0), expires=now - 1)] * 2)
        house.put([])
        await house.ended()
        assert not house.broker.unacknowledged
        assert house.outcomes() == []

    run_virtually(test())


def test_what_nobody_waits_for_any_more_when_its_turn_comes_is_not_done() -> None:
    async def test() -> None:
        house = House()
        house.refusing = True
        now = int(asyncio.get_running_loop().time() * 1000)
        house.put([house.item(Write(word="a")), house.item(Write(word="b"))])
        house.put([house.item(Write(word="late"), expires=now + 2_000)])
        house.told.pop("3")
        await asyncio.sleep(10)
        house.refusing = False
        await house.ended()
        assert house.database.unit.words() == ["a", "b"]

    run_virtually(test())


def test_what_nobody_waits_for_any_more_while_its_transaction_cannot_be_is_not_done() -> None:
    async def test() -> None:
        house = House()
        house.refusing = True
        now = int(asyncio.get_running_loop().time() * 1000)
        house.put([house.item(Write(word="a")), house.item(Write(word="late"), expires=now + 2_000)])
        house.put([house.item(Write(word="later"), expires=now + 3_000)])
        house.told.pop("2")
        house.told.pop("3")
        await asyncio.sleep(10)
        house.refusing = False
        await house.ended()
        assert house.database.unit.words() == ["a"]
        assert [(one.correlation, one.error and one.error.code) for one in house.outcomes()] == [
            ("1", None),
            ("2", "unavailable"),
        ]
        assert not house.letters()

    run_virtually(test())


def test_what_nobody_waits_for_any_more_when_its_try_is_noted_at_last_is_not_done() -> None:
    async def test() -> None:
        house = House()
        await house.end(orderly=True)
        now = int(asyncio.get_running_loop().time() * 1000)
        house.put([house.item(Write(word="a")), house.item(Write(word="late"), expires=now + 2_000)])
        house.told.pop("2")
        house.broker.cut()
        house.broker.connect()
        house.broker.cut()
        house.database.troubles.extend(unavailable(12))
        house.start()
        await asyncio.sleep(60)
        await house.ended()
        assert house.database.unit.words() == ["a"]

    run_virtually(test())


def test_what_nobody_waits_for_any_more_after_its_neighbour_was_set_aside_is_not_done() -> None:
    async def test() -> None:
        house = House(Careless)
        now = int(asyncio.get_running_loop().time() * 1000)
        house.put([house.item(Many()), house.item(Write(word="late"), expires=now + 2_000)])
        house.told.pop("2")
        house.database.troubles.extend(unavailable(12))
        await asyncio.sleep(60)
        await house.ended()
        assert [letter.command_id for letter in house.letters()] == ["1"]
        assert "late" not in house.database.unit.words()

    run_virtually(test())


@pytest.mark.parametrize("understood", [True, False])
def test_trouble_with_the_broker_is_over_when_what_it_did_not_take_does_not_come_again(understood: bool) -> None:
    async def test() -> None:
        house = House()
        body = encoder.encode(Envelope(sender="front.1:x", items=[house.item(Write(word="a"))]))
        house.broker.put(Outgoing("", QUEUE, body if understood else b"\xc1", durable=not understood))
        house.broker.fates.extend(repeat("busy", 3))
        await asyncio.sleep(0.01)
        assert house.signs.state == "degraded"
        house.broker.cut()
        house.broker.queue(QUEUE).clear()
        house.broker.connect()
        await asyncio.sleep(5)
        assert house.signs.state == "running"
        house.told.clear()
        await house.ended()

    run_virtually(test())


def test_a_handler_that_answers_too_few_is_a_fault_of_its_own_commands_only() -> None:
    async def test() -> None:
        house = House(Careless)
        house.put([house.item(Write(word="a")), house.item(Many()), house.item(Many()), house.item(Write(word="b"))])
        await house.ended()
        assert [word for word in house.database.unit.words() if word in "ab"] == ["a", "b"]
        assert house.reasons() == ["poison", "poison"]
        assert "gave 0 answers to 1 commands" in house.letters()[0].reason

    run_virtually(test())


def test_a_broker_that_takes_nothing_is_waited_for_with_signs_of_life() -> None:
    async def test() -> None:
        house = House()
        house.broker.blocked = asyncio.Event()
        house.send("ann", 1)
        await asyncio.sleep(600)
        house.broker.blocked.set()
        await house.ended()
        assert house.signs.silence <= 2 * house.signs.interval
        assert house.database.unit.words() == ["ann1"]

    run_virtually(test())


def test_one_batch_is_committed_while_the_broker_takes_the_last_and_effects_leave_in_order() -> None:
    async def test() -> None:
        house = House()
        house.broker.blocked = asyncio.Event()
        for _ in range(3):
            house.send("ann", 1)
            await asyncio.sleep(1)
        assert house.database.unit.words() == ["ann1", "ann2"]
        assert len([mail for mail in house.broker.attempts if mail.exchange]) == 1
        assert len(house.broker.unacknowledged) == 3
        house.broker.blocked.set()
        await house.ended()
        assert [outcome.correlation for outcome in house.outcomes()] == ["1", "2", "3"]
        assert [batch.number for batch in house.batches()] == [1, 2, 3]

    run_virtually(test())


def test_a_stop_does_not_wait_for_a_broker_that_refuses_and_acknowledges_nothing() -> None:
    async def test() -> None:
        house = House()
        house.broker.fates.extend(repeat("busy", 1_000))
        house.send("ann", 1)
        await asyncio.sleep(1)
        assert house.signs.state == "degraded"
        began = asyncio.get_running_loop().time()
        await house.end(orderly=True)
        assert asyncio.get_running_loop().time() - began < 10
        # It was done, and nobody knows: so it must come again.
        assert house.database.unit.words() == ["ann1"]
        assert len(house.broker.unacknowledged) == 1
        house.start()
        await house.ended()
        assert [outcome.correlation for outcome in house.outcomes()] == ["1"]

    run_virtually(test())


def test_trouble_with_the_broker_is_over_when_it_takes_what_nobody_asked_for() -> None:
    async def test() -> None:
        Careless.ticks = 0
        house = House(Careless)
        house.broker.fates.extend(repeat("busy", 3))
        await asyncio.sleep(10.01)
        assert house.signs.state == "degraded"
        await asyncio.sleep(5)
        assert [batch.number for batch in house.batches()] == [1]
        assert house.signs.state == "running"
        house.broker.fates.extend(repeat("busy", 3))
        house.broker.put(Outgoing("", QUEUE, b"\xc1", durable=True))
        await asyncio.sleep(0.01)
        assert house.signs.state == "degraded"
        await asyncio.sleep(5)
        assert house.reasons() == ["undecodable"]
        assert house.signs.state == "running"
        await house.ended()

    run_virtually(test())


def test_preparations_hold_up_nobody_and_their_mail_is_acknowledged_in_turn() -> None:
    async def test() -> None:
        house = House()
        house.put([house.item(Slow(seconds=50))])
        house.put([house.item(Slow(seconds=1))])
        house.send("ann", 1)
        await asyncio.sleep(5)
        assert [outcome.correlation for outcome in house.outcomes()] == ["3", "2"]
        assert len(house.broker.unacknowledged) == 3
        await asyncio.sleep(60)
        assert [outcome.correlation for outcome in house.outcomes()] == ["3", "2", "1"]
        await house.ended()

    run_virtually(test())


def test_a_preparation_that_outlives_its_connection_is_not_used() -> None:
    async def test() -> None:
        house = House()
        house.put([house.item(Slow(seconds=20)), house.item(Write(word="a"))])
        await asyncio.sleep(10)
        house.broker.cut()
        house.broker.connect()
        await asyncio.sleep(15)
        assert [outcome.correlation for outcome in house.outcomes()] == ["2", "2"]
        await asyncio.sleep(10)
        assert [outcome.correlation for outcome in house.outcomes()] == ["2", "2", "1"]
        await house.ended()

    run_virtually(test())


def test_who_asked_gets_the_outcome_and_the_fronts_do_not() -> None:
    async def test() -> None:
        house = House()
        house.put([house.item(Write(word="a"))], reply_to="replies-7")
        await house.ended()
        assert house.outcomes() == []
        (letter,) = house.broker.queue("replies-7")
        (outcome,) = house.replies("replies-7")
        assert msgpack.decode(outcome.value or b"", type=Written) == Written(place=1)
        assert not letter.mail.must_arrive

    run_virtually(test())


def test_a_refusal_of_a_preparation_is_the_answer() -> None:
    class Choosy(Mortal):
        async def choose(self, _: Mail[Any]) -> None:
            raise Refusal("rate_limited", retry_after=3)

        @handles(Slow, prepare=choose)
        def slow(self, _tx: TallyUnit, _mail: Mail[Slow]) -> Done:
            raise AssertionError("was not prepared")

    async def test() -> None:
        house = House(Choosy)
        house.put([house.item(Slow(seconds=0))])
        await house.ended()
        (outcome,) = house.outcomes()
        assert outcome.error is not None
        assert (outcome.error.code, outcome.error.retry_after) == ("rate_limited", 3)

    run_virtually(test())


def test_timers_come_again_after_a_failure_and_what_they_cannot_say_leaves_a_gap() -> None:
    async def test() -> None:
        Careless.ticks = 0
        house = House(Careless)
        await asyncio.sleep(11)
        assert [batch.number for batch in house.batches()] == [1]
        await asyncio.sleep(10)
        house.broker.cut()
        await asyncio.sleep(10)
        house.broker.connect()
        await asyncio.sleep(10)
        assert house.database.unit.words() == ["tick1", "tick3", "tick4"]
        assert [batch.number for batch in house.batches()] == [1, 3]
        await house.ended()

    run_virtually(test())


def test_old_outcomes_are_forgotten_as_fast_as_they_come() -> None:
    async def test() -> None:
        house = House()
        connection = house.database.unit.connection
        connection.executemany(
            "INSERT INTO outcome (person, command, fingerprint, value, at) VALUES ('ann', ?, zeroblob(16), x'c0', ?)",
            ((str(number), -1_000_000_000) for number in range(5_000)),
        )
        await asyncio.sleep(620)
        assert connection.execute("SELECT count(*) FROM outcome").fetchone() == (0,)
        await house.ended()

    run_virtually(test())
