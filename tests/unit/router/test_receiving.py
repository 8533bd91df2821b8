"""Receipts: they only grow, they are told to both once, and they cost nothing when they say nothing new."""

import pytest

from protocols import frames
from protocols.mail import Push
from protocols.records import ReceiptRecord
from protocols.router import MarkUnread, Receipt, Stored
from protocols.values import conversation_of
from tests.support.chat import House, code, pushes
from tests.support.people import ANN, BOB, CAT, DAN

CONVERSATION = conversation_of(ANN, BOB)


@pytest.fixture
async def talk(house: House) -> House:
    """Ann 1 and 2, Bob 3, Ann 4."""
    for person, peer in ((ANN, BOB), (ANN, BOB), (BOB, ANN), (ANN, BOB)):
        await house.say(person, peer, "x")
    return house


def receipt(delivered: int = 0, read: int = 0) -> Receipt:
    return Receipt(conversation=CONVERSATION, delivered=delivered, read=read)


def frame(user: str, delivered: int, read: int) -> frames.ReceiptFrame:
    return frames.ReceiptFrame(conversation=CONVERSATION, user=user, delivered=delivered, read=read)


async def test_a_receipt_is_told_to_both(talk: House) -> None:
    result = await talk.tell(BOB, ANN, delivered=2)
    ((to, told),) = pushes(result)
    assert set(to) == {ANN, BOB}
    assert told == frame(BOB, 2, 0)
    ((_, told),) = pushes(await talk.tell(BOB, ANN, read=4))
    assert told == frame(BOB, 4, 4), "what was read was delivered"
    assert [
        (one.user, one.delivered, one.read) for one in await talk.database.read(lambda tx: tx.receipts.of(CONVERSATION))
    ] == [
        (ANN, 0, 0),
        (BOB, 4, 4),
    ]


async def test_it_moves_the_log_and_not_the_conversation(talk: House) -> None:
    before = await talk.database.read(lambda tx: tx.journal.change())
    await talk.tell(BOB, ANN, read=4)
    conversation = await talk.database.read(lambda tx: tx.conversations.get(CONVERSATION))
    assert conversation is not None
    assert (conversation.seq, conversation.version) == (4, 4)
    assert await talk.database.read(lambda tx: tx.journal.change()) == before + 1


async def test_never_beyond_what_the_other_wrote(talk: House) -> None:
    ((_, told),) = pushes(await talk.tell(ANN, BOB, delivered=2**60, read=2**64 - 1))
    assert told == frame(ANN, 3, 3)
    await talk.say(BOB, ANN, "x")
    ((_, told),) = pushes(await talk.tell(ANN, BOB, delivered=5))
    assert told == frame(ANN, 5, 3)


async def test_never_back_and_silent_without_news(talk: House) -> None:
    await talk.tell(BOB, ANN, delivered=4, read=2)
    head = await talk.database.read(lambda tx: tx.journal.change())
    for delivered, read in ((4, 2), (1, 1), (0, 0), (-5, -5), (4, 0)):
        result = await talk.tell(BOB, ANN, delivered=delivered, read=read)
        assert (result.error, pushes(result)) == (None, [])
    assert await talk.database.read(lambda tx: tx.journal.change()) == head


async def test_many_at_once_are_one(talk: House) -> None:
    results = await talk.make(
        (BOB, "1", receipt(delivered=1)),
        (ANN, "2", receipt(delivered=3)),
        (BOB, "3", receipt(read=2)),
        (BOB, "4", receipt(delivered=1)),
        (CAT, "5", receipt(read=1)),
    )
    assert code(results[4]) == "not_found"
    assert [pushes(one) for one in results[:3]] == [[], [([ANN, BOB], frame(ANN, 3, 0))], []]
    assert pushes(results[3]) == [([ANN, BOB], frame(BOB, 2, 2))]
    # Bob's devices told different things: each of them must hear what came of it. Ann's one device knows.
    assert [one.correlation for result in results for one in result.effects if isinstance(one, Push)] == [
        "socket:2",
        "",
    ]
    assert await talk.database.read(lambda tx: tx.connection.execute("SELECT count(*) FROM outcome").fetchone()) == (0,)


async def test_nothing_there_and_not_yours_look_alike(house: House) -> None:
    nothing = await house.do(BOB, receipt(read=1))
    await house.say(ANN, BOB, "x")
    foreign = await house.do(CAT, receipt(read=1))
    assert code(nothing) == "not_found"
    assert nothing.error == foreign.error


async def test_unread_is_what_the_other_wrote_and_left(talk: House) -> None:
    assert (await unread(talk, ANN), await unread(talk, BOB)) == (1, 3)
    await talk.tell(BOB, ANN, read=1)
    assert await unread(talk, BOB) == 2
    await talk.tell(BOB, ANN, delivered=4)
    assert await unread(talk, BOB) == 2
    last: Stored = await talk.say(ANN, BOB, "x")
    assert await unread(talk, BOB) == 3
    await talk.tell(BOB, ANN, read=last.seq)
    assert await unread(talk, BOB) == 0


async def test_reading_in_private_is_told_to_oneself_and_shows_to_nobody_else(talk: House) -> None:
    await talk.tell(BOB, ANN, delivered=4)
    ((to, told),) = pushes(await talk.tell(BOB, ANN, read=2, private=True))
    assert (to, told) == ([BOB], frame(BOB, 4, 2))
    assert await seen_by(talk, ANN) == (4, 0)
    assert await seen_by(talk, BOB) == (4, 2)


async def test_what_reading_in_private_delivers_is_told(talk: House) -> None:
    own, others = pushes(await talk.tell(BOB, ANN, read=2, private=True))
    assert own == ([BOB], frame(BOB, 2, 2))
    assert others == ([ANN], frame(BOB, 2, 0))


async def test_a_place_read_in_private_does_not_show_when_it_is_told_again_in_the_open(talk: House) -> None:
    await talk.tell(BOB, ANN, read=2, private=True)
    assert pushes(await talk.tell(BOB, ANN, read=2)) == []
    assert await seen_by(talk, ANN) == (2, 0)
    ((to, told),) = pushes(await talk.tell(BOB, ANN, read=4))
    assert (set(to), told) == ({ANN, BOB}, frame(BOB, 4, 4))


async def test_private_and_open_ones_at_once_show_what_the_open_one_read(talk: House) -> None:
    places = ((1, False), (2, True), (2, False))
    *_, last = await talk.make(*[
        (BOB, str(at), Receipt(conversation=CONVERSATION, read=read, private=private))
        for at, (read, private) in enumerate(places)
    ])  # fmt: skip
    assert pushes(last) == [([BOB], frame(BOB, 2, 2)), ([ANN], frame(BOB, 2, 1))]


async def test_a_mark_is_told_to_ones_own_devices_until_one_reads_up_to_it_again(talk: House) -> None:
    await talk.tell(BOB, ANN, read=4)
    result = await talk.mark(BOB, ANN, 2)
    assert pushes(result) == [([BOB], marked(4, 4, 2))]
    assert await unread(talk, BOB) == 2
    assert pushes(await talk.tell(BOB, ANN, read=1)) == []
    assert pushes(await talk.tell(BOB, ANN, delivered=4)) == []
    assert await unread(talk, BOB) == 2
    assert pushes(await talk.tell(BOB, ANN, read=2)) == [([BOB], frame(BOB, 4, 4))]
    assert await unread(talk, BOB) == 0
    assert await seen_by(talk, ANN) == (4, 4)


async def test_a_mark_may_be_moved_and_taken_back(talk: House) -> None:
    await talk.tell(BOB, ANN, read=2)
    for seq, place, count in ((2, 2, 2), (1, 1, 3), (2**53, 0, 1), (2, 2, 2), (3, 0, 1)):
        ((to, told),) = pushes(await talk.mark(BOB, ANN, seq))
        assert (to, told) == ([BOB], marked(2, 2, place))
        assert await unread(talk, BOB) == count, seq


async def test_what_comes_after_a_mark_is_unread_too(talk: House) -> None:
    await talk.tell(BOB, ANN, read=4)
    await talk.mark(BOB, ANN, 2**53)
    assert await unread(talk, BOB) == 1
    await talk.say(ANN, BOB, "x")
    await talk.say(BOB, ANN, "x")
    assert await unread(talk, BOB) == 2


async def test_a_mark_that_comes_twice_is_set_once(talk: House) -> None:
    await talk.tell(BOB, ANN, read=4)
    command = MarkUnread(conversation=CONVERSATION, seq=2)
    await talk.do(BOB, command, "mark")
    await talk.tell(BOB, ANN, read=4)
    assert pushes(await talk.do(BOB, command, "mark")) == [([BOB], frame(BOB, 4, 4))]
    assert await unread(talk, BOB) == 0


async def test_marks_of_nothing_and_of_others_are_refused(talk: House, house: House) -> None:
    await talk.say(ANN, CAT, "x")
    assert code(await talk.mark(ANN, CAT, 1)) == "conflict", "Cat has written nothing"
    assert code(await talk.mark(BOB, ANN, 0)) == "invalid"
    nothing = await house.do(DAN, MarkUnread(conversation=conversation_of(DAN, CAT), seq=1))
    foreign = await house.do(CAT, MarkUnread(conversation=CONVERSATION, seq=1))
    assert code(nothing) == "not_found"
    assert nothing.error == foreign.error


def marked(delivered: int, read: int, unread_from: int) -> frames.ReceiptFrame:
    return frames.ReceiptFrame(
        conversation=CONVERSATION, user=BOB, delivered=delivered, read=read, unread_from=unread_from
    )


async def unread(house: House, person: str) -> int:
    (one,) = await house.database.read(lambda tx: tx.conversations.of(person))
    return one.unread


async def seen_by(house: House, person: str) -> tuple[int, int]:
    """How far Bob has come, by the list and by the sync of `person`."""
    (one,) = await house.database.read(lambda tx: tx.conversations.of(person))
    changes, _, _ = await house.database.read(lambda tx: tx.messages.changes(person, 0, 99))
    (synced,) = [(each.delivered, each.read) for each in changes if isinstance(each, ReceiptRecord) if each.user == BOB]
    listed = (one.my_delivered, one.my_read) if person == BOB else (one.peer_delivered, one.peer_read)
    assert synced == listed
    return synced
