"""Files that took a while: who is told that one is there, or that it will not come; once, and only of what was sent."""

from typing import Any

import pytest

from actors.notifier.files import LONG_MS
from protocols.notifier import Device, MutePerson, SetPreferences
from protocols.router import DeleteMessage, SendMessage
from protocols.values import conversation_of
from storage.files import FILES
from storage.sides import STRANGERS
from tests.support.chat import relate, stored
from tests.support.notices import Office
from tests.support.people import ANN, BOB

SEND = SendMessage(to=BOB, body="", file="u1")
HIDDEN = Device(session="s1", visible=False)
VISIBLE = Device(session="s2", visible=True)

Told = list[tuple[str, str, str, bool]]


async def told(office: Office, person: str) -> Told:
    """(kind, about whom, file, read) of the notices of files."""
    return [
        (one.kind, one.data.user, one.data.file, one.read)
        for one in await office.notices(person)
        if one.kind.startswith("file")
    ]


async def reasons(office: Office, person: str) -> list[tuple[str, str]]:
    return [(one.what, one.code) for one in await office.decisions(person) if one.source == "file_chunker"]


async def sent(office: Office, **fields: Any) -> None:
    """Ann's message with the file is there, and then the ledger says this."""
    await office.upload()
    stored(await office.house.do(ANN, SEND))
    await office.look()
    await office.upload(**fields)
    await office.look()


@pytest.mark.parametrize("devices", [[], [HIDDEN]])
async def test_who_could_see_no_page_is_told_that_a_file_is_there(office: Office, devices: list[Device]) -> None:
    office.seen.here[BOB] = devices
    await sent(office, state="ready", offset=100)
    assert await told(office, BOB) == [("file_ready", ANN, "u1", False)]
    (notice,) = [one for one in await office.notices(BOB) if one.kind == "file_ready"]
    assert (notice.data.conversation, notice.at) == (conversation_of(ANN, BOB), office.house.now)
    assert len(office.frames(BOB, "notice")) == 2, "one of the message, one of the file"
    assert await told(office, ANN) == []
    assert await reasons(office, BOB) == [("quiet", "desktop_off")]


async def test_it_is_told_once(office: Office) -> None:
    await sent(office, state="ready", offset=100)
    await office.upload(state="ready", offset=100, verified=True)
    office.begin()
    await office.look()
    office.seen.here[BOB] = [VISIBLE]
    await office.upload(state="ready", offset=100, verified=True, width=1)
    await office.look()
    assert await told(office, BOB) == [("file_ready", ANN, "u1", False)]
    assert len(await reasons(office, BOB)) == 1


async def test_who_sees_a_page_is_not_told(office: Office) -> None:
    office.seen.here[BOB] = [HIDDEN, VISIBLE]
    await sent(office, state="ready", offset=100)
    assert await told(office, BOB) == []
    assert await reasons(office, BOB) == [("not told", "page_visible")]


async def test_who_has_muted_the_sender_is_not_told(office: Office) -> None:
    await office.do(BOB, MutePerson(user=ANN, until=-1))
    await sent(office, state="ready", offset=100)
    assert await told(office, BOB) == []
    assert await reasons(office, BOB) == [("not told", "muted")]


async def test_wishes_hold_as_for_all_notices(office: Office) -> None:
    await office.do(BOB, SetPreferences(desktop=True, sound=False))
    await sent(office, state="ready", offset=100)
    (notice,) = [one for one in await office.notices(BOB) if one.kind == "file_ready"]
    assert (notice.data.desktop, notice.data.sound) == (True, False)
    assert await reasons(office, BOB) == [("told", "announced")]


@pytest.mark.parametrize(("took", "expected"), [(LONG_MS - 1, 0), (LONG_MS, 1)])
async def test_what_came_with_its_message_is_told_with_its_message(office: Office, took: int, expected: int) -> None:
    await sent(office, state="ready", offset=100, created=office.house.now - took)
    assert len(await told(office, BOB)) == expected


async def test_who_is_out_of_contact_by_then_is_not_told(office: Office) -> None:
    await office.upload()
    stored(await office.house.do(ANN, SEND))
    await relate(office.house.databases, [(ANN, BOB)], STRANGERS)
    await office.upload(state="ready", offset=100)
    await office.look()
    assert await told(office, BOB) == []


@pytest.mark.parametrize("state", ["failed", "expired"])
async def test_the_sender_is_told_that_a_file_will_not_come(office: Office, state: str) -> None:
    office.seen.here[ANN] = [VISIBLE]
    await sent(office, state=state, offset=50)
    assert await told(office, ANN) == [("file_failed", BOB, "u1", False)]
    assert await told(office, BOB) == []


@pytest.mark.parametrize("fields", [{"state": "cancelled"}, {"state": "expired", "sha256": "0" * 64}])
async def test_what_was_given_up_or_had_its_time_is_no_failure(office: Office, fields: dict[str, Any]) -> None:
    await sent(office, **fields)
    assert await told(office, ANN) == await told(office, BOB) == []


async def test_what_is_no_more_is_taken_back(office: Office) -> None:
    await sent(office, state="ready", offset=100)
    await office.upload(state="cancelled")
    await office.look()
    assert await told(office, BOB) == [("file_ready", ANN, "u1", True)]
    assert len(office.frames(BOB, "notices_read")) == 1


@pytest.mark.parametrize("state", ["ready", "failed"])
async def test_nobody_is_told_of_what_no_message_was_sent_with(office: Office, state: str) -> None:
    await office.upload(state=state, offset=100)
    await office.look()
    await office.upload("u2")
    sent_one = stored(await office.house.do(ANN, SendMessage(to=BOB, body="", file="u2")))
    await office.house.do(
        ANN, DeleteMessage(conversation=sent_one.conversation, message_id=sent_one.message_id), "delete"
    )
    await office.upload("u2", state=state, offset=100)
    await office.look()
    assert await told(office, ANN) == await told(office, BOB) == []


async def test_nothing_is_decided_before_it_is_known_who_looks(office: Office) -> None:
    office.seen.known = False
    await sent(office, state="ready", offset=100)
    assert await told(office, BOB) == []
    office.seen.known = True
    await office.look()
    assert await told(office, BOB) == [("file_ready", ANN, "u1", False)]


async def test_the_other_logs_are_followed_while_the_ledger_cannot_be_read(office: Office) -> None:
    ledger = office.house.databases / f"{FILES.name}.db"
    ledger.rename(ledger.with_suffix(".away"))
    await office.house.say(ANN, BOB, "text goes on")
    await office.look()
    assert [one.kind for one in await office.notices(BOB)] == ["messages"]
    ledger.with_suffix(".away").rename(ledger)
    await sent(office, state="ready", offset=100)
    assert await told(office, BOB) == [("file_ready", ANN, "u1", False)]
