"""Edit, delete and react: by whom they may be done, and what both see of it."""

import pytest

from protocols import frames
from protocols.mail import Command
from protocols.router import DeleteMessage, EditMessage, React, Stored
from protocols.values import conversation_of, rfc3339
from storage.sides import STRANGERS
from tests.support.chat import House, code, place, pushes, relate, stored
from tests.support.people import ANN, BOB, CAT, DAN

CONVERSATION = conversation_of(ANN, BOB)
FIRST = place(ANN, BOB, 1)
HEART = "\u2764"


def edit(body: str = "Hi", message_id: str = FIRST, conversation: str = CONVERSATION) -> EditMessage:
    return EditMessage(conversation=conversation, message_id=message_id, body=body)


def delete(message_id: str = FIRST, conversation: str = CONVERSATION) -> DeleteMessage:
    return DeleteMessage(conversation=conversation, message_id=message_id)


def react(emoji: str = HEART, *, on: bool = True, message_id: str = FIRST, conversation: str = CONVERSATION) -> React:
    return React(conversation=conversation, message_id=message_id, emoji=emoji, on=on)


async def frame_of(house: House, person: str, command: Command[Stored], number: str = "") -> frames.MessageChanged:
    ((to, frame),) = pushes(await house.do(person, command, number))
    assert set(to) == {ANN, BOB}
    assert isinstance(frame, frames.MessageChanged)
    return frame


async def test_an_edit_shows_to_both(house: House) -> None:
    first = await house.say(ANN, BOB, "Hello", "first")
    house.now += 5_000
    frame = await frame_of(house, ANN, edit())
    assert frame == frames.MessageChanged(
        conversation=CONVERSATION,
        seq=1,
        version=2,
        message_id=FIRST,
        client_id="first",
        sender=ANN,
        at=rfc3339(first.at),
        body="Hi",
        edited_at=rfc3339(house.now),
    )


async def test_a_deleted_message_leaves_a_stub(house: House) -> None:
    await house.say(BOB, ANN, "Hello")
    secret = await house.say(ANN, BOB, "the secret words", reply_to=FIRST)
    await house.do(BOB, react(message_id=secret.message_id))
    frame = await frame_of(house, ANN, delete(secret.message_id))
    assert (frame.deleted, frame.seq, frame.version) == (True, 2, 4)
    assert (frame.body, frame.reply_to, frame.reactions, frame.edited_at) == ("", None, [], None)
    assert (await house.say(ANN, BOB, "next")).seq == 3
    await house.database.checkpoint()
    assert b"the secret words" not in (house.databases / "router.db").read_bytes()


async def test_reactions_are_of_both(house: House) -> None:
    await house.say(ANN, BOB, "Hello")
    assert (await frame_of(house, BOB, react())).reactions == [frames.Reaction(HEART, [BOB])]
    assert (await frame_of(house, ANN, react())).reactions == [frames.Reaction(HEART, [BOB, ANN])]
    assert (await frame_of(house, BOB, react(on=False))).reactions == [frames.Reaction(HEART, [ANN])]
    last = await frame_of(house, ANN, react(on=False))
    assert (last.reactions, last.version) == ([], 5)


async def test_what_changes_nothing_moves_nothing(house: House) -> None:
    await house.say(ANN, BOB, "Hello")
    await house.do(ANN, react())
    head = await house.database.read(lambda tx: tx.journal.change())
    for command in (edit("Hello"), react(), react("\u2600", on=False)):
        assert stored(await house.do(ANN, command)).version == 2
    await house.do(ANN, delete())
    assert stored(await house.do(ANN, delete())).version == 3
    assert await house.database.read(lambda tx: tx.journal.change()) == head + 1


@pytest.mark.parametrize("command", [edit(), delete(), react()])
async def test_a_duplicate_tells_what_is_there_now(house: House, command: Command[Stored]) -> None:
    await house.say(ANN, BOB, "Hello")
    first = await house.do(ANN, command, "same")
    await house.do(ANN, delete())
    again = await house.do(ANN, command, "same")
    assert stored(again) == stored(first)
    ((_, frame),) = pushes(again)
    assert isinstance(frame, frames.MessageChanged)
    assert (frame.deleted, frame.body, frame.reactions) == (True, "", [])


async def test_an_edit_undone_is_not_redone_by_a_duplicate(house: House) -> None:
    await house.say(ANN, BOB, "Hello")
    await house.do(ANN, edit("one"), "first")
    await house.do(ANN, edit("two"), "second")
    assert (await frame_of(house, ANN, edit("one"), "first")).body == "two"
    assert code(await house.do(ANN, edit("three"), "first")) == "client_id_reused"


@pytest.mark.parametrize("command", [edit(), delete(), react()])
@pytest.mark.parametrize("person", [CAT, DAN, "nobody", ""])
async def test_strangers_see_nothing_there(house: House, person: str, command: Command[Stored]) -> None:
    nothing = await house.do(person, command)
    await house.say(ANN, BOB, "Hello")
    result = await house.do(person, command)
    assert code(result) == "not_found"
    assert result.error == nothing.error, "what is not theirs looks like what does not exist"


@pytest.mark.parametrize("message_id", [place(ANN, BOB, 2), place(ANN, CAT, 1), "1", "", f"{FIRST} ", "x" * 300])
async def test_only_messages_of_the_conversation(house: House, message_id: str) -> None:
    await house.say(ANN, BOB, "Hello")
    await house.say(ANN, CAT, "Hello")
    for command in (edit(message_id=message_id), delete(message_id), react(message_id=message_id)):
        assert code(await house.do(ANN, command)) == "not_found"


async def test_only_ones_own_words(house: House) -> None:
    await house.say(ANN, BOB, "Hello")
    assert code(await house.do(BOB, edit())) == "forbidden"
    assert code(await house.do(BOB, delete())) == "forbidden"


async def test_a_deleted_message_stays_as_it_is(house: House) -> None:
    await house.say(ANN, BOB, "Hello")
    await house.do(ANN, delete())
    assert code(await house.do(ANN, edit())) == "conflict"
    assert code(await house.do(BOB, react())) == "conflict"


async def test_without_consent_one_may_only_take_back(house: House) -> None:
    await house.say(ANN, BOB, "Hello")
    await relate(house.databases, [(ANN, BOB)], STRANGERS)
    assert code(await house.do(ANN, edit())) == "not_a_contact"
    assert code(await house.do(BOB, react())) == "not_a_contact"
    assert stored(await house.do(ANN, delete())).version == 2


@pytest.mark.parametrize("body", ["", " \n", "x" * 8_001])
async def test_bad_words(house: House, body: str) -> None:
    await house.say(ANN, BOB, "Hello")
    assert code(await house.do(ANN, edit(body))) == "invalid"
    assert code(await house.do(ANN, react("not an emoji"))) == "invalid"
