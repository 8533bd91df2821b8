"""Messages with files: which may be sent, what is kept of them, and that messages without them say what they did."""

from dataclasses import replace
from typing import Any

import pytest
from msgspec import msgpack

from actors.runtime.dispatch import dispatch, fingerprint
from protocols import frames
from protocols.frames import FileInfo
from protocols.mail import Command
from protocols.router import DeleteMessage, EditMessage, SendMessage, Stored
from storage.files import FILES
from tests.support.chat import NOW, House, code, place, pushes, stored
from tests.support.people import ANN, BOB, CAT
from tests.support.uploads import keep, upload

WITH_FILE = SendMessage(to=BOB, body="", file="u1")
INFO = FileInfo(id="u1", name="a.txt", type="text/plain", size=100)


async def frame_of(house: House, person: str, command: Command[Stored], number: str = "") -> Any:
    ((to, frame),) = pushes(await house.do(person, command, number))
    assert set(to) == {ANN, BOB}
    return frame


async def refused(house: House, command: SendMessage, person: str = ANN) -> tuple[str, list[str]]:
    result = await house.do(person, command)
    error = result.error
    assert error is not None
    return error.code, list(error.fields or {})


async def referred(house: House) -> set[str]:
    return await house.database.read(lambda tx: tx.messages.files_referred(["u1", "u2"]))


class Before(Command[Stored], frozen=True, kw_only=True, tag="send"):
    """A send as it was before there were files."""

    to: str
    body: str
    reply_to: str = ""


@pytest.mark.parametrize("more", [{}, {"reply_to": "m"}])
def test_a_send_without_a_file_has_the_fingerprint_that_it_always_had(more: dict[str, str]) -> None:
    """Ids that were used before an upgrade are repeated after it."""
    before, now = Before(to=BOB, body="x", **more), SendMessage(to=BOB, body="x", **more)
    assert fingerprint(msgpack.encode(now)) == fingerprint(msgpack.encode(before))
    assert fingerprint(msgpack.encode(WITH_FILE)) != fingerprint(msgpack.encode(SendMessage(to=BOB, body="")))


@pytest.mark.parametrize("state", ["open", "verifying", "ready"])
async def test_a_file_shows_to_both_whatever_part_of_it_has_arrived(house: House, state: str) -> None:
    await keep(house.databases, upload(state=state, offset=50, width=3, height=4, preview="image/png", active=True))
    await house.say(BOB, ANN, "Send it to me")
    frame = await frame_of(house, ANN, SendMessage(to=BOB, body="Here", file="u1", reply_to=place(ANN, BOB, 1)))
    assert isinstance(frame, frames.Message)
    assert frame.file == FileInfo(
        id="u1", name="a.txt", type="text/plain", size=100, width=3, height=4, preview=True
    ), "nothing that changes is kept, or told from what is kept"
    assert (frame.body, frame.reply_to, frame.seq) == ("Here", place(ANN, BOB, 1), 2)
    record = await house.database.read(lambda tx: tx.messages.get(frame.conversation, 2))
    assert record is not None
    assert record.file == frame.file


async def test_a_copy_tells_the_same_again_whatever_became_of_the_file(house: House) -> None:
    await keep(house.databases, upload())
    first = await frame_of(house, ANN, WITH_FILE, "first")
    await keep(house.databases, upload(state="cancelled"))
    assert await frame_of(house, ANN, WITH_FILE, "first") == first
    assert code(await house.do(ANN, SendMessage(to=BOB, body="", file="u2"), "first")) == "client_id_reused"
    assert code(await house.do(ANN, SendMessage(to=BOB, body="x"), "first")) == "client_id_reused"


@pytest.mark.parametrize(
    "fields",
    [
        {"owner": BOB, "recipient": ANN},
        {"owner": CAT},
        {"recipient": CAT},
        {"state": "failed"},
        {"state": "cancelled"},
        {"state": "expired"},
        {"expires": NOW},
        {"id": "another"},
    ],
    ids=str,
)
async def test_what_is_no_file_of_mine_for_this_person_is_refused_alike(house: House, fields: dict[str, Any]) -> None:
    await keep(house.databases, upload(**fields))
    assert await refused(house, WITH_FILE) == ("not_found", ["file"])
    assert await house.database.read(lambda tx: tx.conversations.of(ANN)) == []


async def test_a_stranger_hears_that_before_anything_of_files(house: House) -> None:
    await keep(house.databases, upload(owner=BOB, recipient=CAT))
    assert await refused(house, SendMessage(to=CAT, body="", file="u1"), BOB) == ("not_a_contact", [])


@pytest.mark.parametrize("together", [True, False])
async def test_a_file_is_sent_once(house: House, *, together: bool) -> None:
    await keep(house.databases, upload(), upload("u2"))
    commands = [(ANN, "1", WITH_FILE), (ANN, "2", WITH_FILE), (ANN, "3", SendMessage(to=BOB, body="", file="u2"))]
    if together:
        results = await house.make(*commands)
    else:
        results = [await house.do(ANN, command, number) for _, number, command in commands]
    assert [one.error.code if one.error else "" for one in results] == ["", "conflict", ""]
    assert stored(results[2]).seq == 2
    assert await referred(house) == {"u1", "u2"}


@pytest.mark.parametrize("body", ["", " \n", "x" * 8_001])
async def test_only_a_file_comes_without_words(house: House, body: str) -> None:
    await keep(house.databases, upload())
    assert await refused(house, SendMessage(to=BOB, body=body)) == ("invalid", ["body"])
    result = await house.do(ANN, SendMessage(to=BOB, body=body, file="u1"))
    assert list((result.error and result.error.fields) or {}) == (["body"] if body else [])


async def test_a_ledger_that_cannot_be_read_refuses_the_file_and_nothing_else(house: House) -> None:
    """Neither the batch nor what the same person says next waits for files."""
    commands = [
        (ANN, "1", SendMessage(to=BOB, body="before")),
        (ANN, "2", WITH_FILE),
        (ANN, "3", SendMessage(to=BOB, body="after")),
    ]
    first, file, last = await house.make(*commands)
    assert (stored(first).seq, code(file), stored(last).seq) == (1, "files_unavailable", 2)
    # Decided: it must not turn up out of its turn when an old copy of the mail does.
    await keep(house.databases, upload())
    assert code(await house.do(ANN, WITH_FILE, "2")) == "files_unavailable"
    assert stored(await house.do(ANN, WITH_FILE, "4")).seq == 3


async def test_what_follows_a_refused_file_is_in_its_turn(house: House) -> None:
    text = house.work(ANN, "text", SendMessage(to=BOB, body="after"))
    text.mail = replace(text.mail, after="file")
    works = [house.work(ANN, "file", WITH_FILE), text]
    file, after = await house.database.run(lambda tx: dispatch(house.actor, tx, works))
    assert (code(file), stored(after).seq) == ("files_unavailable", 1)


async def test_a_database_of_files_is_read_again_once_it_is_there(house: House) -> None:
    assert await refused(house, WITH_FILE) == ("files_unavailable", [])
    await keep(house.databases, upload())
    assert stored(await house.do(ANN, WITH_FILE)).seq == 1
    (house.databases / f"{FILES.name}.db").rename(house.databases / "elsewhere")
    assert await refused(house, SendMessage(to=BOB, body="", file="u2")) == ("files_unavailable", [])


async def test_a_caption_may_be_changed_and_taken_away(house: House) -> None:
    await keep(house.databases, upload())
    sent = await house.say(ANN, BOB, "words")
    await house.do(ANN, SendMessage(to=BOB, body="caption", file="u1"))
    where = {"conversation": sent.conversation, "message_id": place(ANN, BOB, 2)}
    for body in ("other", ""):
        frame = await frame_of(house, ANN, EditMessage(**where, body=body))
        assert isinstance(frame, frames.MessageChanged)
        assert (frame.body, frame.file) == (body, INFO)
    assert code(await house.do(ANN, EditMessage(**where, body=" "))) == "invalid"
    text = EditMessage(conversation=sent.conversation, message_id=sent.message_id, body="")
    assert code(await house.do(ANN, text)) == "invalid"


async def test_a_deleted_message_has_lost_its_file(house: House) -> None:
    await keep(house.databases, upload())
    sent = stored(await house.do(ANN, SendMessage(to=BOB, body="caption", file="u1"), "first"))
    frame = await frame_of(
        house, ANN, DeleteMessage(conversation=sent.conversation, message_id=sent.message_id), "delete"
    )
    assert (frame.deleted, frame.body, frame.file) == (True, "", None)
    assert await referred(house) == set()
    late = await frame_of(house, ANN, SendMessage(to=BOB, body="caption", file="u1"), "first")
    assert (late.deleted, late.file) == (True, None)
