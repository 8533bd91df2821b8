"""New messages as a follower of router's log reads them: grouped by conversation and sender, never one by one."""

import sqlite3
from collections.abc import Sequence

from msgspec import Struct


class Arrival(Struct, frozen=True, kw_only=True):
    """What one person wrote to another, as far as one reading found it.

    `count` leaves out deleted ones; `first` and `last` are places (seq), `born` the change that stored the first, `at`
    the time of the last in Unix ms. `read` is how far `recipient` has seen the conversation by now.
    """

    conversation: str
    sender: str
    recipient: str
    count: int
    first: int
    last: int
    born: int
    at: int
    read: int


# The inner query is a range of the primary key, whatever the conversations are.
_ARRIVALS = """
SELECT c.id, g.sender, CASE WHEN g.sender = c.low THEN c.high ELSE c.low END,
    g.count, g.first, g.last, g.born, g.at, CASE WHEN g.sender = c.low THEN c.high_read ELSE c.low_read END
FROM (
    SELECT conversation, sender, sum(NOT deleted) AS count, min(seq) AS first, max(seq) AS last, min(born) AS born,
        max(at) AS at
    FROM message WHERE born > ? AND born <= ? GROUP BY conversation, sender
) AS g JOIN conversation AS c ON c.key = g.conversation ORDER BY g.born
"""
_END = "SELECT max(born), count(*) FROM (SELECT born FROM message WHERE born > ? ORDER BY born LIMIT ?)"
_UNREAD = """
SELECT CASE WHEN c.low = ?2 THEN c.low_read ELSE c.high_read END, EXISTS (
    SELECT 1 FROM message AS m
    WHERE m.conversation = c.key AND m.seq BETWEEN ?3 AND ?4 AND m.sender <> ?2 AND NOT m.deleted
) FROM conversation AS c WHERE c.id = ?1
"""


class Arrivals:
    """Of router's database, for whoever follows it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def after(self, change: int, limit: int) -> tuple[Sequence[Arrival], int]:
        """What the first `limit` messages stored after `change` come to: (arrivals, change to go on from)."""
        end, count = self._connection.execute(_END, (change, limit)).fetchone()
        if not count:
            return [], change
        rows = self._connection.execute(_ARRIVALS, (change, end))
        arrivals = [
            Arrival(
                conversation=row[0],
                sender=row[1],
                recipient=row[2],
                count=row[3],
                first=row[4],
                last=row[5],
                born=row[6],
                at=row[7],
                read=row[8],
            )
            for row in rows
        ]
        return arrivals, end

    def waiting(self, conversation: str, person: str, first: int, last: int) -> bool:
        """Whether `person` has still something to see there: unread, undeleted, of the other, between those places."""
        row = self._connection.execute(_UNREAD, (conversation, person, first, last)).fetchone()
        return row is not None and row[0] < last and bool(row[1])
