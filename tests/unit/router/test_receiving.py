"""Receipts: they only grow, they are told to both once, and they cost nothing when they say nothing new."""

import pytest

from protocols import frames
from protocols.mail import Push
from protocols.router import Receipt, Stored
from protocols.values import conversation_of
from tests.support.chat import House, code, pushes
from tests.support.people import ANN, BOB, CAT

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
    async def unread(person: str) -> int:
        (one,) = await talk.database.read(lambda tx: tx.conversations.of(person))
        return one.unread

    assert (await unread(ANN), await unread(BOB)) == (1, 3)
    await talk.tell(BOB, ANN, read=1)
    assert await unread(BOB) == 2
    await talk.tell(BOB, ANN, delivered=4)
    assert await unread(BOB) == 2
    last: Stored = await talk.say(ANN, BOB, "x")
    assert await unread(BOB) == 3
    await talk.tell(BOB, ANN, read=last.seq)
    assert await unread(BOB) == 0
