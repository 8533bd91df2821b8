"""What people want: their preferences, and whom they have muted."""

import sqlite3
from collections.abc import Iterable
from typing import Final

from msgspec import json, structs

from protocols.notifier import MUTE_FOREVER, Mute, Preferences

_COLUMNS: Final = ", ".join(Preferences.__struct_fields__)
_FLAGS: Final = 6
"""The first so many columns are flags."""


class Wishes:
    """Whoever never said anything has the defaults, and no row."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def preferences(self, person: str) -> Preferences:
        row = self._connection.execute(f"SELECT {_COLUMNS} FROM preferences WHERE person = ?", (person,)).fetchone()
        if row is None:
            return Preferences()
        return Preferences(
            **dict(zip(Preferences.__struct_fields__, (*map(bool, row[:_FLAGS]), *row[_FLAGS:]), strict=True))
        )

    def prefer(self, person: str, preferences: Preferences) -> None:
        self._connection.execute(
            f"INSERT OR REPLACE INTO preferences (person, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (person, *structs.astuple(preferences)),
        )

    def hiding(self, people: Iterable[str]) -> frozenset[str]:
        """Those of `people` who do not let others know what they read."""
        rows = self._connection.execute(
            "SELECT person FROM preferences WHERE NOT read_receipts AND person IN (SELECT value FROM json_each(?))",
            (json.encode(list(people)).decode(),),
        )
        return frozenset(person for (person,) in rows)

    def muted(self, person: str, other: str, now: int) -> bool:
        return self.mute_of(person, other, now).until != 0

    def mute_of(self, person: str, other: str, now: int) -> Mute:
        """`until` is 0 when there is none at `now` (Unix ms)."""
        row = self._connection.execute(
            "SELECT until FROM mute WHERE person = ? AND other = ? AND (until = ? OR until > ?)",
            (person, other, MUTE_FOREVER, now),
        ).fetchone()
        return Mute(user=other, until=0 if row is None else row[0])

    def mutes(self, person: str, now: int) -> list[Mute]:
        """Everybody whom a person has muted at `now` (Unix ms)."""
        rows = self._connection.execute(
            "SELECT other, until FROM mute WHERE person = ? AND (until = ? OR until > ?) ORDER BY other",
            (person, MUTE_FOREVER, now),
        )
        return [Mute(user=other, until=until) for other, until in rows]

    def mute(self, person: str, mute: Mute) -> None:
        if mute.until == 0:
            self._connection.execute("DELETE FROM mute WHERE person = ? AND other = ?", (person, mute.user))
            return
        self._connection.execute("INSERT OR REPLACE INTO mute VALUES (?, ?, ?)", (person, mute.user, mute.until))

    def forget_mutes(self, now: int) -> None:
        """Drop those that have ended."""
        self._connection.execute("DELETE FROM mute WHERE until <> ? AND until <= ?", (MUTE_FOREVER, now))

    def forget(self, person: str) -> None:
        """Drop all that the person wanted, and what others wanted of them."""
        self._connection.execute("DELETE FROM preferences WHERE person = ?", (person,))
        self._connection.execute("DELETE FROM mute WHERE person = ?1 OR other = ?1", (person,))
