"""Contacts' database: what people are to each other, and how often they asked lately."""

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec import Struct, json

from protocols.values import Relation
from storage.database import Schema, Unit
from storage.people import People
from storage.sides import STRANGERS, Pair, Side

REQUESTS_LISTED = 200
"""Most pending requests a direction that are listed, the newest first: anybody may ask, so there is no other bound."""

_COLUMNS = ("stance", "blocks", "hidden", "met", "request", "declined_at", "at", "change")
_PAIR = ", ".join(f"{side}.{column}" for side in ("mine", "theirs") for column in _COLUMNS)
_FROM = "FROM side AS mine JOIN side AS theirs ON theirs.person = mine.other AND theirs.other = mine.person"


class ContactEntry(Struct, frozen=True):
    """Somebody whom a person has to do with. `at`: since when it is as it is, Unix ms."""

    user_id: str
    at: int
    relation: Relation


class RequestEntry(Struct, frozen=True):
    """A pending request. `user_id` is the other one: who asked, or who was asked. `at` is Unix ms."""

    id: str
    user_id: str
    at: int


class Turn(Struct, frozen=True):
    """What the other has come to be to a person: the pair as the person looks at it."""

    person: str
    other: str
    pair: Pair


class Relations:
    """The relations of pairs of people. A pair that nobody has touched is a pair of strangers."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def pair(self, me: str, other: str) -> Pair:
        row = self._connection.execute(
            f"SELECT {_PAIR} {_FROM} WHERE mine.person = ? AND mine.other = ?", (me, other)
        ).fetchone()
        return STRANGERS if row is None else _pair(row)

    def put(self, me: str, other: str, pair: Pair) -> None:
        """Write both halves."""
        self._connection.executemany(
            f"INSERT OR REPLACE INTO side (person, other, {', '.join(_COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(me, other, *_columns(pair.mine)), (other, me, *_columns(pair.theirs))],
        )

    def asked(self, request: str) -> tuple[str, str] | None:
        """(who asked, who was asked) of a request that is pending, was declined, or was accepted."""
        if not request:
            return None
        row = self._connection.execute("SELECT person, other FROM side WHERE request = ?", (request,)).fetchone()
        return None if row is None else (row[0], row[1])

    def relation(self, me: str, other: str) -> Relation:
        """What `other` is to `me`, as far as `me` may know."""
        return "self" if me == other else self.pair(me, other).view.relation

    def relations(self, me: str, ids: Iterable[str]) -> dict[str, Relation]:
        """`relation` for each of `ids`."""
        wanted = list(ids)
        found: dict[str, Relation] = dict.fromkeys(wanted, "none")
        for other, *row in self._connection.execute(
            f"SELECT mine.other, {_PAIR} {_FROM} "
            "WHERE mine.person = ? AND mine.other IN (SELECT value FROM json_each(?))",
            (me, json.encode(wanted).decode()),
        ):
            found[other] = _pair(row).view.relation
        if me in found:
            found[me] = "self"
        return found

    def consent(self, one: str, other: str) -> bool:
        """Whether the two may write to each other: both are contacts and neither blocks the other."""
        return self.pair(one, other).consent

    def contacts_of(self, me: str) -> list[ContactEntry]:
        """Everybody whom `me` is in contact with, the longest first."""
        return self._entries(me, "mine.stance = 'contact'")

    def friends_of(self, me: str) -> list[str]:
        """Everybody with whom consent holds: contacts of `me`, neither of the two blocking the other."""
        rows = self._connection.execute(
            f"SELECT mine.other {_FROM} WHERE mine.person = ? AND mine.stance = 'contact' AND NOT mine.blocks "
            "AND theirs.stance = 'contact' AND NOT theirs.blocks ORDER BY mine.other",
            (me,),
        )
        return [other for (other,) in rows]

    def turns(self, change: int, limit: int) -> tuple[list[Turn], int]:
        """What people came to see after a change, in order, as it is now: (turns, change to go on from).

        At most `limit`, which is at least 2: both halves of a pair may have come by one change, and stay together.
        """
        rows = self._connection.execute(
            f"SELECT mine.person, mine.other, {_PAIR}, mine.change {_FROM} WHERE mine.change > ? "
            "ORDER BY mine.change LIMIT ?",
            (change, limit + 1),
        ).fetchall()
        if len(rows) > limit:
            rows = [row for row in rows if row[-1] < rows[limit][-1]]
        return [Turn(row[0], row[1], _pair(row[2:-1])) for row in rows], rows[-1][-1] if rows else change

    def blocked_by(self, me: str) -> list[ContactEntry]:
        """Everybody whom `me` blocks."""
        return self._entries(me, "mine.blocks")

    def peers_of(self, me: str) -> list[ContactEntry]:
        """Everybody whom `me` is or once was in contact with: the two may have a conversation to read."""
        return self._entries(me, "mine.met")

    def requests_of(self, me: str, most: int = REQUESTS_LISTED) -> tuple[list[RequestEntry], list[RequestEntry]]:
        """(incoming, outgoing): what `me` is asked, and what `me` asked, each the newest first."""
        incoming = self._connection.execute(
            f"SELECT theirs.request, mine.other, mine.at {_FROM} "
            "WHERE mine.person = ? AND theirs.stance = 'asked' AND NOT theirs.hidden "
            "ORDER BY mine.at DESC, mine.other LIMIT ?",
            (me, most),
        )
        outgoing = self._connection.execute(
            "SELECT request, other, at FROM side WHERE person = ? AND stance = 'asked' ORDER BY at DESC, other LIMIT ?",
            (me, most),
        )
        return [RequestEntry(*row) for row in incoming], [RequestEntry(*row) for row in outgoing]

    def _entries(self, me: str, condition: str) -> list[ContactEntry]:
        rows = self._connection.execute(
            f"SELECT mine.other, {_PAIR} {_FROM} WHERE mine.person = ? AND {condition} ORDER BY mine.at, mine.other",
            (me,),
        )
        return [ContactEntry(other, pair.mine.at, pair.view.relation) for other, *row in rows for pair in [_pair(row)]]


class Asking:
    """How often people asked lately, kept on disk so that a restart forgives nothing."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, person: str, request: str, at: int) -> None:
        self._connection.execute("INSERT INTO asking (person, at, request) VALUES (?, ?, ?)", (person, at, request))

    def newest(self, person: str, after: int, most: int) -> list[int]:
        """When the person asked since `after`: at most the `most` newest times, the newest first."""
        rows = self._connection.execute(
            "SELECT at FROM asking WHERE person = ? AND at > ? ORDER BY at DESC LIMIT ?", (person, after, most)
        )
        return [at for (at,) in rows]

    def forget(self, before: int) -> int:
        """Drop what is older than `before`; returns how many rows."""
        return self._connection.execute("DELETE FROM asking WHERE at < ?", (before,)).rowcount


class ContactsUnit(Unit):
    """One transaction of contacts' database. `people` looks into auth's."""

    def __init__(self, connection: sqlite3.Connection, databases: Path) -> None:
        super().__init__(connection, databases)
        self.relations = Relations(connection)
        self.asking = Asking(connection)
        self.people = People(databases)

    def close(self) -> None:
        self.people.close()


CONTACTS = Schema("contacts", ContactsUnit)


def _pair(row: Sequence[str | int]) -> Pair:
    half = len(_COLUMNS)
    return Pair(_side(row[:half]), _side(row[half:]))


def _side(row: Sequence[str | int]) -> Side:
    stance, blocks, hidden, met, request, declined_at, at, change = row
    return Side(
        stance=stance,  # type: ignore[arg-type]  # the table's CHECK says so
        blocks=bool(blocks),
        hidden=bool(hidden),
        met=bool(met),
        request=str(request),
        declined_at=int(declined_at),
        at=int(at),
        change=int(change),
    )


def _columns(side: Side) -> tuple[str | int, ...]:
    return (
        side.stance,
        side.blocks,
        side.hidden,
        side.met,
        side.request,
        side.declined_at,
        side.at,
        side.change,
    )
