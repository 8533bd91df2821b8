"""What people tell notifier: preferences, mutes, what they have seen, and the self-test."""

import pytest

from actors.notifier.actor import DAY_MS, NOTICES_DAYS, READ_MOST
from protocols.notifier import MUTE_FOREVER, Mute, MutePerson, Preferences, ReadNotices, SetPreferences, TestNotice
from storage.notifier import NotifierUnit
from tests.support.chat import code
from tests.support.notices import Office
from tests.support.people import ANN, BOB, CAT, DAN


async def test_what_is_not_named_stays_as_it_is_and_other_devices_are_told(office: Office) -> None:
    await office.do(BOB, SetPreferences(desktop=True, sound=False))
    await office.do(BOB, SetPreferences(quiet_from="22:00", quiet_to="07:00", zone="Europe/Berlin"))
    wanted = Preferences(desktop=True, sound=False, quiet_from="22:00", quiet_to="07:00", zone="Europe/Berlin")
    assert await office.database.read(lambda tx: tx.wishes.preferences(BOB)) == wanted
    frame = office.frames(BOB, "preferences")[-1]
    assert (frame["desktop"], frame["sound"], frame["zone"]) == (True, False, "Europe/Berlin")
    assert office.frames(ANN, "preferences") == []
    assert await office.database.read(lambda tx: tx.wishes.preferences(ANN)) == Preferences()


async def test_nonsense_is_refused_whole_and_named(office: Office) -> None:
    result = await office.do(BOB, SetPreferences(desktop=True, zone="Mars/Olympus", quiet_from="25:00"))
    assert code(result) == "invalid"
    assert result.error is not None
    assert set(result.error.fields or ()) == {"zone", "quiet_from"}
    assert await office.database.read(lambda tx: tx.wishes.preferences(BOB)) == Preferences()


async def test_a_repeated_command_is_told_as_it_is_now(office: Office) -> None:
    await office.do(BOB, SetPreferences(desktop=True), "one")
    await office.do(BOB, SetPreferences(desktop=False), "two")
    await office.do(BOB, SetPreferences(desktop=True), "one")
    assert office.frames(BOB, "preferences")[-1]["desktop"] is False
    assert not (await office.database.read(lambda tx: tx.wishes.preferences(BOB))).desktop


async def test_contacts_hear_of_a_wish_about_last_seen_only_from_who_lets_them_see_presence(office: Office) -> None:
    unknown = {"type": "presence", "user": BOB, "state": "unknown"}
    await office.do(BOB, SetPreferences(presence=False))
    assert office.frames(ANN, "presence") == [unknown]
    await office.do(BOB, SetPreferences(last_seen=False))
    assert office.frames(ANN, "presence") == [unknown]
    await office.do(BOB, SetPreferences(presence=True))
    await office.do(BOB, SetPreferences(last_seen=True))
    offline = {"type": "presence", "user": BOB, "state": "offline"}
    assert office.frames(ANN, "presence") == [unknown, offline, offline]


async def test_people_one_has_met_can_be_muted_for_a_while_or_for_ever(office: Office) -> None:
    now = office.house.now
    for until in (now + 1_000, MUTE_FOREVER):
        assert (await office.do(BOB, MutePerson(user=ANN, until=until))).error is None
        assert await office.database.read(lambda tx: tx.wishes.mutes(BOB, now)) == [Mute(user=ANN, until=until)]
    assert office.frames(BOB, "mute")[-1] == {"type": "mute", "user": ANN, "forever": True}
    for until in (0, now - 1):
        await office.do(BOB, MutePerson(user=ANN, until=MUTE_FOREVER))
        await office.do(BOB, MutePerson(user=ANN, until=until))
        assert await office.database.read(lambda tx: tx.wishes.mutes(BOB, now)) == []


@pytest.mark.parametrize(
    ("user", "until", "refused"),
    [
        (DAN, -1, "not_found"),
        ("nobody", -1, "not_found"),
        (BOB, -1, "not_found"),
        (ANN, -2, "invalid"),
        (ANN, 2**62, "invalid"),
    ],
)
async def test_mutes_that_make_no_sense_are_refused(office: Office, user: str, until: int, refused: str) -> None:
    assert code(await office.do(BOB, MutePerson(user=user, until=until))) == refused


async def test_mutes_that_have_ended_are_forgotten(office: Office) -> None:
    await office.do(ANN, MutePerson(user=BOB, until=office.house.now + 1))
    await office.do(ANN, MutePerson(user=CAT, until=MUTE_FOREVER))
    await office.database.run(lambda tx: office.actor.sweep(tx, office.house.now + 1))
    rows = await office.database.read(lambda tx: tx.connection.execute("SELECT other FROM mute").fetchall())
    assert rows == [(CAT,)]


async def test_notices_are_read_up_to_a_change_or_by_id_and_those_of_others_are_not(office: Office) -> None:
    for person in (BOB, BOB, BOB, CAT):
        await office.do(person, TestNotice())
    first, second, third = await office.notices(BOB)
    (cats,) = await office.notices(CAT)
    await office.do(BOB, ReadNotices(up_to=first.change))
    await office.do(BOB, ReadNotices(ids=[third.id, cats.id, "nobody's"]))
    assert {one.id: one.read for one in await office.notices(BOB)} == {first.id: True, second.id: False, third.id: True}
    assert [one.read for one in await office.notices(CAT)] == [False]
    assert office.frames(BOB, "notices_read") == [
        {"type": "notices_read", "up_to": first.change},
        {"type": "notices_read", "ids": [third.id]},
    ]
    # A device that was away learns it from the log: what was read has moved on there.
    page, end, more = await office.database.read(lambda tx: tx.notices.since(BOB, cats.change, 10))
    assert ([one.id for one in page], more) == ([first.id, third.id], False)
    assert end >= page[-1].change
    assert await office.database.read(lambda tx: tx.notices.unread(BOB)) == 1


async def test_reading_too_many_at_once_is_refused(office: Office) -> None:
    ids = [str(number) for number in range(READ_MOST + 1)]
    assert code(await office.do(BOB, ReadNotices(ids=ids))) == "invalid"
    assert (await office.do(BOB, ReadNotices(up_to=-5, ids=ids[1:]))).error is None


async def test_the_self_test_is_one_notice_a_command_announced_as_wished(office: Office) -> None:
    await office.do(BOB, SetPreferences(desktop=True))
    await office.do(BOB, TestNotice(), "once")
    await office.do(BOB, TestNotice(), "once")
    (notice,) = await office.notices(BOB)
    assert (notice.kind, notice.data.desktop) == ("test", True)
    assert [(one.what, one.code) for one in await office.decisions(BOB)] == [("told", "announced")]
    assert len(office.frames(BOB, "notice")) == 2
    assert code(await office.do("nobody", TestNotice())) == "not_found"


async def test_old_notices_and_decisions_are_forgotten_some_at_a_time(office: Office) -> None:
    await office.do(BOB, TestNotice())
    office.house.now += (NOTICES_DAYS + 1) * DAY_MS
    await office.do(BOB, TestNotice())

    def sweep(tx: NotifierUnit) -> None:
        office.actor.sweep(tx, office.house.now)

    await office.database.run(sweep)
    assert len(await office.notices(BOB)) == len(await office.decisions(BOB)) == 1
