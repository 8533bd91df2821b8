"""A batch inside one open transaction: once a command, an answer a command, and nothing left of a refused one."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from msgspec import msgpack

from actors.runtime import Actor, Answer, Environment, Mail, handles, handles_batch
from actors.runtime.dispatch import TRIES, Work, begin_attempts, dispatch, end_attempts, set_aside
from protocols.errors import ErrorBody, Refusal
from protocols.mail import Command, Done, Push
from settings import Paths, Settings
from tests.support.memory_mail import tally_unit
from tests.support.tally import RAISING, REFUSED, SCHEMA, Slow, Tally, TallyUnit, Write, Written

ENVIRONMENT = Environment(Settings(base="/nowhere"), Paths(data=Path("nowhere"), run=Path("nowhere")))
TALLY = Tally(ENVIRONMENT)


@pytest.fixture
def tx() -> Iterator[TallyUnit]:
    unit = tally_unit()
    yield unit
    unit.connection.close()


def work(
    command: Command[Any],
    id: str = "1",  # noqa: A002  (as in Mail)
    person: str = "ann",
    actor: Actor[Any] = TALLY,
    **more: Any,
) -> Work:
    handler = actor.handlers()[type(command)]
    return Work(handler, Mail(id, person, command, 1_000, **more), msgpack.encode(command))


def written(value: bytes | None) -> Written:
    return msgpack.decode(value or b"", type=Written)


def test_each_command_gets_its_answer_and_its_effects_in_order(tx: TallyUnit) -> None:
    results = dispatch(TALLY, tx, [work(Write(word=word), id=word, correlation=f"c{word}") for word in "abc"])
    assert [written(result.value).place for result in results] == [1, 2, 3]
    pushes = [effect for result in results for effect in result.effects]
    assert pushes == [
        Push(to=["ann"], frame=b"%d" % place, correlation=f"c{word}")
        for place, word in zip((1, 2, 3), "abc", strict=True)
    ]
    assert tx.words() == ["a", "b", "c"]


def test_a_duplicate_is_answered_from_what_was_stored_even_in_the_same_batch(tx: TallyUnit) -> None:
    first, again = dispatch(TALLY, tx, [work(Write(word="a")), work(Write(word="a"), correlation="later")])
    assert first.value == again.value
    # Told to whoever asked this time.
    assert [effect.correlation for effect in again.effects if isinstance(effect, Push)] == ["later"]
    assert tx.words() == ["a"]


def test_an_id_means_one_command_of_one_person(tx: TallyUnit) -> None:
    _, other, of_bob = dispatch(
        TALLY, tx, [work(Write(word="a")), work(Write(word="b")), work(Write(word="b"), person="bob")]
    )
    assert other.error is not None
    assert other.error.code == "client_id_reused"
    assert not other.effects
    assert of_bob.error is None
    assert tx.words() == ["a", "b"]


def test_a_refused_command_leaves_nothing_but_its_refusal(tx: TallyUnit) -> None:
    results = dispatch(TALLY, tx, [work(Write(word=word), id=word) for word in ("a", REFUSED, "b")])
    assert [result.error and result.error.code for result in results] == [None, "forbidden", None]
    assert tx.words() == ["a", "b"]
    (again,) = dispatch(TALLY, tx, [work(Write(word=REFUSED), id=REFUSED)])
    assert again.error == results[1].error


class Moody(Tally):
    """Refuses for now, or cannot go on, as `mood` says."""

    mood = "rate_limited"

    @handles(Write, tells=Tally.told)
    def write(self, tx: TallyUnit, mail: Mail[Write]) -> Written:
        if self.mood:
            tx.add(mail.person, "half done")
            raise Refusal(self.mood)
        return super().write(tx, mail)


def test_a_refusal_for_now_is_not_remembered(tx: TallyUnit) -> None:
    moody = Moody(ENVIRONMENT)
    (result,) = dispatch(moody, tx, [work(Write(word="a"), actor=moody)])
    assert result.error is not None
    assert result.error.code == "rate_limited"
    moody.mood = ""
    (result,) = dispatch(moody, tx, [work(Write(word="a"), actor=moody)])
    assert result.error is None
    assert tx.words() == ["a"]


def test_what_cannot_be_used_now_is_the_whole_batchs_matter(tx: TallyUnit) -> None:
    moody = Moody(ENVIRONMENT)
    moody.mood = "unavailable"
    with pytest.raises(Refusal) as caught:
        dispatch(moody, tx, [work(Write(word="a"), actor=moody)])
    assert caught.value.code == "unavailable"


def test_whatever_else_a_handler_raises_comes_out_as_it_is(tx: TallyUnit) -> None:
    with pytest.raises(ValueError, match="told to"):
        dispatch(TALLY, tx, [work(Write(word="a"), id="a"), work(Write(word=RAISING), id="b")])


def test_the_reply_of_a_secret_command_is_never_written_down(tx: TallyUnit) -> None:
    dispatch(TALLY, tx, [work(Slow(seconds=0), prepared=0)])
    assert tx.connection.execute("SELECT count(*) FROM outcome").fetchone() == (0,)


class Word(Command[Done], frozen=True, kw_only=True, tag="word"):
    word: str


class Batches(Actor[TallyUnit]):
    name = "batches"
    schema = SCHEMA
    answers: Sequence[Answer[Done]] = ()

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.runs: list[list[str]] = []

    @handles_batch(Word)
    def words(self, _tx: TallyUnit, mails: Sequence[Mail[Word]]) -> Sequence[Answer[Done]]:
        self.runs.append([mail.command.word for mail in mails])
        return self.answers or [Answer(Done())] * len(mails)

    @handles(Write)
    def write(self, tx: TallyUnit, mail: Mail[Write]) -> Written:
        self.runs.append([mail.command.word])
        return Written(place=tx.add(mail.person, mail.command.word))


def test_runs_of_a_hot_command_are_handled_together_and_order_between_kinds_holds(tx: TallyUnit) -> None:
    actor = Batches(ENVIRONMENT)
    commands: list[Command[Any]] = [Word(word="a"), Word(word="b"), Write(word="c"), Word(word="d"), Word(word="e")]
    results = dispatch(actor, tx, [work(one, id=str(at), actor=actor) for at, one in enumerate(commands)])
    assert actor.runs == [["a", "b"], ["c"], ["d", "e"]]
    assert len(results) == 5


def test_too_few_or_too_many_answers_are_a_fault_of_the_handler(tx: TallyUnit) -> None:
    actor = Batches(ENVIRONMENT)
    actor.answers = [Answer(Done())] * 2
    for count in (1, 3):
        with pytest.raises(TypeError, match=f"2 answers to {count} commands"):
            dispatch(actor, tx, [work(Word(word="a"), id=str(at), actor=actor) for at in range(count)])


def test_an_answer_that_says_unavailable_is_no_answer(tx: TallyUnit) -> None:
    actor = Batches(ENVIRONMENT)
    actor.answers = [Answer(refusal=Refusal("unavailable"))]
    with pytest.raises(Refusal):
        dispatch(actor, tx, [work(Word(word="a"), actor=actor)])


def test_an_actor_that_takes_the_same_command_twice_does_not_start() -> None:
    class Twice(Tally):
        @handles(Write)
        def write_too(self, _tx: TallyUnit, _mail: Mail[Write]) -> Written:
            return Written(place=0)

    with pytest.raises(TypeError, match="handles Write twice"):
        Twice.handlers()


# Tries.


def tries(tx: TallyUnit) -> dict[str, int]:
    return dict(tx.connection.execute("SELECT command, times FROM attempt"))


def works(*ids: str) -> list[Work]:
    return [work(Write(word=one), id=one) for one in ids]


def test_those_never_tried_are_tried_together(tx: TallyUnit) -> None:
    assert begin_attempts(tx, works("a", "b", "c"), {}) == [1, 1, 1]
    assert tries(tx) == {"a": 1, "b": 1, "c": 1}


def test_one_that_was_tried_before_is_tried_alone_and_nobody_else_is_counted(tx: TallyUnit) -> None:
    begin_attempts(tx, works("b", "c"), {})
    assert begin_attempts(tx, works("a", "b", "c"), {}) == [1]
    assert tries(tx) == {"a": 1, "b": 1, "c": 1}
    assert begin_attempts(tx, works("b", "c"), {}) == [2]
    assert tries(tx) == {"a": 1, "b": 2, "c": 1}


def test_a_try_that_this_process_outlived_is_not_counted_again(tx: TallyUnit) -> None:
    begin_attempts(tx, works("a"), {})
    begun = {("ann", "a"): 1}
    assert begin_attempts(tx, works("a", "b"), begun) == [1, 1]
    assert tries(tx) == {"a": 1, "b": 1}


def test_ended_tries_leave_nothing(tx: TallyUnit) -> None:
    begin_attempts(tx, works("a", "b"), {})
    end_attempts(tx, [("ann", "a"), ("ann", "never begun")])
    assert tries(tx) == {"b": 1}


@hypothesis_settings(max_examples=100, deadline=None)
@given(st.integers(1, 12), st.data())
def test_the_culprit_is_alone_at_its_third_try_and_nobody_else_comes_that_far(count: int, data: st.DataObject) -> None:
    unit = tally_unit()
    culprit = str(data.draw(st.integers(0, count - 1)))
    left = [str(at) for at in range(count)]
    deaths = 0
    while left:
        batch = works(*left[:4])
        times = begin_attempts(unit, batch, {})
        tried = [one.mail.id for one in batch[: len(times)]]
        if times[0] >= TRIES:
            assert tried == [culprit]
        elif culprit in tried:
            deaths += 1
            continue
        end_attempts(unit, [one.key for one in batch[: len(times)]])
        left = [one for one in left if one not in tried]
    assert deaths == TRIES - 1
    unit.connection.close()


def test_who_is_set_aside_gets_a_definite_error_for_ever(tx: TallyUnit) -> None:
    one = work(Write(word="a"))
    begin_attempts(tx, [one], {})
    error = ErrorBody("internal", "Something went wrong here.")
    assert set_aside(tx, one, error).error == error
    assert tries(tx) == {}
    (again,) = dispatch(TALLY, tx, [one])
    assert again.error == error
    assert tx.words() == []


def test_a_copy_that_is_set_aside_tells_what_the_command_came_to(tx: TallyUnit) -> None:
    (first,) = dispatch(TALLY, tx, [work(Write(word="a"))])
    assert set_aside(tx, work(Write(word="a")), ErrorBody("internal", "")).value == first.value
    # Of another command under its id nothing is told.
    assert set_aside(tx, work(Write(word="b")), ErrorBody("internal", "")).value is None
