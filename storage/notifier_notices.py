"""Notices: what each person has been told, and whether they have seen it."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Final

from msgspec import json, msgpack

from protocols.notifier import Notice, NoticeData
from storage.journal import Journal

NOTICES_MOST: Final = 1_000
"""Notices kept a person; a further one drops the oldest."""

_COLUMNS: Final = "id, person, kind, change, at, read_at IS NOT NULL, data"
_decode: Final = msgpack.Decoder(NoticeData).decode


class Notices:
    """Each row's `change` moves whenever the row does, so whoever keeps a cursor misses nothing."""

    def __init__(self, connection: sqlite3.Connection, journal: Journal) -> None:
        self._connection = connection
        self._journal = journal

    # Writing.

    def add(self, notice: Notice, subject: str, *, listed: bool) -> Notice | None:
        """Keep a new one under a change of its own, or None when one of that id is or was kept already."""
        change = self._journal.next_change()
        row = (notice.id, notice.person, notice.kind, subject, change, notice.at, listed, msgpack.encode(notice.data))
        added = self._connection.execute(
            "INSERT INTO notice (id, person, kind, subject, change, at, listed, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (id) DO NOTHING",
            row,
        ).rowcount
        if not added:
            return None
        self._drop_oldest(notice.person)
        return self.get(notice.id)

    def replace(self, id: str, at: int, data: NoticeData, *, listed: bool) -> Notice | None:  # noqa: A002
        """Let an unread one say something newer, in its place."""
        self._connection.execute(
            "UPDATE notice SET change = ?, at = ?, listed = ?, data = ? WHERE id = ? AND read_at IS NULL",
            (self._journal.next_change(), at, listed, msgpack.encode(data), id),
        )
        return self.get(id)

    def read(self, ids: Iterable[str], now: int) -> list[str]:
        """Mark these as seen; returns those that had not been."""
        return [one for one in ids if self._mark(one, now)]

    def _mark(self, id: str, now: int) -> bool:  # noqa: A002
        # The number is used up also where there is nothing to mark; numbers may have holes.
        cursor = self._connection.execute(
            "UPDATE notice SET read_at = ?, change = ? WHERE id = ? AND read_at IS NULL",
            (now, self._journal.next_change(), id),
        )
        return cursor.rowcount > 0

    def forget_person(self, person: str) -> None:
        self._connection.execute("DELETE FROM notice WHERE person = ?", (person,))

    def forget(self, before: int, most: int) -> int:
        """Drop those older than `before` (Unix ms), at most `most`; returns how many."""
        return self._connection.execute(
            "DELETE FROM notice WHERE id IN (SELECT id FROM notice WHERE at < ? ORDER BY at LIMIT ?)", (before, most)
        ).rowcount

    def _drop_oldest(self, person: str) -> None:
        self._connection.execute(
            "DELETE FROM notice WHERE person = ?1 AND change <= "
            "(SELECT change FROM notice WHERE person = ?1 ORDER BY change DESC LIMIT 1 OFFSET ?2)",
            (person, NOTICES_MOST),
        )

    # Reading.

    def get(self, id: str) -> Notice | None:  # noqa: A002
        row = self._connection.execute(f"SELECT {_COLUMNS} FROM notice WHERE id = ?", (id,)).fetchone()
        return None if row is None else _notice(row)

    def head(self) -> int:
        """The change up to which there is nothing unknown: a cursor may begin here."""
        return self._journal.change()

    def since(self, person: str, change: int, limit: int) -> tuple[list[Notice], int, bool]:
        """What changed after `change`, in order, of every kind: (page, change to go on from, more)."""
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM notice WHERE person = ? AND change > ? ORDER BY change LIMIT ?",
            (person, change, limit + 1),
        ).fetchall()
        page = [_notice(row) for row in rows[:limit]]
        more = len(rows) > limit
        return page, page[-1].change if more else max(change, self.head()), more

    def before(self, person: str, change: int | None, limit: int) -> tuple[list[Notice], bool]:
        """What the list shows below `change` (None: all), the newest first: (page, whether there are older ones)."""
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM notice WHERE person = ? AND listed AND change < ? ORDER BY change DESC LIMIT ?",
            (person, 2**62 if change is None else change, limit + 1),
        ).fetchall()
        return [_notice(row) for row in rows[:limit]], len(rows) > limit

    def unread(self, person: str) -> int:
        """How many of those that the list shows were not seen."""
        row = self._connection.execute(
            "SELECT count(*) FROM notice WHERE person = ? AND read_at IS NULL AND listed", (person,)
        ).fetchone()
        return int(row[0])

    def open(self, person: str, subject: str, kind: str) -> list[Notice]:
        """Those not seen, of that kind and about that."""
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM notice WHERE person = ? AND subject = ? AND kind = ? AND read_at IS NULL "
            "ORDER BY change",
            (person, subject, kind),
        )
        return [_notice(row) for row in rows]

    def open_messages(self, after: str, limit: int) -> list[Notice]:
        """Those of missed messages that were not seen, in order of id, from behind `after` on."""
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM notice WHERE kind = 'messages' AND read_at IS NULL AND id > ? ORDER BY id LIMIT ?",
            (after, limit),
        )
        return [_notice(row) for row in rows]

    def unread_up_to(self, person: str, change: int) -> list[str]:
        rows = self._connection.execute(
            "SELECT id FROM notice WHERE person = ? AND change <= ? AND read_at IS NULL ORDER BY change",
            (person, change),
        )
        return [one for (one,) in rows]

    def seen_of(self, person: str, ids: Sequence[str]) -> list[str]:
        """Those of `ids` that are the person's and were seen."""
        rows = self._connection.execute(
            "SELECT id FROM notice WHERE person = ? AND read_at IS NOT NULL "
            "AND id IN (SELECT value FROM json_each(?)) ORDER BY id",
            (person, json.encode(ids).decode()),
        )
        return [one for (one,) in rows]

    def unseen_of(self, person: str, ids: Sequence[str]) -> list[str]:
        """Those of `ids` that are the person's and were not seen."""
        rows = self._connection.execute(
            "SELECT id FROM notice WHERE person = ? AND read_at IS NULL "
            "AND id IN (SELECT value FROM json_each(?)) ORDER BY id",
            (person, json.encode(ids).decode()),
        )
        return [one for (one,) in rows]


def _notice(row: Sequence[Any]) -> Notice:
    id_, person, kind, change, at, read, data = row
    return Notice(id=id_, person=person, kind=kind, change=change, at=at, read=bool(read), data=_decode(data))
