"""New messages: one notice a conversation, from the log, whatever is repeated, read, deleted or far behind."""

from typing import NoReturn

import pytest

from actors.notifier import following, messages
from protocols.notifier import Device, MutePerson, Notice, NoticeData, SetPreferences
from protocols.router import DeleteMessage
from protocols.values import conversation_of
from storage.messages import Draft
from storage.notifier import NotifierUnit
from storage.notifier_decisions import SPAN_MS
from storage.notifier_notices import NOTICES_MOST, Notices
from storage.router import RouterUnit
from tests.support.chat import place
from tests.support.notices import Office
from tests.support.people import ANN, BOB, CAT

HERE = Device(session="s", visible=True, viewing=conversation_of(ANN, BOB))
ELSEWHERE = Device(session="s", visible=True)
HIDDEN = Device(session="s", visible=False)


def places(notice: Notice) -> tuple[int, int]:
    return notice.data.from_seq, notice.data.to_seq


async def test_messages_of_a_conversation_are_one_notice_that_grows_in_its_place(office: Office) -> None:
    await office.do(BOB, SetPreferences(desktop=True))
    await office.house.say(ANN, BOB, "one")
    await office.house.say(ANN, BOB, "two")
    await office.hint("router")
    (first,) = await office.notices(BOB)
    assert (first.kind, places(first), first.read, first.data.user) == ("messages", (1, 2), False, ANN)
    assert (first.data.away, first.data.desktop, first.data.sound, first.data.preview) == (True, True, True, True)
    await office.house.say(ANN, BOB, "three")
    await office.look()
    (grown,) = await office.notices(BOB)
    assert (grown.id, places(grown)) == (first.id, (1, 3))
    assert grown.change > first.change
    assert [frame["to_seq"] for frame in office.frames(BOB, "notice")] == [2, 3]
    assert await office.notices(ANN) == []


async def test_looking_again_tells_nothing_again(office: Office) -> None:
    await office.house.say(ANN, BOB, "one")
    for _ in range(3):
        await office.hint()
        await office.look()
        office.begin()
    assert len(office.frames(BOB, "notice")) == 1
    assert len(await office.decisions(BOB)) == 1


async def test_what_is_in_view_is_not_told_and_the_reason_names_the_device(office: Office) -> None:
    office.seen.here[BOB] = [HIDDEN, HERE]
    await office.house.say(ANN, BOB, "one")
    await office.look()
    assert await office.notices(BOB) == []
    (decision,) = await office.decisions(BOB)
    assert (decision.what, decision.code, decision.first, decision.last) == ("not told", "in_view", 1, 1)
    assert decision.reason == "Not shown: the conversation was in view on a device."


async def test_nothing_is_decided_before_it_is_known_who_looks(office: Office) -> None:
    office.seen.known = False
    await office.house.say(ANN, BOB, "one")
    await office.look()
    assert await office.decisions(BOB) == []
    office.seen.known = True
    office.seen.here[BOB] = [HERE]
    await office.look()
    assert [decision.code for decision in await office.decisions(BOB)] == ["in_view"]


@pytest.mark.parametrize(("device", "away"), [(ELSEWHERE, False), (HIDDEN, True)])
async def test_the_list_shows_what_came_while_nothing_was_visible(office: Office, device: Device, away: bool) -> None:
    office.seen.here[BOB] = [device]
    await office.house.say(ANN, BOB, "one")
    await office.look()
    listed, _ = await office.database.read(lambda tx: tx.notices.before(BOB, None, 10))
    assert [notice.data.away for notice in listed] == [True] * away
    assert await office.database.read(lambda tx: tx.notices.unread(BOB)) == away
    # Once away, it stays in the list, though more came while something was visible.
    office.seen.here[BOB] = [ELSEWHERE]
    await office.house.say(ANN, BOB, "two")
    await office.look()
    (notice,) = await office.notices(BOB)
    assert (notice.data.away, places(notice)) == (away, (1, 2))


async def test_what_was_read_is_not_told_and_what_is_told_begins_behind_it(office: Office) -> None:
    for body in ("one", "two", "three"):
        await office.house.say(ANN, BOB, body)
    await office.house.tell(BOB, ANN, delivered=3, read=2)
    await office.house.say(CAT, ANN, "hello")
    await office.house.tell(ANN, CAT, delivered=1, read=1)
    await office.look()
    (notice,) = await office.notices(BOB)
    assert places(notice) == (3, 3)
    assert [decision.code for decision in await office.decisions(ANN)] == ["read_before"]
    assert await office.notices(ANN) == []


async def test_reading_takes_the_notice_back_and_what_comes_later_is_a_new_one(office: Office) -> None:
    await office.house.say(ANN, BOB, "one")
    await office.look()
    await office.house.tell(BOB, ANN, delivered=1, read=1)
    await office.look()
    (first,) = await office.notices(BOB)
    assert first.read
    assert office.frames(BOB, "notices_read") == [{"type": "notices_read", "ids": [first.id]}]
    await office.house.say(ANN, BOB, "two")
    await office.look()
    _, second = await office.notices(BOB)
    assert (places(second), second.read) == ((2, 2), False)
    assert second.id != first.id


async def test_a_notice_that_was_read_elsewhere_is_not_stretched_over_what_was_read(office: Office) -> None:
    await office.house.say(ANN, BOB, "one")
    await office.hint("router")
    await office.house.tell(BOB, ANN, delivered=1, read=1)
    await office.house.say(ANN, BOB, "two")
    await office.hint("router")
    first, second = await office.notices(BOB)
    assert (first.read, places(second), second.read) == (True, (2, 2), False)


async def test_deleted_messages_are_not_told_and_their_notice_is_taken_back(office: Office) -> None:
    conversation = conversation_of(ANN, BOB)
    await office.house.say(ANN, BOB, "one")
    await office.house.do(ANN, DeleteMessage(conversation=conversation, message_id=place(ANN, BOB, 1)))
    await office.look()
    assert await office.notices(BOB) == []
    assert [decision.code for decision in await office.decisions(BOB)] == ["deleted_before"]
    await office.house.say(ANN, BOB, "two")
    await office.house.say(ANN, BOB, "three")
    await office.look()
    for seq, read in ((2, False), (3, True)):
        await office.house.do(ANN, DeleteMessage(conversation=conversation, message_id=place(ANN, BOB, seq)))
        await office.look()
        assert [notice.read for notice in await office.notices(BOB)] == [read]


async def test_taking_back_goes_round_over_more_than_one_look_can_do(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "CHECKED", 1)
    await office.house.say(ANN, BOB, "one")
    await office.house.say(ANN, CAT, "two")
    await office.hint("router")
    await office.house.tell(BOB, ANN, delivered=1, read=1)
    await office.house.tell(CAT, ANN, delivered=1, read=1)
    for _ in range(3):
        await office.look()
    assert [notice.read for person in (BOB, CAT) for notice in await office.notices(person)] == [True, True]


async def test_what_a_lost_transaction_took_back_is_taken_back_again(office: Office) -> None:
    await office.house.say(ANN, BOB, "one")
    await office.hint("router")
    await office.house.tell(BOB, ANN, delivered=1, read=1)

    def lost(tx: NotifierUnit) -> NoReturn:
        assert list(office.actor.look(tx, office.house.now))
        raise LookupError

    with pytest.raises(LookupError):
        await office.database.run(lost)
    await office.look()
    assert [notice.read for notice in await office.notices(BOB)] == [True]


async def test_a_rotation_that_fails_at_its_beginning_is_begun_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await office.house.say(ANN, BOB, "one")
    await office.hint("router")
    await office.house.tell(BOB, ANN, delivered=1, read=1)

    def fail(_: Notices, __: str, ___: int) -> NoReturn:
        raise LookupError

    with monkeypatch.context() as patch:
        patch.setattr(Notices, "open_messages", fail)
        with pytest.raises(LookupError):
            await office.look()
    await office.look()
    assert [notice.read for notice in await office.notices(BOB)] == [True]


async def test_a_muted_sender_makes_no_notice_until_the_mute_ends(office: Office) -> None:
    until = office.house.now + 3_600_000
    await office.do(BOB, MutePerson(user=ANN, until=until))
    await office.house.say(ANN, BOB, "one")
    await office.look()
    assert await office.notices(BOB) == []
    assert [decision.code for decision in await office.decisions(BOB)] == ["muted"]
    office.house.now = until
    await office.house.say(ANN, BOB, "two")
    await office.look()
    assert [places(notice) for notice in await office.notices(BOB)] == [(2, 2)]


async def test_quiet_hours_list_without_announcing(office: Office) -> None:
    # The house's clock stands at 22:13 UTC.
    await office.do(BOB, SetPreferences(desktop=True, quiet_from="22:00", quiet_to="07:00"))
    await office.house.say(ANN, BOB, "one")
    await office.look()
    (notice,) = await office.notices(BOB)
    assert (notice.data.desktop, notice.data.sound, notice.data.away) == (False, False, True)
    assert [(decision.what, decision.code) for decision in await office.decisions(BOB)] == [("quiet", "quiet_hours")]


async def test_a_day_behind_is_one_notice_a_conversation_in_bounded_steps(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "STEP", 7)
    for number in range(20):
        await office.house.say(ANN, BOB, str(number))
        await office.house.say(ANN, CAT, str(number))
    steps = 0
    while True:
        before = await office.database.read(lambda tx: tx.cursors.of("router"))
        await office.hint("router")
        if await office.database.read(lambda tx: tx.cursors.of("router")) == before:
            break
        steps += 1
    assert steps == 6
    for person in (BOB, CAT):
        (notice,) = await office.notices(person)
        assert places(notice) == (1, 20)
        (decision,) = await office.decisions(person)
        assert (decision.first, decision.last) == (1, 20)


async def test_a_day_of_twenty_thousand_messages_is_one_step(office: Office) -> None:
    def fill(tx: RouterUnit) -> None:
        for one, other in ((ANN, BOB), (CAT, ANN)):
            thread = tx.conversations.begin(one, other)
            drafts = [Draft(thread, n, n, one, f"c{n}", b"f", n, "x", None) for n in range(1, messages.STEP // 2 + 1)]
            end = tx.journal.next_change(len(drafts))
            for draft, change in zip(drafts, range(end - len(drafts) + 1, end + 1), strict=True):
                draft.change = change
            tx.messages.add(drafts)
            side = thread.side(one)
            thread.seq = thread.version = side.last = len(drafts)
            thread.change = end
            tx.conversations.save([thread])

    await office.house.database.run(fill)
    await office.hint("router")
    for person in (ANN, BOB):
        (notice,) = await office.notices(person)
        assert places(notice) == (1, messages.STEP // 2)
        assert len(office.frames(person, "notice")) == len(await office.decisions(person)) == 1
    place = await office.database.read(lambda tx: tx.cursors.of("router"))
    assert place is not None
    assert place.change == messages.STEP


async def test_hints_rest_while_much_is_going_on_and_the_timer_does_not(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "BUSY", 2)
    await office.house.say(ANN, BOB, "one")
    await office.house.say(ANN, CAT, "one")
    await office.hint("router")
    for seq, look in ((2, office.hint), (3, office.look)):
        await office.house.say(ANN, BOB, str(seq))
        await look()
    assert [frame["to_seq"] for frame in office.frames(BOB, "notice")] == [1, 3]
    office.monotonic += following.REST
    await office.house.say(ANN, BOB, "four")
    await office.hint("router")
    assert [frame["to_seq"] for frame in office.frames(BOB, "notice")] == [1, 3, 4]


async def test_a_busy_conversation_makes_one_decision_a_minute(office: Office) -> None:
    for _ in range(10):
        await office.house.say(ANN, BOB, "x")
        await office.look()
        office.house.now += SPAN_MS // 4
    spans = [(decision.first, decision.last) for decision in await office.decisions(BOB)]
    assert spans == [(9, 10), (5, 8), (1, 4)]
    ((person, about),) = await office.database.read(lambda tx: tx.decisions.about(conversation_of(ANN, BOB), 6))
    assert (person, about.first, about.last) == (BOB, 5, 8)


async def test_a_person_has_a_bounded_number_of_notices_and_loses_the_oldest(office: Office) -> None:
    def add(tx: NotifierUnit) -> None:
        for number in range(NOTICES_MOST + 3):
            data = NoticeData()
            one = Notice(id=f"n{number}", person=BOB, kind="test", change=0, at=number, read=False, data=data)
            assert tx.notices.add(one, "test", listed=True) is not None

    await office.database.run(add)
    kept = await office.notices(BOB)
    assert (len(kept), kept[0].id, kept[-1].id) == (NOTICES_MOST, "n3", f"n{NOTICES_MOST + 2}")
