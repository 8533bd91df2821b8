"""Why people were told of something or not, kept for a while so that they can ask."""

import sqlite3
from typing import Any, Final

from protocols.notifier import Decision

DECISIONS_MOST: Final = 500
"""Decisions kept a person; a further one drops the oldest."""
SPAN_MS: Final = 60_000
"""Like decisions about one subject are one row for so long: a busy conversation makes one a minute."""

_COLUMNS: Final = "source, subject, first, last, at, what, code, reason"


class Decisions:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def extend(self, person: str, subject: str, code: str, last: int, at: int) -> bool:
        """Let the subject's latest decision cover `last` as well; False when it is of another kind, or too old."""
        row = self._connection.execute(
            "SELECT id, code, began FROM decision WHERE subject = ? AND person = ? ORDER BY id DESC LIMIT 1",
            (subject, person),
        ).fetchone()
        if row is None or row[1] != code or at - row[2] >= SPAN_MS:
            return False
        self._connection.execute("UPDATE decision SET last = max(last, ?), at = ? WHERE id = ?", (last, at, row[0]))
        return True

    def add(self, person: str, decision: Decision) -> None:
        self._connection.execute(
            "INSERT INTO decision (person, source, subject, first, last, began, at, what, code, reason) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(person, decision.source, decision.subject, decision.first, decision.last, decision.at, decision.at),
                *(decision.what, decision.code, decision.reason),
            ),
        )
        self._connection.execute(
            "DELETE FROM decision WHERE person = ?1 AND id <= "
            "(SELECT id FROM decision WHERE person = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
            (person, DECISIONS_MOST),
        )

    def of(self, person: str, limit: int) -> list[Decision]:
        """The latest ones of a person, the newest first."""
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM decision WHERE person = ? ORDER BY id DESC LIMIT ?", (person, limit)
        )
        return [_decision(row) for row in rows]

    def about(self, subject: str, place: int) -> list[tuple[str, Decision]]:
        """(person, decision) of all that cover a place of a subject, in order."""
        rows = self._connection.execute(
            f"SELECT person, {_COLUMNS} FROM decision WHERE subject = ? AND ? BETWEEN first AND last ORDER BY id",
            (subject, place),
        )
        return [(row[0], _decision(row[1:])) for row in rows]

    def forget_person(self, person: str) -> None:
        self._connection.execute("DELETE FROM decision WHERE person = ?", (person,))

    def forget(self, before: int, most: int) -> int:
        """Drop those older than `before` (Unix ms) among the `most` oldest; returns how many."""
        return self._connection.execute(
            "DELETE FROM decision WHERE at < ? AND id IN (SELECT id FROM decision ORDER BY id LIMIT ?)", (before, most)
        ).rowcount


def _decision(row: tuple[Any, ...]) -> Decision:
    return Decision(**dict(zip(Decision.__struct_fields__, row, strict=True)))
