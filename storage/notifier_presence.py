"""Who was there when, as far as it was kept."""

import sqlite3
from collections.abc import Iterable
from typing import Literal

from msgspec import Struct, json

State = Literal["online", "away", "offline"]


class Presence(Struct, frozen=True, kw_only=True):
    """How somebody is since `since`. `last_seen` is when they were last online, 0 for never. Times are Unix ms."""

    person: str
    state: State
    since: int
    last_seen: int


class Presences:
    """A person who was never there has no row."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def of(self, people: Iterable[str]) -> dict[str, Presence]:
        """What is known of each of `people`; who was never there is left out."""
        rows = self._connection.execute(
            "SELECT person, state, since, last_seen FROM presence WHERE person IN (SELECT value FROM json_each(?))",
            (json.encode(list(people)).decode(),),
        )
        return {row[0]: Presence(person=row[0], state=row[1], since=row[2], last_seen=row[3]) for row in rows}

    def put(self, presences: Iterable[Presence]) -> None:
        self._connection.executemany(
            "INSERT OR REPLACE INTO presence (person, state, since, last_seen) VALUES (?, ?, ?, ?)",
            [(one.person, one.state, one.since, one.last_seen) for one in presences],
        )

    def stamp(self, now: int) -> None:
        """Whoever is online was last seen `now` (Unix ms)."""
        self._connection.execute("UPDATE presence SET last_seen = ? WHERE state = 'online'", (now,))

    def not_offline(self) -> list[Presence]:
        """Everybody who was there when this was last written: after a restart, they may be gone."""
        rows = self._connection.execute(
            "SELECT person, state, since, last_seen FROM presence WHERE state <> 'offline' ORDER BY person"
        )
        return [Presence(person=row[0], state=row[1], since=row[2], last_seen=row[3]) for row in rows]

    def forget(self, person: str) -> None:
        self._connection.execute("DELETE FROM presence WHERE person = ?", (person,))
