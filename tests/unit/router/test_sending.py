"""Sends: once each, in order, told again to whoever asks again, and only to contacts."""

from dataclasses import replace
from typing import Any

import pytest
from msgspec import json

from actors.runtime.dispatch import Result, Work, dispatch, set_aside
from protocols import frames
from protocols.errors import ErrorBody, Refusal
from protocols.mail import Push
from protocols.router import DeleteMessage, EditMessage, React, SendMessage
from protocols.values import conversation_of, rfc3339
from storage import Database
from storage.auth import AUTH
from storage.sides import STRANGERS
from tests.support.chat import BLOCKED, NOW, House, code, place, pushes, relate, stored
from tests.support.people import ANN, BOB, CAT, DAN

HELLO = SendMessage(to=BOB, body="Hello")


async def count(house: House) -> int:
    return int(
        await house.database.read(lambda tx: tx.connection.execute("SELECT count(*) FROM message").fetchone()[0])
    )


async def test_a_message_is_stored_and_pushed_to_both(house: House) -> None:
    result = await house.do(ANN, HELLO, "first")
    reply = stored(result)
    assert (reply.conversation, reply.seq, reply.version, reply.at) == (conversation_of(ANN, BOB), 1, 1, NOW)
    ((to, frame),) = pushes(result)
    assert set(to) == {ANN, BOB}
    assert frame == frames.Message(
        conversation=reply.conversation,
        seq=1,
        version=1,
        message_id=reply.message_id,
        client_id="first",
        sender=ANN,
        at=rfc3339(NOW),
        body="Hello",
    )
    (effect,) = result.effects
    assert isinstance(effect, Push)
    assert effect.correlation == "socket:first"
    record = await house.database.read(lambda tx: tx.messages.get(reply.conversation, 1))
    assert record is not None
    assert (record.body, record.sender, record.message_id) == ("Hello", ANN, reply.message_id)


async def test_places_have_no_holes_whoever_writes_to_whom(house: House) -> None:
    results = await house.make(
        (ANN, "a1", SendMessage(to=BOB, body="1")),
        (ANN, "a2", SendMessage(to=CAT, body="1")),
        (BOB, "b1", SendMessage(to=ANN, body="2")),
        (BOB, "b2", SendMessage(to=DAN, body="no")),
        (BOB, "b3", SendMessage(to=ANN, body="3")),
    )
    assert [stored(one).seq if one.value else code(one) for one in results] == [1, 1, 2, "not_a_contact", 3]
    assert (await house.say(ANN, BOB, "4")).seq == 4
    head = await house.database.read(lambda tx: tx.journal.change())
    assert head == 5, "every message has one change number, and a refusal none"


@pytest.mark.parametrize("together", [True, False])
async def test_a_duplicate_is_told_again_and_stored_once(house: House, *, together: bool) -> None:
    if together:
        first, second = await house.make((ANN, "same", HELLO), (ANN, "same", HELLO))
    else:
        first = await house.do(ANN, HELLO, "same")
        house.now += 60_000
        second = await house.do(ANN, HELLO, "same")
    assert stored(first) == stored(second)
    assert pushes(first) == pushes(second)
    assert await count(house) == 1
    assert (await house.say(ANN, BOB, "next")).seq == 2


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize(
    "other",
    [
        SendMessage(to=BOB, body="hello"),
        SendMessage(to=CAT, body="Hello"),
        SendMessage(to=BOB, body="Hello", reply_to="x"),
    ],
)
async def test_another_content_under_a_used_id_is_refused(house: House, other: SendMessage, *, together: bool) -> None:
    if together:
        _, result = await house.make((ANN, "same", HELLO), (ANN, "same", other))
    else:
        await house.do(ANN, HELLO, "same")
        result = await house.do(ANN, other, "same")
    assert code(result) == "client_id_reused"
    assert await count(house) == 1


async def test_an_id_is_unique_for_its_sender_only(house: House) -> None:
    await house.say(ANN, BOB, "mine", "same")
    await house.say(BOB, ANN, "mine too", "same")
    assert await count(house) == 2


async def test_a_late_duplicate_shows_what_is_there_now(house: House) -> None:
    first = await house.do(ANN, HELLO, "first")
    reply = stored(first)
    await house.do(ANN, EditMessage(conversation=reply.conversation, message_id=reply.message_id, body="Hi"))
    again = await house.do(ANN, HELLO, "first")
    assert stored(again) == reply
    ((_, frame),) = pushes(again)
    assert isinstance(frame, frames.Message)
    assert (frame.body, frame.version, frame.edited_at) == ("Hi", 2, rfc3339(NOW))

    await house.do(ANN, DeleteMessage(conversation=reply.conversation, message_id=reply.message_id))
    late = await house.do(ANN, HELLO, "first")
    assert stored(late) == reply
    ((_, frame),) = pushes(late)
    assert isinstance(frame, frames.Message)
    assert (frame.body, frame.deleted, frame.version) == ("", True, 3)
    assert code(await house.do(ANN, SendMessage(to=BOB, body="else"), "first")) == "client_id_reused"


@pytest.mark.parametrize("to", [DAN, "nobody", "", "x" * 500])
async def test_strangers_and_nobody_are_refused_alike(house: House, to: str) -> None:
    result = await house.do(ANN, SendMessage(to=to, body="Hello"))
    stranger = await house.do(ANN, SendMessage(to=DAN, body="Hello"))
    assert result.error == stranger.error
    assert code(result) == "not_a_contact"
    assert await house.database.read(lambda tx: tx.conversations.of(ANN)) == []


@pytest.mark.parametrize(
    ("command", "field"),
    [
        (SendMessage(to=ANN, body="me"), "to"),
        (SendMessage(to=BOB, body=" \n"), "body"),
        (SendMessage(to=BOB, body="x" * 8_001), "body"),
        (SendMessage(to=BOB, body="x", reply_to=place(ANN, BOB, 1)), "reply_to"),
    ],
)
async def test_what_is_wrong_is_named(house: House, command: SendMessage, field: str) -> None:
    result = await house.do(ANN, command)
    assert code(result) == "invalid"
    assert result.error is not None
    assert list(result.error.fields or {}) == [field]
    assert await count(house) == 0


async def test_a_bad_id_is_refused_and_not_kept(house: House) -> None:
    assert code(await house.do(ANN, HELLO, "x" * 65)) == "invalid"
    outcomes = "SELECT count(*) FROM outcome"
    assert await house.database.read(lambda tx: tx.connection.execute(outcomes).fetchone()) == (0,)


async def test_a_refusal_stays_a_refusal(house: House) -> None:
    """The mail may be delivered again after the two came into contact: who was told no must not be surprised."""
    assert code(await house.do(ANN, SendMessage(to=DAN, body="Hello"), "early")) == "not_a_contact"
    await relate(house.databases, [(ANN, DAN)])
    assert code(await house.do(ANN, SendMessage(to=DAN, body="Hello"), "early")) == "not_a_contact"
    assert code(await house.do(ANN, SendMessage(to=DAN, body="Other"), "early")) == "client_id_reused"
    assert (await house.say(ANN, DAN, "Hello", "later")).seq == 1


async def test_an_id_of_something_else_is_no_id_of_a_message(house: House) -> None:
    reply = await house.say(ANN, BOB, "Hello")
    await house.do(ANN, EditMessage(conversation=reply.conversation, message_id=reply.message_id, body="Hi"), "edit")
    assert code(await house.do(ANN, HELLO, "edit")) == "client_id_reused"


@pytest.mark.parametrize("ending", [BLOCKED, BLOCKED.turned, STRANGERS])
async def test_consent_is_read_at_the_commit(house: House, ending: Any) -> None:
    await house.say(ANN, BOB, "before")
    await relate(house.databases, [(ANN, BOB)], ending)
    assert code(await house.do(ANN, HELLO)) == "not_a_contact"
    assert code(await house.do(BOB, SendMessage(to=ANN, body="and back"))) == "not_a_contact"
    await relate(house.databases, [(ANN, BOB)])
    assert (await house.say(ANN, BOB, "after")).seq == 2


async def test_accounts_out_of_use_get_nothing(house: House) -> None:
    await house.say(ANN, BOB, "before")
    auth = await Database.open(AUTH, house.databases)
    await auth.run(lambda tx: tx.accounts.set_disabled(BOB, disabled=True))
    assert code(await house.do(ANN, HELLO)) == "not_a_contact"
    await auth.run(lambda tx: tx.accounts.set_disabled(BOB, disabled=False))
    await house.say(ANN, BOB, "again")
    await auth.run(lambda tx: tx.accounts.delete(BOB))
    await auth.close()
    assert code(await house.do(ANN, HELLO)) == "not_a_contact"


@pytest.mark.parametrize("missing", ["contacts.db", "auth.db"])
async def test_without_the_others_databases_it_waits(house: House, missing: str) -> None:
    """A refusal that is not final, with nothing kept: the mail stays at the head of the mailbox."""
    file = house.databases / missing
    file.rename(file.with_suffix(".away"))
    with pytest.raises(Refusal) as refused:
        await house.do(ANN, HELLO, "first")
    assert refused.value.code == "unavailable"
    assert await count(house) == 0
    file.with_suffix(".away").rename(file)
    assert (await house.say(ANN, BOB, "Hello", "first")).seq == 1


async def test_an_answer_names_the_place_of_a_message_there(house: House) -> None:
    first = await house.say(ANN, BOB, "?")
    elsewhere = await house.say(ANN, CAT, "?")
    result = await house.do(BOB, SendMessage(to=ANN, body="!", reply_to=first.message_id))
    ((_, frame),) = pushes(result)
    assert isinstance(frame, frames.Message)
    assert frame.reply_to == first.message_id
    assert code(await house.do(BOB, SendMessage(to=ANN, body="!", reply_to=elsewhere.message_id))) == "invalid"
    assert code(await house.do(BOB, SendMessage(to=ANN, body="!", reply_to=place(ANN, BOB, 9)))) == "invalid"


async def test_a_failed_batch_leaves_nothing(house: House) -> None:
    """The first two are drafted when the third turns out to be a fault of the disk's."""
    works = [house.work(ANN, f"id-{number}", SendMessage(to=BOB, body="x")) for number in range(3)]

    def fail(tx: Any) -> None:
        sender = works[0].handler.function
        sender(house.actor, tx, [work.mail for work in works])
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="gone"):
        await house.database.run(fail)
    assert await count(house) == 0
    assert await house.database.read(lambda tx: tx.journal.change()) == 0
    assert [stored(one).seq for one in await house.make((ANN, "id-0", SendMessage(to=BOB, body="x")))] == [1]


async def test_frames_are_json_of_the_declared_type(house: House) -> None:
    result = await house.do(ANN, SendMessage(to=BOB, body='"\u2028\U0001f600\x00</script>'))
    reply = stored(result)
    (effect,) = (
        await house.do(BOB, React(conversation=reply.conversation, message_id=reply.message_id, emoji="\u2764"))
    ).effects
    assert isinstance(effect, Push)
    frame = json.decode(effect.frame, type=frames.ServerFrame)
    assert isinstance(frame, frames.MessageChanged)
    assert frame.body == '"\u2028\U0001f600\x00</script>'
    assert frame.reactions == [frames.Reaction("\u2764", [BOB])]


async def test_a_stored_message_is_not_given_up_when_only_a_copy_of_it_is_in_hand_at_each_death(house: House) -> None:
    told = await house.say(ANN, BOB, "hello", "m1")
    error = ErrorBody("internal", "Something went wrong here.")
    copy = house.work(ANN, "m1", SendMessage(to=BOB, body="hello"))
    answer = await house.database.run(lambda tx: set_aside(tx, copy, error))
    assert stored(answer) == told
    # Another message under its id is not that message.
    other = house.work(ANN, "m1", SendMessage(to=BOB, body="bye"))
    assert (await house.database.run(lambda tx: set_aside(tx, other, error))).error == error
    assert stored(await house.do(ANN, SendMessage(to=BOB, body="hello"), "m1")) == told


def behind(house: House, number: str, after: str) -> Work:
    """A message of Ann's that must not overtake another one."""
    work = house.work(ANN, number, SendMessage(to=BOB, body=number))
    work.mail = replace(work.mail, after=after)
    return work


async def do(house: House, *works: Work) -> list[Result]:
    return await house.database.run(lambda tx: dispatch(house.actor, tx, works))


async def test_a_message_does_not_overtake_one_that_was_lost_before_it(house: House) -> None:
    lost, second, third = behind(house, "m1", ""), behind(house, "m2", "m1"), behind(house, "m3", "m2")
    assert [code(one) for one in await do(house, second, third)] == ["out_of_order", "out_of_order"]
    assert code((await do(house, third))[0]) == "out_of_order"
    assert await count(house) == 0
    # A no for now is not remembered: sent again in order, all of them are stored.
    assert [stored(one).seq for one in await do(house, lost, second, third)] == [1, 2, 3]
    assert [stored(one).seq for one in await do(house, third, behind(house, "m4", "m3"))] == [3, 4]


async def test_a_copy_says_nothing_of_what_was_lost_before_it(house: House) -> None:
    assert stored((await do(house, behind(house, "m1", "")))[0]).seq == 1
    # The front would take the copy's outcome for a sign that the lost one was decided, and let a third pass it.
    assert code((await do(house, behind(house, "m1", "lost")))[0]) == "out_of_order"
    again = await do(house, behind(house, "lost", ""), behind(house, "m1", "lost"))
    assert [stored(one).seq for one in again] == [2, 1]


async def test_what_was_refused_for_good_or_deleted_holds_nothing_up(house: House) -> None:
    refused = house.work(ANN, "no", SendMessage(to=DAN, body="no"))
    results = await do(house, refused, behind(house, "m1", "no"))
    assert code(results[0]) == "not_a_contact"
    first = stored(results[1])
    assert stored((await do(house, behind(house, "m2", "no")))[0]).seq == 2
    await house.do(ANN, DeleteMessage(conversation=first.conversation, message_id=first.message_id))
    assert stored((await do(house, behind(house, "m3", "m1")))[0]).seq == 3
    # Somebody else's message of that name is another one.
    theirs = house.work(BOB, "b1", SendMessage(to=ANN, body="b1"))
    theirs.mail = replace(theirs.mail, after="m1")
    assert code((await do(house, theirs))[0]) == "out_of_order"
