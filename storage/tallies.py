"""What was tried lately, by whom: kept so that a restart does not hand out fresh tries."""

import sqlite3
from collections.abc import Iterable

from msgspec import Struct


class Tally(Struct, frozen=True):
    """The times (Unix ms, ascending) at which `subject` tried something of `kind`."""

    kind: str
    subject: str
    times: tuple[int, ...]


class Tallies:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def all(self) -> list[Tally]:
        grouped: dict[tuple[str, str], list[int]] = {}
        for kind, subject, at in self._connection.execute("SELECT kind, subject, at FROM tally ORDER BY at"):
            grouped.setdefault((kind, subject), []).append(at)
        return [Tally(kind, subject, tuple(times)) for (kind, subject), times in grouped.items()]

    def put(self, tallies: Iterable[Tally]) -> None:
        """Replace what is kept of each one's kind and subject."""
        for tally in tallies:
            self._connection.execute("DELETE FROM tally WHERE kind = ? AND subject = ?", (tally.kind, tally.subject))
            self._connection.executemany(
                "INSERT INTO tally (kind, subject, at) VALUES (?, ?, ?)",
                [(tally.kind, tally.subject, at) for at in tally.times],
            )

    def forget(self, before: int) -> None:
        """Drop tries older than `before` (Unix ms)."""
        self._connection.execute("DELETE FROM tally WHERE at < ?", (before,))
