"""What every implementation of auth's repositories must do; storage.auth on SQLite is the one there is."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

from protocols.values import User
from storage.auth import AUTH, Account, AuthUnit, Chain, PublicKey, Session, Tally
from storage.migrate import migrate

NOW = 1_700_000_000_000
CHAIN = Chain(link=b"link", previous=None, rotated_at=NOW)


def account(username: str, display_name: str = "") -> Account:
    return Account(
        id=f"id-{username.lower()}", username=username, display_name=display_name or username, created_at=NOW
    )


def session(number: int, user: str = "id-ann", **times: int) -> Session:
    row = Session(
        id=f"s{number}",
        user=user,
        agent="agent",
        address="address",
        created_at=NOW,
        last_used_at=NOW + number,
        ends_at=NOW + 1_000,
    )
    return structs.replace(row, **times)


class AuthContract:
    """Subclasses provide `tx`, a unit of an empty database in an open transaction."""

    def test_an_account_reads_back_without_its_secret(self, tx: AuthUnit) -> None:
        assert tx.accounts.add(account("Ann", "Ann Lee"), "hash", "command-1")
        kept = Account(id="id-ann", username="ann", display_name="Ann Lee", created_at=NOW)
        assert tx.accounts.get("id-ann") == kept == tx.accounts.by_username(" \uff21NN")
        assert kept.active
        assert "hash" not in repr(kept)
        assert tx.accounts.get("nobody") is None
        assert tx.accounts.by_username("nobody") is None

    def test_a_username_is_unique_for_ever(self, tx: AuthUnit) -> None:
        assert tx.accounts.add(account("ann"), "hash", "")
        other = structs.replace(account("ANN"), id="other")
        assert not tx.accounts.add(other, "hash", "")
        tx.accounts.delete("id-ann")
        assert tx.accounts.taken("Ann")
        assert not tx.accounts.add(other, "hash", "")
        assert tx.accounts.get("other") is None

    def test_credentials_follow_the_password_and_end_with_the_account(self, tx: AuthUnit) -> None:
        tx.accounts.add(account("ann"), "hash-1", "command-1")
        tx.accounts.set_password("id-ann", "hash-2", "command-2")
        credential = tx.accounts.credential("ann")
        assert credential is not None
        assert (credential.hash, credential.command) == ("hash-2", "command-2")
        tx.accounts.rehash("id-ann", "hash-1", "late")
        assert tx.accounts.credential_of("id-ann") == credential
        tx.accounts.rehash("id-ann", "hash-2", "hash-3")
        assert tx.accounts.credential("ann") == structs.replace(credential, hash="hash-3")
        tx.accounts.delete("id-ann")
        assert tx.accounts.credential("ann") is None
        gone = tx.accounts.credential_of("id-ann")
        assert gone is not None
        assert (gone.hash, gone.command, gone.account.deleted) == ("", "", True)

    def test_a_deleted_account_stays_deleted(self, tx: AuthUnit) -> None:
        tx.accounts.add(account("ann"), "hash", "")
        tx.accounts.delete("id-ann")
        tx.accounts.set_disabled("id-ann", disabled=False)
        tx.accounts.set_display_name("id-ann", "Ann")
        gone = tx.accounts.get("id-ann")
        assert gone == Account(id="id-ann", username="", display_name="Deleted account", deleted=True, created_at=NOW)
        assert tx.accounts.page("", 10) == []

    def test_many_people_are_looked_up_at_once(self, tx: AuthUnit) -> None:
        for number in range(450):
            tx.accounts.add(account(f"user{number:03d}"), "hash", "")
        tx.accounts.delete("id-user007")
        found = tx.accounts.users([*(f"id-user{number:03d}" for number in range(450)), "nobody", "id-user001"])
        assert len(found) == 450
        assert found["id-user007"] == User("id-user007", "", "Deleted account", deleted=True)
        assert tx.accounts.users([]) == {}

    def test_search_finds_active_people_by_either_name(self, tx: AuthUnit) -> None:
        for username, display_name in [
            ("ann", "Ann Lee"),
            ("joann", "Jo"),
            ("bob", "Hannah Straße"),
            ("cat", "Ann"),
            ("ann_1", "x"),
            ("dan", "100% Dan\\"),
            ("gone", "Ann"),
            ("off", "Ann"),
        ]:
            tx.accounts.add(account(username, display_name), "hash", "")
        tx.accounts.delete("id-gone")
        tx.accounts.set_disabled("id-off", disabled=True)

        def search(text: str, limit: int = 10) -> list[str]:
            return [user.username for user in tx.accounts.search(text, limit)]

        assert search("ANN") == ["ann", "ann_1", "cat", "bob", "joann"]
        assert search("ann", 2) == ["ann", "ann_1"]
        assert search("strasse") == ["bob"]
        assert search("n_1") == ["ann_1"]
        assert search("0%") == ["dan"]
        assert search("\\") == ["dan"]
        assert search("_") == ["ann_1"]
        assert search("  ") == []
        assert search("\0\0") == search("a\0") == []
        assert search("' OR 1=1 --") == []

    def test_pages_of_accounts_follow_on(self, tx: AuthUnit) -> None:
        for username in ("cat", "ann", "bob"):
            tx.accounts.add(account(username), "hash", "")
        first = tx.accounts.page("", 2)
        assert [one.username for one in first] == ["ann", "bob"]
        assert [one.username for one in tx.accounts.page(first[-1].username, 2)] == ["cat"]

    def test_each_change_of_an_account_has_a_number(self, tx: AuthUnit) -> None:
        before = tx.journal.change()
        tx.accounts.add(account("ann"), "hash", "")
        tx.accounts.set_display_name("id-ann", "Ann Lee")
        assert tx.journal.change() == before + 2

    def test_sessions_read_back_and_live_until_they_end(self, tx: AuthUnit) -> None:
        tx.accounts.add(account("ann"), "hash", "")
        tx.sessions.begin(session(1), b"family-1", CHAIN)
        tx.sessions.begin(session(2), b"family-2", CHAIN)
        assert tx.sessions.get("s1") == session(1)
        assert tx.sessions.get("s9") is None
        assert [one.id for one in tx.sessions.of("id-ann", NOW)] == ["s2", "s1"]
        assert tx.sessions.of("id-ann", NOW + 1_000) == []
        assert session(1).live(NOW + 999)
        assert not session(1).live(NOW + 1_000)
        tx.sessions.end(["s2", "s9"], NOW + 5)
        ended = tx.sessions.get("s2")
        assert ended is not None
        assert ended.ended
        assert not ended.live(NOW)
        assert [one.id for one in tx.sessions.of("id-ann", NOW)] == ["s1"]
        assert tx.sessions.ended_of("id-ann", NOW + 5) == ["s2"]
        assert tx.sessions.ended_of("id-ann", NOW + 6) == []

    def test_a_chain_is_found_by_its_family(self, tx: AuthUnit) -> None:
        tx.accounts.add(account("ann"), "hash", "")
        tx.sessions.begin(session(1), b"family-1", CHAIN)
        assert tx.sessions.by_family(b"family-1") == (session(1), CHAIN)
        assert tx.sessions.by_family(b"other") is None
        chain = Chain(link=b"next", previous=b"link", rotated_at=NOW + 7)
        moved = session(1, last_used_at=NOW + 7, ends_at=NOW + 2_000)
        tx.sessions.rotate(moved, chain)
        assert tx.sessions.by_family(b"family-1") == (moved, chain)

    def test_ended_sessions_are_told_once_each_in_order(self, tx: AuthUnit) -> None:
        tx.accounts.add(account("ann"), "hash", "")
        for number in range(1, 6):
            tx.sessions.begin(session(number), f"family-{number}".encode(), CHAIN)
        cursor = tx.journal.change()
        tx.sessions.end(["s3"], NOW)
        told, cursor = tx.sessions.ended_since(cursor, 2)
        tx.sessions.end(["s3"], NOW + 1)
        tx.sessions.end_of("id-ann", NOW, but="s5")
        while True:
            page, cursor = tx.sessions.ended_since(cursor, 2)
            if not page:
                break
            told += page
        assert told == ["s3", "s1", "s2", "s4"]

    def test_overdue_sessions_are_found_and_old_ones_forgotten(self, tx: AuthUnit) -> None:
        tx.accounts.add(account("ann"), "hash", "")
        tx.sessions.begin(session(1), b"family-1", CHAIN)
        tx.sessions.begin(session(2, ends_at=NOW + 2_000), b"family-2", CHAIN)
        assert tx.sessions.overdue(NOW + 999, 10) == []
        assert tx.sessions.overdue(NOW + 1_000, 10) == ["s1"]
        tx.sessions.end(["s1"], NOW + 1_000)
        assert tx.sessions.overdue(NOW + 1_000, 10) == []
        tx.sessions.forget(NOW + 1_000, 10)
        assert tx.sessions.get("s1") is not None
        tx.sessions.forget(NOW + 1_001, 10)
        assert tx.sessions.get("s1") is None
        assert tx.sessions.get("s2") is not None

    def test_the_two_newest_keys_are_good(self, tx: AuthUnit) -> None:
        keys = [PublicKey(f"k{number}", bytes([number]) * 32) for number in range(3)]
        assert tx.keys.public() == []
        for number, key in enumerate(keys):
            tx.keys.ensure(key, NOW + number)
            tx.keys.ensure(key, NOW + 100)
        assert tx.keys.public() == [keys[2], keys[1]]

    def test_an_invitation_is_used_once_and_in_time(self, tx: AuthUnit) -> None:
        tx.accounts.add(account("ann"), "hash", "")
        tx.invitations.add(b"code", NOW + 10)
        assert not tx.invitations.good(b"other", NOW)
        assert tx.invitations.good(b"code", NOW + 9)
        assert not tx.invitations.use(b"code", "id-ann", NOW + 10)
        assert tx.invitations.use(b"code", "id-ann", NOW + 9)
        assert not tx.invitations.good(b"code", NOW)
        assert not tx.invitations.use(b"code", "id-ann", NOW)
        tx.invitations.add(b"late", NOW + 10)
        tx.invitations.forget(NOW + 11)
        assert not tx.invitations.good(b"late", NOW)

    def test_tallies_are_replaced_and_age(self, tx: AuthUnit) -> None:
        tx.tallies.put([Tally("failure", "ann", (1, 2)), Tally("failure", "bob", (3,))])
        tx.tallies.put([Tally("failure", "ann", (2, 5))])
        assert {one.subject: one.times for one in tx.tallies.all()} == {"ann": (2, 5), "bob": (3,)}
        tx.tallies.forget(5)
        assert tx.tallies.all() == [Tally("failure", "ann", (5,))]


class TestSqlite(AuthContract):
    @pytest.fixture
    def tx(self, tmp_path: Path) -> Iterator[AuthUnit]:
        connection = sqlite3.connect(":memory:", isolation_level=None)
        connection.execute("PRAGMA foreign_keys=ON")
        migrate(connection, AUTH.name, tmp_path / "auth.db")
        connection.execute("BEGIN IMMEDIATE")
        yield AuthUnit(connection, tmp_path)
        connection.close()
