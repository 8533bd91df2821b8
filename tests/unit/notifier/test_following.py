"""Following: each change once, from a cursor that survives everything, whichever of the others cannot be read."""

import logging
import sqlite3
from typing import NoReturn

import pytest

from actors.notifier import relations
from protocols.contacts import (
    AcceptRequest,
    BlockUser,
    CancelRequest,
    DeclineRequest,
    RemoveContact,
    RequestContact,
    UnblockUser,
)
from protocols.errors import Refusal
from protocols.notifier import MutePerson, Notice, SetPreferences
from storage.notifier import NotifierUnit
from storage.notifier_cursors import Place
from tests.support.notices import Office
from tests.support.people import ANN, BOB, CAT, DAN


def kinds(notices: list[Notice]) -> list[tuple[str, str, bool]]:
    return [(notice.kind, notice.data.user, notice.read) for notice in notices]


async def test_a_request_is_told_to_whom_it_was_made_and_its_acceptance_to_who_made_it(office: Office) -> None:
    asked = await office.contacts(DAN, RequestContact(to=BOB))
    await office.hint("contacts")
    (notice,) = await office.notices(BOB)
    assert (notice.kind, notice.data.user, notice.data.request) == ("request", DAN, asked.request)
    assert notice.at == office.house.now
    await office.contacts(BOB, AcceptRequest(request=asked.request))
    await office.hint("contacts")
    assert kinds(await office.notices(BOB)) == [("request", DAN, True)]
    assert kinds(await office.notices(DAN)) == [("accepted", BOB, False)]
    assert [(one.what, one.code) for one in await office.decisions(DAN)] == [("quiet", "desktop_off")]
    assert office.frames(BOB, "notices_read") == [{"type": "notices_read", "ids": [notice.id]}]


@pytest.mark.parametrize("how", ["cancel", "decline", "block"])
async def test_a_request_that_is_no_more_is_taken_back_and_whoever_asked_learns_nothing(
    office: Office, how: str
) -> None:
    asked = await office.contacts(DAN, RequestContact(to=BOB))
    await office.look()
    if how == "cancel":
        await office.contacts(DAN, CancelRequest(request=asked.request))
    elif how == "decline":
        await office.contacts(BOB, DeclineRequest(request=asked.request))
    else:
        await office.contacts(BOB, BlockUser(user=DAN))
    await office.look()
    assert kinds(await office.notices(BOB)) == [("request", DAN, True)]
    assert await office.notices(DAN) == []
    assert office.frames(DAN, "notices_read") == []


async def test_people_who_both_asked_are_in_contact_and_the_first_is_told(office: Office) -> None:
    await office.contacts(DAN, RequestContact(to=BOB))
    await office.contacts(BOB, RequestContact(to=DAN))
    await office.look()
    assert kinds(await office.notices(DAN)) == [("accepted", BOB, False)]
    assert await office.notices(BOB) == []


async def test_a_hidden_request_is_told_to_nobody(office: Office) -> None:
    await office.contacts(BOB, BlockUser(user=DAN))
    await office.contacts(DAN, RequestContact(to=BOB))
    await office.look()
    assert await office.notices(BOB) == await office.notices(DAN) == []


async def test_what_follows_an_acceptance_does_not_tell_it_again(office: Office) -> None:
    asked = await office.contacts(DAN, RequestContact(to=BOB))
    await office.contacts(BOB, AcceptRequest(request=asked.request))
    await office.look()
    for command in (BlockUser(user=DAN), UnblockUser(user=DAN)):
        await office.contacts(BOB, command)
        await office.look()
    assert kinds(await office.notices(DAN)) == [("accepted", BOB, False)]
    again = await office.contacts(DAN, RequestContact(to=BOB))
    await office.contacts(BOB, AcceptRequest(request=again.request))
    await office.look()
    assert len(await office.notices(DAN)) == 2
    await office.contacts(BOB, RemoveContact(user=DAN))
    await office.look()
    assert len(await office.notices(DAN)) == 2


async def test_both_halves_of_a_pair_stay_in_one_step(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relations, "STEP", 3)
    for person in (ANN, BOB, CAT):
        await office.contacts(DAN, RequestContact(to=person))
    for _ in range(4):
        await office.hint("contacts")
    for person in (ANN, BOB, CAT):
        assert kinds(await office.notices(person)) == [("request", DAN, False)]


async def test_a_sign_in_from_a_new_device_is_told_and_a_familiar_one_is_not(office: Office) -> None:
    await office.sign_in(BOB, "s1", familiar=True)
    await office.sign_in(BOB, "s2", familiar=False, agent="Firefox/140.0 (Linux)")
    await office.hint("auth")
    await office.look()
    (notice,) = await office.notices(BOB)
    assert (notice.kind, notice.data.session, notice.data.address) == ("sign_in", "s2", "198.51.100.7")
    assert notice.data.agent == "Firefox/140.0 (Linux)"


async def test_nothing_is_left_of_who_deleted_the_account(office: Office) -> None:
    await office.house.say(ANN, BOB, "one")
    await office.do(BOB, SetPreferences(desktop=True))
    await office.do(BOB, MutePerson(user=ANN, until=-1))
    await office.do(ANN, MutePerson(user=BOB, until=-1))
    await office.look()
    await office.house.say(ANN, BOB, "two")
    await office.accounts(lambda tx: tx.accounts.delete(BOB))
    await office.look()
    await office.look()
    left = await office.database.read(
        lambda tx: [
            tx.connection.execute(f"SELECT count(*) FROM {table} WHERE person = 'bob'").fetchone()[0]
            for table in ("notice", "preferences", "mute", "presence")
        ]
    )
    assert left == [0, 0, 0, 0]
    assert await office.database.read(lambda tx: tx.wishes.mutes(ANN, office.house.now)) == []


async def test_a_log_that_was_never_followed_is_followed_from_its_end(office: Office) -> None:
    await office.house.say(ANN, BOB, "one")
    await office.database.run(lambda tx: tx.connection.execute("DELETE FROM cursor"))
    await office.look()
    await office.house.say(ANN, BOB, "two")
    await office.look()
    assert [(one.data.from_seq, one.data.to_seq) for one in await office.notices(BOB)] == [(2, 2)]


@pytest.mark.parametrize("place", [Place("another", 0), Place("", 10**9)])
async def test_another_database_under_the_same_name_is_followed_from_its_end(
    office: Office, place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    await office.house.say(ANN, BOB, "one")
    epoch = await office.house.database.read(lambda tx: tx.journal.epoch())
    await office.database.run(lambda tx: tx.cursors.move("router", Place(place.epoch or epoch, place.change)))
    with caplog.at_level(logging.WARNING):
        await office.look()
    assert "another database" in caplog.text
    assert await office.notices(BOB) == []
    await office.house.say(ANN, BOB, "two")
    await office.look()
    assert [(one.data.from_seq, one.data.to_seq) for one in await office.notices(BOB)] == [(2, 2)]


async def test_one_that_cannot_be_read_holds_up_no_other_and_is_said_once(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    file = office.house.databases / "contacts.db"
    await office.house.say(ANN, BOB, "one")
    aside = file.rename(file.with_suffix(".aside"))
    await office.look()
    await office.look()
    assert len(await office.notices(BOB)) == 1
    assert len([line for line in caplog.messages if "contacts is not followed" in line]) == 1
    aside.rename(file)
    await office.contacts(DAN, RequestContact(to=CAT))
    await office.look()
    assert kinds(await office.notices(CAT)) == [("request", DAN, False)]


async def test_that_an_owner_was_never_there_yet_is_no_warning(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    (office.house.databases / "file_chunker.db").unlink()
    await office.database.run(lambda tx: tx.connection.execute("DELETE FROM cursor WHERE source = 'file_chunker'"))
    with caplog.at_level(logging.INFO):
        await office.look()
    levels = [line.levelno for line in caplog.records if "file_chunker is not followed" in line.getMessage()]
    assert levels == [logging.INFO]


async def test_a_step_that_fails_half_way_leaves_nothing_and_is_done_again(
    office: Office, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await office.house.say(ANN, BOB, "one")
    await office.house.say(ANN, CAT, "two")
    await office.sign_in(DAN, "s2", familiar=False)
    counted = []

    def move(_self: object, source: str, _place: Place) -> None:
        counted.append(source)
        if source == "router":
            raise ValueError("told to")

    with monkeypatch.context() as patch:
        patch.setattr("storage.notifier_cursors.Cursors.move", move)
        await office.look()
        await office.look()
    assert "router" in counted
    assert await office.notices(BOB) == []
    assert office.frames(BOB, "notice") == []
    assert len([line for line in caplog.messages if "following router failed" in line]) == 1
    await office.look()
    assert len(office.frames(BOB, "notice")) == len(office.frames(CAT, "notice")) == 1
    assert len(await office.notices(DAN)) == 1


async def test_idle_looks_write_nothing(office: Office) -> None:
    await office.house.say(ANN, BOB, "one")
    await office.look()
    await office.look()

    def changes(tx: NotifierUnit) -> int:
        return tx.connection.total_changes

    before = await office.database.read(changes)
    for _ in range(5):
        await office.look()
        await office.hint()
    assert await office.database.read(changes) == before


async def test_what_is_found_after_a_full_disk_took_the_transaction_is_not_kept_untold(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(tx: NotifierUnit, *_: object) -> NoReturn:
        tx.connection.execute("ROLLBACK")
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    await office.contacts(DAN, RequestContact(to=BOB))
    await office.sign_in(BOB, "s1", familiar=False)
    with monkeypatch.context() as patch:
        patch.setattr(relations, "follow", full)
        with pytest.raises(Refusal, match="full"):
            await office.look()
    assert await office.notices(BOB) == []
    await office.look()
    assert {frame["kind"] for frame in office.frames(BOB, "notice")} == {"request", "sign_in"}
