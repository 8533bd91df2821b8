"""Which commands of people were decided for good: stored as messages, or kept with their outcomes."""

import sqlite3

PEOPLE = 10_000
"""Whose latest one is kept in memory; at the bound all are forgotten."""

_DECIDED = """
SELECT EXISTS (SELECT 1 FROM message WHERE client_id = ?2 AND sender = ?1)
    OR EXISTS (SELECT 1 FROM outcome WHERE person = ?1 AND command = ?2)
"""


class Decided:
    """Asked twice a message, and nearly always the same: no to its own id, yes to the one before it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._latest: dict[str, str] = {}

    def forget(self) -> None:
        """See Unit.forget."""
        self._latest.clear()

    def note(self, person: str, command: str) -> None:
        """It is decided by what this very transaction writes."""
        if len(self._latest) >= PEOPLE:
            self._latest.clear()
        self._latest[person] = command

    def includes(self, person: str, command: str) -> bool:
        if self._latest.get(person) == command:
            return True
        (decided,) = self._connection.execute(_DECIDED, (person, command)).fetchone()
        return bool(decided)
