"""Conversations: who speaks with whom, and how far each conversation and each of its readers has come."""

import sqlite3
from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from protocols.records import Conversation, ConversationSummary
from protocols.values import conversation_of
from storage.message_rows import COLUMNS, record

KEPT = 4_096
"""Threads that stay in memory, some 1 kB each; at the bound all are forgotten and read again."""


class Side(Struct):
    """One of the two people: the place of their own latest message, and their receipt with its latest change.

    `seen`: as much of `read` as the other may know. `told`: the change by which the other last learnt something of the
    receipt. `marked`: from this place on it counts as unread for this person alone, never above `read`; 0 for none.
    """

    user: str
    last: int = 0
    delivered: int = 0
    read: int = 0
    change: int = 0
    seen: int = 0
    told: int = 0
    marked: int = 0


class Thread(Struct):
    """A conversation on the desk of its owner: handlers count on in it, and save it before they are done."""

    key: int
    id: str
    low: Side
    high: Side
    seq: int = 0
    version: int = 0
    change: int = 0

    def side(self, person: str) -> Side:
        """The side of one of the two."""
        return self.low if self.low.user == person else self.high

    def peer(self, person: str) -> Side:
        return self.high if self.low.user == person else self.low

    def includes(self, person: str) -> bool:
        return person in {self.low.user, self.high.user}


_THREAD = """
SELECT key, id, seq, version, change,
    low, low_last, low_delivered, low_read, low_change, low_seen, low_told, low_marked,
    high, high_last, high_delivered, high_read, high_change, high_seen, high_told, high_marked
FROM conversation WHERE id = ?
"""
_BEGIN = """
INSERT INTO conversation
    (id, low, high, seq, version, change,
    low_last, low_delivered, low_read, low_change, high_last, high_delivered, high_read, high_change)
VALUES (?, ?, ?, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) RETURNING key
"""
_SAVE = """
UPDATE conversation SET seq = ?, version = ?, change = ?,
    low_last = ?, low_delivered = ?, low_read = ?, low_change = ?, low_seen = ?, low_told = ?, low_marked = ?,
    high_last = ?, high_delivered = ?, high_read = ?, high_change = ?, high_seen = ?, high_told = ?, high_marked = ?
WHERE key = ?
"""

_MINE = """
SELECT key, id, low AS me, high AS peer, seq, version, low_read AS my_read, low_delivered AS my_delivered,
    low_marked AS marked, CASE low_marked WHEN 0 THEN low_read ELSE low_marked - 1 END AS floor,
    high_seen AS peer_read, high_delivered AS peer_delivered, high_last AS peer_last
FROM conversation WHERE low = :me
UNION ALL
SELECT key, id, high, low, seq, version, high_read, high_delivered,
    high_marked, CASE high_marked WHEN 0 THEN high_read ELSE high_marked - 1 END,
    low_seen, low_delivered, low_last
FROM conversation WHERE high = :me
"""
# Counted afresh each time: a counter kept up and down would go wrong for ever with its first mistake. Nothing is
# counted in a conversation that was read to the peer's latest message, which is nearly every one.
_SUMMARIES = f"""
SELECT mine.peer, mine.seq, mine.version, mine.my_read, mine.my_delivered, mine.peer_read, mine.peer_delivered,
    CASE WHEN mine.peer_last <= mine.floor THEN 0 ELSE (
        SELECT count(*) FROM message AS u
        WHERE u.conversation = mine.key AND u.seq > mine.floor AND u.sender = mine.peer AND NOT u.deleted
    ) END,
    mine.marked, mine.id, {COLUMNS}
FROM ({_MINE}) AS mine JOIN message AS m ON m.conversation = mine.key AND m.seq = mine.seq
"""


class Conversations:
    """Rows appear with the first message; the id is that of `protocols.values.conversation_of` before and after."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._kept: dict[str, Thread] = {}

    def forget(self) -> None:
        """See Unit.forget."""
        self._kept.clear()

    def get(self, conversation: str) -> Conversation | None:
        row = self._connection.execute(
            "SELECT id, low, high, seq, version FROM conversation WHERE id = ?", (conversation,)
        ).fetchone()
        return None if row is None else Conversation(*row)

    def of(self, person: str) -> list[ConversationSummary]:
        """Every conversation of a person that has a message, in no order."""
        return [_summary(row) for row in self._connection.execute(_SUMMARIES, {"me": person})]

    def thread(self, conversation: str) -> Thread | None:
        """The conversation, to be worked on in this transaction."""
        thread = self._kept.get(conversation)
        if thread is None:
            row = self._connection.execute(_THREAD, (conversation,)).fetchone()
            if row is None:
                return None
            thread = Thread(row[0], row[1], Side(*row[5:13]), Side(*row[13:21]), row[2], row[3], row[4])
            if len(self._kept) >= KEPT:
                self._kept.clear()
            self._kept[conversation] = thread
        return thread

    def begin(self, one: str, other: str) -> Thread:
        """The first message of two different people is about to be stored."""
        low, high = sorted((one, other))
        conversation = conversation_of(low, high)
        (key,) = self._connection.execute(_BEGIN, (conversation, low, high)).fetchone()
        return Thread(key, conversation, Side(low), Side(high))

    def save(self, threads: Iterable[Thread]) -> None:
        self._connection.executemany(
            _SAVE,
            [
                (
                    *(t.seq, t.version, t.change),
                    *_receipt(t.low),
                    *_receipt(t.high),
                    t.key,
                )
                for t in threads
            ],
        )


def _receipt(side: Side) -> tuple[int, ...]:
    return side.last, side.delivered, side.read, side.change, side.seen, side.told, side.marked


def _summary(row: tuple[Any, ...]) -> ConversationSummary:
    peer, seq, version, my_read, my_delivered, peer_read, peer_delivered, unread, marked = row[:9]
    return ConversationSummary(
        id=row[9],
        peer=peer,
        seq=seq,
        version=version,
        last_message=record(row[9:]),
        unread=unread,
        unread_from=marked,
        my_read=my_read,
        my_delivered=my_delivered,
        peer_read=peer_read,
        peer_delivered=peer_delivered,
    )
