"""The runtime against a real RabbitMQ and a real SQLite: done once, in order, whatever ends."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from actors.runtime import Environment
from actors.runtime.broker import Outgoing
from actors.runtime.topology import mailbox
from protocols.errors import Refusal
from protocols.mail import Done, decode_dead_letter, decode_envelope
from tests.support.mailing import Owner, Recorder, running_owner, words
from tests.support.tally import DEADLY, LOCKED, RAISING, REFUSED, Slow, Write, Written
from tests.support.waiting import SCALE, eventually

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
async def owner(environment: Environment) -> AsyncIterator[Owner]:
    async with running_owner(environment) as one:
        yield one


def write(front: Recorder, word: str, id: str = "", person: str = "ann") -> str:  # noqa: A002
    """Tell the owner to write a word; returns the correlation."""
    correlation = f"{front.post.incarnation}/{word}{id}"
    front.post.tell("router", Write(word=word), id=id or word, person=person, correlation=correlation)
    return correlation


async def test_what_is_told_is_done_in_order_and_its_outcome_and_effects_are_pushed(
    environment: Environment, front: Recorder
) -> None:
    sent = [f"w{number}" for number in range(500)]
    correlations = [write(front, word) for word in sent]
    await eventually(lambda: len(front.outcomes) == 500, within=10)
    assert await words(environment) == sent
    assert [front.outcomes[one][0].value for one in correlations[:2]] == [b"\x81\xa5place\x01", b"\x81\xa5place\x02"]
    assert [push.frame for push in front.pushes[:2]] == [b"1", b"2"]
    assert [push.correlation for push in front.pushes] == correlations
    numbers = [batch.number for batch in front.batches]
    assert numbers == list(range(1, len(numbers) + 1))
    await eventually(lambda: front.beats and front.beats[-1].number == numbers[-1])


async def test_a_duplicate_is_told_the_same_again_and_another_content_is_refused(
    environment: Environment, front: Recorder
) -> None:
    first = write(front, "once", id="x")
    await eventually(lambda: first in front.outcomes)
    write(front, "once", id="x")
    await eventually(lambda: len(front.outcomes[first]) == 2)
    assert front.outcomes[first][0] == front.outcomes[first][1]
    assert [push.frame for push in front.pushes] == [b"1", b"1"]
    other = write(front, "twice", id="x")
    await eventually(lambda: other in front.outcomes)
    error = front.outcomes[other][0].error
    assert error is not None
    assert error.code == "client_id_reused"
    of_another_person = write(front, "twice", id="x", person="bob")
    await eventually(lambda: len(front.outcomes[of_another_person]) == 2)
    assert await words(environment) == ["once", "twice"]


async def test_a_refused_command_leaves_nothing_and_is_refused_again(environment: Environment, front: Recorder) -> None:
    _, refused, after = write(front, "a"), write(front, REFUSED), write(front, "b")
    await eventually(lambda: after in front.outcomes)
    write(front, REFUSED)
    await eventually(lambda: len(front.outcomes[refused]) == 2)
    assert await words(environment) == ["a", "b"]
    assert {outcome.error.code for outcome in front.outcomes[refused] if outcome.error} == {"forbidden"}


async def test_nothing_is_lost_or_done_twice_when_the_owner_is_killed(
    environment: Environment, front: Recorder, owner: Owner
) -> None:
    sent = [f"w{number}" for number in range(300)]
    done = 0
    for start in range(0, 300, 60):
        correlations = [write(front, word) for word in sent[start : start + 60]]
        # Killed while they are on their way, wherever that is.
        await eventually(lambda: len(front.outcomes) > done)  # noqa: B023
        await owner.kill()
        await owner.start()
        await eventually(lambda: all(one in front.outcomes for one in correlations), within=20)  # noqa: B023
        done = len(front.outcomes)
    assert await words(environment) == sent


async def test_a_command_that_ends_the_process_each_time_is_set_aside_and_its_neighbours_are_not(
    environment: Environment, front: Recorder, owner: Owner
) -> None:
    sent = [write(front, word) for word in ("a", "b", DEADLY, "c", "d")]
    for _ in range(3):
        await owner.ended()
        await owner.start()
    await eventually(lambda: all(one in front.outcomes for one in sent), within=20)
    assert await words(environment) == ["a", "b", "c", "d"]
    error = front.outcomes[sent[2]][0].error
    assert error is not None
    assert error.code == "internal"
    (raw, settle), *others = await front.broker.take_dead_letters("router", 10)
    assert not others
    letter = decode_dead_letter(raw)
    assert letter.command_id == DEADLY
    assert "3 times" in letter.reason
    assert decode_envelope(letter.raw).items[0].id == DEADLY
    await settle(True)
    # It does not die of it a fourth time.
    again = write(front, DEADLY)
    await eventually(lambda: len(front.outcomes[again]) == 2)
    assert front.outcomes[again][1] == front.outcomes[again][0]


async def test_a_command_that_raises_suffers_alone(environment: Environment, front: Recorder) -> None:
    sent = [write(front, word) for word in ("a", RAISING, "b")]
    await eventually(lambda: all(one in front.outcomes for one in sent), within=10)
    assert await words(environment) == ["a", "b"]
    letters = await front.broker.take_dead_letters("router", 10)
    assert [decode_dead_letter(raw).reason for raw, _ in letters] == ["poison: ValueError: told to"]


async def test_what_cannot_be_used_now_is_tried_again_in_place_and_order_holds(
    environment: Environment, front: Recorder
) -> None:
    environment.paths.databases.mkdir(exist_ok=True)
    mark = environment.paths.databases / "locked"
    mark.touch()
    first, second, third = write(front, "a"), write(front, LOCKED), write(front, "b")
    await eventually(lambda: front.beats and front.beats[-1].state == "degraded")
    assert front.beats[-1].note == "told to wait"
    assert second not in front.outcomes
    mark.unlink()
    await eventually(lambda: third in front.outcomes and first in front.outcomes, within=15)
    assert await words(environment) == ["a", LOCKED, "b"]
    await eventually(lambda: front.beats[-1].state == "running")


async def test_what_is_asked_is_answered_or_refused_within_its_time(front: Recorder, owner: Owner) -> None:
    assert await front.post.ask("router", Write(word="asked"), within=10 * SCALE, person="ann") == Written(place=1)
    with pytest.raises(Refusal) as caught:
        await front.post.ask("router", Write(word=REFUSED), within=5 * SCALE, person="ann")
    assert caught.value.code == "forbidden"
    await owner.stop()
    with pytest.raises(Refusal) as caught:
        await front.post.ask("router", Slow(seconds=0), within=0.3)
    assert caught.value.code == "unavailable"


async def test_slow_preparations_hold_up_nobody(front: Recorder) -> None:
    await front.post.ask("router", Slow(seconds=0), within=10 * SCALE)
    slow = asyncio.create_task(front.post.ask("router", Slow(seconds=1.0), within=10 * SCALE))
    quick = await front.post.ask("router", Slow(seconds=0), within=5 * SCALE)
    assert quick == Done()
    assert not slow.done()
    assert await slow == Done()


async def test_mail_that_is_not_understood_is_kept_as_it_came_and_the_next_is_handled(
    environment: Environment, front: Recorder
) -> None:
    await front.post.ask("router", Write(word="a"), within=10 * SCALE)
    queue = mailbox(environment.settings.broker, "router")
    await front.broker.publish(Outgoing("", queue, b"\xc1nonsense", durable=True, must_arrive=True))
    await front.post.ask("router", Write(word="b"), within=10 * SCALE)
    letters = [decode_dead_letter(raw) for raw, _ in await front.broker.take_dead_letters("router", 10)]
    assert [(letter.raw, letter.reason.partition(":")[0]) for letter in letters] == [(b"\xc1nonsense", "undecodable")]


async def test_a_stop_leaves_the_rest_in_the_mailbox_and_ends_well(
    environment: Environment, front: Recorder, owner: Owner
) -> None:
    await front.post.ask("router", Write(word="a"), within=10 * SCALE)
    assert await owner.stop() == 0
    waiting = [write(front, word) for word in ("b", "c")]
    assert await front.post.flush(5)
    assert await front.broker.depth("router") >= 1
    await owner.start()
    await eventually(lambda: all(one in front.outcomes for one in waiting), within=10)
    assert await words(environment) == ["a", "b", "c"]
