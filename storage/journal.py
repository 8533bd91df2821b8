"""What every actor's database keeps besides its data: epoch, change counter, outcomes, attempts."""

import sqlite3

from msgspec import msgpack

from protocols.errors import ErrorBody
from protocols.mail import Remembered


class Journal:
    """Used inside the transaction that does the work, so that a command and its outcome stand or fall together."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def epoch(self) -> str:
        """Names this database: a token of another epoch says nothing about it."""
        row = self._connection.execute("SELECT epoch FROM log").fetchone()
        return str(row[0])

    def change(self) -> int:
        """The number of the latest change."""
        row = self._connection.execute("SELECT change FROM log").fetchone()
        return int(row[0])

    def next_change(self, count: int = 1) -> int:
        """Reserve `count` numbers and return the last of them."""
        row = self._connection.execute("UPDATE log SET change = change + ? RETURNING change", (count,)).fetchone()
        return int(row[0])

    def recall(self, person: str, command: str) -> Remembered | None:
        row = self._connection.execute(
            "SELECT fingerprint, value, error FROM outcome WHERE person = ? AND command = ?", (person, command)
        ).fetchone()
        if row is None:
            return None
        fingerprint, value, error = row
        return Remembered(fingerprint, value, None if error is None else msgpack.decode(error, type=ErrorBody))

    def remember(self, person: str, command: str, outcome: Remembered, at: int) -> None:
        error = None if outcome.error is None else msgpack.encode(outcome.error)
        self._connection.execute(
            "INSERT INTO outcome (person, command, fingerprint, value, error, at) VALUES (?, ?, ?, ?, ?, ?)",
            (person, command, outcome.fingerprint, outcome.value, error, at),
        )

    def forget_outcomes(self, before: int, most: int = 1_000) -> int:
        """Drop outcomes older than `before` (Unix ms), at most `most` of them; returns how many."""
        return self._connection.execute(
            "DELETE FROM outcome WHERE (person, command) IN (SELECT person, command FROM outcome WHERE at < ? LIMIT ?)",
            (before, most),
        ).rowcount

    def begin_attempt(self, person: str, command: str) -> int:
        """Count one more try of a command that may have ended the process before; returns the count."""
        row = self._connection.execute(
            "INSERT INTO attempt VALUES (?, ?, 1) "
            "ON CONFLICT (person, command) DO UPDATE SET times = times + 1 RETURNING times",
            (person, command),
        ).fetchone()
        return int(row[0])

    def end_attempt(self, person: str, command: str) -> None:
        self._connection.execute("DELETE FROM attempt WHERE person = ? AND command = ?", (person, command))
