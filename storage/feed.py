"""Reading on in the log: what changed since a version of one conversation, or since a change in all of a person's."""

import sqlite3
from typing import Any

from protocols.records import MessageRecord, ReceiptRecord
from storage.journal import Journal
from storage.message_rows import COLUMNS, record

_PAGE = f"""
SELECT c.id, {COLUMNS} FROM conversation AS c JOIN message AS m ON m.conversation = c.key
WHERE c.id = ? AND m.change > ? ORDER BY m.change LIMIT ?
"""
_FIRST_AFTER = "SELECT version FROM message WHERE conversation = ? AND change > ? ORDER BY change LIMIT 1"

# The conversations of a person with something new: their own receipt, the peer's as far as it is shown, and where the
# news of messages begin. What the peer read in private must not even show as a change.
_NEWS = """
SELECT *, (SELECT min(m.change) FROM message AS m WHERE m.conversation = key AND m.change > :since) AS first
FROM (
    SELECT key, id, low, low_delivered, low_read, low_change, low_marked, high, high_delivered, high_seen, high_told
    FROM conversation WHERE low = :me AND change > :since
    UNION ALL
    SELECT key, id, high, high_delivered, high_read, high_change, high_marked, low, low_delivered, low_seen, low_told
    FROM conversation WHERE high = :me AND change > :since
)
"""
_PLACES = "SELECT change FROM message WHERE conversation = ? AND change > ? AND change < ? ORDER BY change LIMIT ?"
_AT = f"SELECT {COLUMNS} FROM message AS m WHERE m.conversation = ? AND m.change = ?"

_NO_END = 2**62


class Feed:
    """Pages of changes. A message stands in it once, where it changed last."""

    def __init__(self, connection: sqlite3.Connection, journal: Journal) -> None:
        self._connection = connection
        self._journal = journal

    def since(self, conversation: str, version: int, limit: int) -> tuple[list[MessageRecord], int, bool]:
        """See Messages.since."""
        row = self._connection.execute(
            "SELECT key, version, change FROM conversation WHERE id = ?", (conversation,)
        ).fetchone()
        if row is None or version >= row[1]:
            return [], version, False
        change = self._change_before(row[0], version, row[2])
        rows = self._connection.execute(_PAGE, (conversation, change, limit + 1)).fetchall()
        page = [record(one) for one in rows[:limit]]
        more = len(rows) > limit
        return page, page[-1].version if more else row[1], more

    def _change_before(self, key: int, version: int, latest: int) -> int:
        """A change such that what comes after it is exactly what has a later version than `version`.

        Version and change rise together within a conversation, so one index serves both orders: found by bisection,
        about twenty looks, instead of an index by version that every message sent would pay for.
        """
        low, high = 0, latest if version > 0 else 0
        while low < high:
            middle = (low + high) // 2
            row = self._connection.execute(_FIRST_AFTER, (key, middle)).fetchone()
            if row is None or row[0] > version:
                high = middle
            else:
                low = middle + 1
        return low

    def changes(self, person: str, change: int, limit: int) -> tuple[list[MessageRecord | ReceiptRecord], int, bool]:
        """See Messages.changes. The cost depends on what is new to this person, not on what others wrote."""
        news = self._connection.execute(_NEWS, {"me": person, "since": change}).fetchall()
        places = self._places(news, change, limit + 1)
        page = [self._at(*place) for place in places[:limit]]
        more = len(places) > limit
        # The head may be far ahead of this person's last change; it is of the same snapshot.
        return page, page[-1].change if more else max(change, self._journal.change()), more

    def _places(self, news: list[tuple[Any, ...]], since: int, most: int) -> list[tuple[int, Any, str | None]]:
        """The first `most` changes in order: (change, conversation's row, whose receipt or None for a message)."""
        found: list[tuple[int, Any, str | None]] = []
        for row in news:
            found += [(at, row, user) for user, at in ((row[2], row[5]), (row[7], row[10])) if at > since]
        found = sorted(found, key=_by_change)[:most]
        for row in sorted((row for row in news if row[11] is not None), key=lambda row: int(row[11])):
            end = found[-1][0] if len(found) == most else _NO_END
            if row[11] >= end:
                break
            changes = self._connection.execute(_PLACES, (row[0], since, end, most))
            found = sorted([*found, *((at, row, None) for (at,) in changes)], key=_by_change)[:most]
        return found

    def _at(self, change: int, row: tuple[Any, ...], receipt_of: str | None) -> MessageRecord | ReceiptRecord:
        key, conversation = row[:2]
        if receipt_of is None:
            return record((conversation, *self._connection.execute(_AT, (key, change)).fetchone()))
        user, delivered, read, at, marked = row[2:7] if receipt_of == row[2] else (*row[7:11], 0)
        return ReceiptRecord(
            conversation=conversation, user=user, delivered=delivered, read=read, change=at, unread_from=marked
        )


def _by_change(place: tuple[int, Any, str | None]) -> int:
    return place[0]
