"""What every implementation of the repository of relations must do; storage.contacts on SQLite is the one there is."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.contacts import CONTACTS, Relations
from storage.migrate import migrate
from storage.sides import STRANGERS, Pair, Side
from tests.support.people import ANN, BOB, CAT


class RelationsContract:
    """Subclasses provide `relations`, empty."""

    def test_strangers_need_no_row(self, relations: Relations) -> None:
        assert relations.pair(ANN, BOB) == STRANGERS
        assert relations.relations(ANN, [BOB, ANN]) == {BOB: "none", ANN: "self"}
        assert relations.relations(ANN, []) == {}
        assert not relations.consent(ANN, BOB)

    def test_what_is_put_is_got_from_both_sides(self, relations: Relations) -> None:
        mine = Side(stance="removed", met=True, declined_at=7, at=9, change=3)
        theirs = Side(stance="asked", hidden=True, met=True, request="r1", at=8, change=2)
        relations.put(ANN, BOB, Pair(mine, theirs))
        assert relations.pair(ANN, BOB) == Pair(mine, theirs)
        assert relations.pair(BOB, ANN) == Pair(theirs, mine)
        relations.put(BOB, ANN, Pair(theirs, Side(blocks=True, at=10, change=4)))
        assert relations.pair(ANN, BOB).mine == Side(blocks=True, at=10, change=4)

    def test_requests_are_found_by_their_id_alone(self, relations: Relations) -> None:
        relations.put(ANN, BOB, Pair(Side(stance="asked", request="r1"), Side()))
        relations.put(ANN, CAT, Pair(Side(), Side()))
        assert relations.asked("r1") == (ANN, BOB)
        assert relations.asked("r2") is None
        assert relations.asked("") is None

    def test_lists_hold_the_right_people_in_order(self, relations: Relations) -> None:
        relations.put(ANN, BOB, Pair(Side(stance="contact", met=True, at=2), Side(stance="contact", met=True, at=2)))
        relations.put(ANN, CAT, Pair(Side(stance="contact", met=True, at=1), Side(stance="contact", met=True, at=1)))
        relations.put(ANN, "dan", Pair(Side(blocks=True, at=3), Side(stance="removed", met=True, at=3)))
        relations.put(ANN, "eve", Pair(Side(stance="removed", met=True, at=4), Side(met=True, at=4)))
        assert [entry.user_id for entry in relations.contacts_of(ANN)] == [CAT, BOB]
        assert [entry.user_id for entry in relations.blocked_by(ANN)] == ["dan"]
        assert [(entry.user_id, entry.relation) for entry in relations.peers_of(ANN)] == [
            (CAT, "contact"),
            (BOB, "contact"),
            ("eve", "removed"),
        ]
        assert [(entry.user_id, entry.relation) for entry in relations.peers_of("eve")] == [(ANN, "none")]
        assert relations.consent(ANN, BOB)
        assert not relations.consent(ANN, "eve")
        assert not relations.consent(BOB, CAT)

    def test_requests_are_listed_newest_first_and_hidden_ones_only_to_who_asked(self, relations: Relations) -> None:
        for at, (asker, hidden) in enumerate([(BOB, False), (CAT, True), ("dan", False), ("eve", False)], start=1):
            asked = Side(stance="asked", hidden=hidden, request=f"r-{asker}", at=at)
            relations.put(asker, ANN, Pair(asked, Side(at=at)))
        incoming, outgoing = relations.requests_of(ANN)
        assert [(entry.id, entry.user_id, entry.at) for entry in incoming] == [
            ("r-eve", "eve", 4),
            ("r-dan", "dan", 3),
            ("r-bob", BOB, 1),
        ]
        assert outgoing == []
        assert [entry.id for entry in relations.requests_of(CAT)[1]] == ["r-cat"]
        assert [entry.user_id for entry in relations.requests_of(ANN, most=1)[0]] == ["eve"]

    def test_ids_are_data_and_never_language(self, relations: Relations) -> None:
        odd = """x' OR '1'='1", ["%_\\"""
        relations.put(ANN, odd, Pair(Side(blocks=True), Side()))
        assert relations.relations(ANN, [odd, BOB]) == {odd: "blocked", BOB: "none"}


class TestSqliteRelations(RelationsContract):
    @pytest.fixture
    def relations(self) -> Iterator[Relations]:
        connection = sqlite3.connect(":memory:", isolation_level=None)
        migrate(connection, CONTACTS.name, Path("contacts.db"))
        yield Relations(connection)
        connection.close()
