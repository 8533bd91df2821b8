"""What every implementation of router's repositories must do; the one there is lies on SQLite."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from protocols.frames import FileInfo, Reaction
from protocols.records import Conversation, MessageRecord, ReceiptRecord
from protocols.values import conversation_of
from storage.messages import Draft, Sent
from storage.migrate import migrate
from storage.router import ROUTER, RouterUnit
from tests.support.people import ANN, BOB, CAT, DAN

AT = 1_700_000_000_000
WITH_BOB, WITH_CAT = conversation_of(ANN, BOB), conversation_of(ANN, CAT)


def write(
    tx: RouterUnit,
    sender: str,
    to: str,
    body: str = "x",
    *,
    client_id: str = "",
    reply_to: int | None = None,
    file: FileInfo | None = None,
) -> int:
    """Store a message as its owner does; returns its place."""
    conversation = conversation_of(sender, to)
    thread = tx.conversations.thread(conversation) or tx.conversations.begin(sender, to)
    thread.seq += 1
    thread.version += 1
    thread.change = tx.journal.next_change()
    thread.side(sender).last = thread.seq
    tx.messages.add([
        Draft(
            thread=thread,
            seq=thread.seq,
            version=thread.version,
            sender=sender,
            client_id=client_id or f"{conversation}{thread.seq}",
            fingerprint=b"mark",
            at=AT,
            body=body,
            reply_to=reply_to,
            change=thread.change,
            file=file,
        )
    ])  # fmt: skip
    tx.conversations.save([thread])
    return thread.seq


def change(tx: RouterUnit, one: str, other: str, seq: int, body: str | None = "new") -> None:
    """Edit a message, or erase it where there is no body."""
    thread = tx.conversations.thread(conversation_of(one, other))
    assert thread is not None
    thread.version += 1
    thread.change = tx.journal.next_change()
    tx.conversations.save([thread])
    if body is None:
        tx.messages.erase(thread, seq)
    else:
        tx.messages.edit(thread, seq, body, AT + 1)


def receive(
    tx: RouterUnit, person: str, peer: str, delivered: int, read: int, *, private: bool = False, marked: int = 0
) -> None:
    thread = tx.conversations.thread(conversation_of(person, peer))
    assert thread is not None
    side = thread.side(person)
    side.delivered, side.read = delivered, read
    side.marked = marked
    side.change = thread.change = tx.journal.next_change()
    if not private:
        side.seen, side.told = read, side.change
    tx.conversations.save([thread])


def bodies(records: list[MessageRecord]) -> list[str]:
    return [one.body for one in records]


class MessagesContract:
    """Subclasses provide `tx`, on an empty database."""

    def test_an_empty_house(self, tx: RouterUnit) -> None:
        assert tx.conversations.get(WITH_BOB) is None
        assert tx.conversations.thread(WITH_BOB) is None
        assert tx.conversations.of(ANN) == []
        assert tx.receipts.of(WITH_BOB) == []
        assert tx.messages.get(WITH_BOB, 1) is None
        assert tx.messages.sent(ANN, "c") is None
        assert tx.messages.before(WITH_BOB, None, 50) == ([], False)
        assert tx.messages.since(WITH_BOB, 0, 50) == ([], 0, False)
        assert tx.messages.changes(ANN, 0, 50) == ([], 0, False)

    def test_what_is_stored_is_got(self, tx: RouterUnit) -> None:
        write(tx, BOB, ANN, "?", client_id="first")
        write(tx, ANN, BOB, "a\x00b\U0001f600", client_id="second", reply_to=1)
        assert tx.messages.get(WITH_BOB, 2) == MessageRecord(
            conversation=WITH_BOB,
            seq=2,
            version=2,
            change=2,
            message_id=f"{WITH_BOB}-2",
            client_id="second",
            sender=ANN,
            at=AT,
            body="a\x00b\U0001f600",
            reply_to=f"{WITH_BOB}-1",
        )
        assert tx.messages.sent(ANN, "second") == Sent(WITH_BOB, 2, 2, AT, b"mark")
        assert tx.messages.sent(BOB, "second") is None
        conversation = tx.conversations.get(WITH_BOB)
        assert conversation == Conversation(WITH_BOB, ANN, BOB, 2, 2)
        assert (conversation.peer_of(ANN), conversation.peer_of(BOB)) == (BOB, ANN)
        assert (conversation.includes(BOB), conversation.includes(CAT)) == (True, False)

    def test_an_erased_message_keeps_its_place_and_its_client_id(self, tx: RouterUnit) -> None:
        write(tx, ANN, BOB, "one", client_id="first")
        thread = tx.conversations.thread(WITH_BOB)
        assert thread is not None
        tx.messages.react(thread, 1, (Reaction("\u2764", [BOB, ANN]), Reaction("\u2600", [BOB])))
        record = tx.messages.get(WITH_BOB, 1)
        assert record is not None
        assert record.reactions == (Reaction("\u2764", [BOB, ANN]), Reaction("\u2600", [BOB]))
        change(tx, ANN, BOB, 1, "two")
        record = tx.messages.get(WITH_BOB, 1)
        assert record is not None
        assert (record.body, record.version, record.edited_at) == ("two", 2, AT + 1)
        change(tx, ANN, BOB, 1, None)
        record = tx.messages.get(WITH_BOB, 1)
        assert record is not None
        assert (record.deleted, record.body, record.reactions, record.edited_at) == (True, "", (), None)
        assert tx.messages.sent(ANN, "first") == Sent(WITH_BOB, 1, 1, AT, b"mark"), "its sender was told version 1"

    def test_a_file_is_found_wherever_its_message_is_until_that_is_erased(self, tx: RouterUnit) -> None:
        file = FileInfo(id="u1", name="\u202egpj.exe", type="image/png", size=2**40, width=3, preview=True)
        write(tx, ANN, BOB, "", file=file)
        assert tx.messages.files_referred(["u0", "u1"]) == {"u1"}
        page, _ = tx.messages.before(WITH_BOB, None, 9)
        fed, _, _ = tx.messages.since(WITH_BOB, 0, 9)
        changes, _, _ = tx.messages.changes(BOB, 0, 9)
        (summary,) = tx.conversations.of(BOB)
        for record in (*page, *fed, *changes, summary.last_message, tx.messages.get(WITH_BOB, 1)):
            assert isinstance(record, MessageRecord)
            assert record.file == file
        change(tx, ANN, BOB, 1, "caption")
        edited = tx.messages.get(WITH_BOB, 1)
        assert edited is not None
        assert (edited.body, edited.file) == ("caption", file)
        change(tx, ANN, BOB, 1, None)
        erased = tx.messages.get(WITH_BOB, 1)
        assert erased is not None
        assert (erased.deleted, erased.file) == (True, None)
        assert tx.messages.files_referred(["u1"]) == set()

    def test_a_file_belongs_to_one_message(self, tx: RouterUnit) -> None:
        file = FileInfo(id="u1", name="a", type="", size=0)
        write(tx, ANN, BOB, file=file)
        with pytest.raises(sqlite3.IntegrityError):
            write(tx, ANN, BOB, file=file)

    def test_a_client_id_is_never_used_twice(self, tx: RouterUnit) -> None:
        write(tx, ANN, BOB, client_id="same")
        write(tx, BOB, ANN, client_id="same")
        with pytest.raises(sqlite3.IntegrityError):
            write(tx, ANN, CAT, client_id="same")

    def test_history_in_pages(self, tx: RouterUnit) -> None:
        for number in range(1, 8):
            write(tx, ANN, BOB, str(number))
            write(tx, ANN, CAT, "elsewhere")
        page, more = tx.messages.before(WITH_BOB, None, 3)
        assert (bodies(page), more) == (["5", "6", "7"], True)
        page, more = tx.messages.before(WITH_BOB, 5, 3)
        assert (bodies(page), more) == (["2", "3", "4"], True)
        page, more = tx.messages.before(WITH_BOB, 2, 3)
        assert (bodies(page), more) == (["1"], False)
        assert tx.messages.before(WITH_BOB, 1, 3) == ([], False)
        assert bodies(tx.messages.before(WITH_BOB, 2**60, 50)[0]) == list("1234567")

    def test_since_a_version_in_pages(self, tx: RouterUnit) -> None:
        for number in range(1, 6):
            write(tx, ANN, BOB, str(number))
            write(tx, ANN, CAT, "elsewhere")
        change(tx, ANN, BOB, 2, "2'")
        receive(tx, BOB, ANN, 5, 5)
        page, at, more = tx.messages.since(WITH_BOB, 0, 3)
        assert (bodies(page), at, more) == (["1", "3", "4"], 4, True)
        page, at, more = tx.messages.since(WITH_BOB, at, 3)
        assert (bodies(page), at, more) == (["5", "2'"], 6, False)
        assert tx.messages.since(WITH_BOB, 6, 3) == ([], 6, False)
        assert tx.messages.since(WITH_BOB, 99, 3) == ([], 99, False)
        page, at, more = tx.messages.since(WITH_BOB, 5, 1)
        assert (bodies(page), at, more) == (["2'"], 6, False)

    def test_changes_of_a_person_in_pages(self, tx: RouterUnit) -> None:
        write(tx, ANN, BOB, "b1")
        write(tx, CAT, DAN, "not Ann's")
        write(tx, CAT, ANN, "c1")
        write(tx, BOB, ANN, "b2")
        receive(tx, BOB, ANN, 1, 0)
        change(tx, ANN, BOB, 1, "b1'")
        write(tx, CAT, DAN, "not Ann's either")
        found: list[str] = []
        at, more, pages = 0, True, 0
        while more:
            page, at, more = tx.messages.changes(ANN, at, 2)
            pages += 1
            found += [one.body if isinstance(one, MessageRecord) else f"{one.user} {one.delivered}" for one in page]
        assert (found, pages, at) == (["c1", "b2", f"{BOB} 1", "b1'"], 2, 7)
        assert tx.messages.changes(ANN, 7, 2) == ([], 7, False)
        assert tx.messages.changes(ANN, 99, 2) == ([], 99, False)
        page, at, more = tx.messages.changes(BOB, 4, 1)
        assert (page, at, more) == (
            [ReceiptRecord(conversation=WITH_BOB, user=BOB, delivered=1, read=0, change=5)],
            5,
            True,
        )

    def test_the_list_of_conversations(self, tx: RouterUnit) -> None:
        for body in ("1", "2", "3"):
            write(tx, BOB, ANN, body)
        write(tx, ANN, BOB, "4")
        write(tx, ANN, CAT, "1")
        write(tx, CAT, BOB, "not Ann's")
        receive(tx, ANN, BOB, 2, 1)
        receive(tx, BOB, ANN, 4, 4)
        change(tx, BOB, ANN, 3, None)
        bob, cat = sorted(tx.conversations.of(ANN), key=lambda one: one.peer)
        assert (bob.id, bob.peer, bob.seq, bob.version, bob.unread) == (WITH_BOB, BOB, 4, 5, 1)
        assert (bob.my_read, bob.my_delivered, bob.peer_read, bob.peer_delivered) == (1, 2, 4, 4)
        assert bob.last_message == tx.messages.get(WITH_BOB, 4)
        assert (cat.id, cat.peer, cat.unread, cat.last_message) == (WITH_CAT, CAT, 0, tx.messages.get(WITH_CAT, 1))
        (ann,) = (one for one in tx.conversations.of(BOB) if one.peer == ANN)
        assert (ann.my_read, ann.my_delivered, ann.peer_read, ann.peer_delivered, ann.unread) == (4, 4, 1, 2, 0)

    def test_what_is_read_in_private_shows_to_oneself_alone(self, tx: RouterUnit) -> None:
        for _ in range(3):
            write(tx, BOB, ANN)
        receive(tx, ANN, BOB, 2, 1)
        receive(tx, ANN, BOB, 2, 2, private=True)
        (mine,) = tx.conversations.of(ANN)
        assert (mine.my_read, mine.unread, mine.unread_from) == (2, 1, 0)
        (theirs,) = tx.conversations.of(BOB)
        assert (theirs.peer_delivered, theirs.peer_read) == (2, 1)
        page, at, _ = tx.messages.changes(ANN, 3, 9)
        assert page == [ReceiptRecord(conversation=WITH_BOB, user=ANN, delivered=2, read=2, change=5)]
        page, at, _ = tx.messages.changes(BOB, 3, 9)
        assert page == [ReceiptRecord(conversation=WITH_BOB, user=ANN, delivered=2, read=1, change=4)]
        assert tx.messages.changes(BOB, 4, 9) == ([], 5, False), "not even that there was something to be seen"
        assert at == 5

    def test_a_mark_counts_from_its_place_on_and_for_oneself_alone(self, tx: RouterUnit) -> None:
        for sender, peer in ((BOB, ANN), (BOB, ANN), (ANN, BOB), (BOB, ANN), (BOB, ANN)):
            write(tx, sender, peer)
        change(tx, BOB, ANN, 4, None)
        receive(tx, ANN, BOB, 5, 5)
        receive(tx, ANN, BOB, 5, 5, private=True, marked=2)
        (mine,) = tx.conversations.of(ANN)
        assert (mine.my_read, mine.unread, mine.unread_from) == (5, 2, 2)
        (theirs,) = tx.conversations.of(BOB)
        assert (theirs.peer_read, theirs.unread_from) == (5, 0)
        (record,) = tx.messages.changes(ANN, 7, 9)[0]
        assert isinstance(record, ReceiptRecord)
        assert record.unread_from == 2
        assert [one.unread_from for one in tx.receipts.of(WITH_BOB)] == [2, 0]
        assert tx.messages.changes(BOB, 7, 9)[0] == []

    def test_what_others_write_costs_a_person_nothing(self, tx: RouterUnit, effort: Callable[[], int]) -> None:
        for peer in (BOB, CAT, DAN):
            for _ in range(30):
                write(tx, ANN, peer)

        def reading() -> int:
            effort()
            tx.messages.changes(ANN, 40, 20)
            tx.messages.changes(ANN, 90, 20)
            tx.messages.since(WITH_BOB, 20, 5)
            tx.messages.before(WITH_CAT, None, 5)
            tx.conversations.of(ANN)
            return effort()

        before = reading()
        for number in range(400):
            write(tx, f"x{number % 10}", "y")
        # A tree a level deeper, and ten times the change numbers to bisect, are what may show.
        assert reading() < before * 1.5


class TestMessagesOnSqlite(MessagesContract):
    @pytest.fixture
    def connection(self, tmp_path: Path) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(tmp_path / "router.db", isolation_level=None)
        migrate(connection, ROUTER.name, tmp_path / "router.db")
        yield connection
        connection.close()

    @pytest.fixture
    def tx(self, connection: sqlite3.Connection, tmp_path: Path) -> RouterUnit:
        return RouterUnit(connection, tmp_path)

    @pytest.fixture
    def effort(self, connection: sqlite3.Connection) -> Callable[[], int]:
        """Steps of SQLite's machine since the last call: the same on every computer."""
        steps = [0]

        def step() -> int:
            steps[0] += 1
            return 0

        connection.set_progress_handler(step, 1)

        def since_last() -> int:
            done, steps[0] = steps[0], 0
            return done

        return since_last
