"""Messages: the log of each conversation, and the ways to read on in it."""

import sqlite3
from collections.abc import Iterable, Sequence

from msgspec import Struct, json

from protocols.frames import FileInfo
from protocols.records import MessageRecord, ReceiptRecord
from storage.conversations import Thread
from storage.feed import Feed
from storage.journal import Journal
from storage.message_rows import COLUMNS, Reactions, packed, packed_file, record


class Draft(Struct):
    """A message about to be stored: its place is counted on from its thread; its change is set before `add`.

    `file` says what never changes of it, and nothing else.
    """

    thread: Thread
    seq: int
    version: int
    sender: str
    client_id: str
    fingerprint: bytes
    at: int
    body: str
    reply_to: int | None
    change: int = 0
    file: FileInfo | None = None


class Sent(Struct, frozen=True):
    """What was once stored under a client_id. `version` is the one its sender was told."""

    conversation: str
    seq: int
    version: int
    at: int
    fingerprint: bytes


_ADD = """
INSERT INTO message
    (born, conversation, seq, version, change, first_version, sender, client_id, fingerprint, at, body, reply_to,
    file, file_info)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_SENT = """
SELECT c.id, m.seq, m.first_version, m.at, m.fingerprint
FROM message AS m JOIN conversation AS c ON c.key = m.conversation WHERE m.sender = ? AND m.client_id = ?
"""
_FROM = f"SELECT c.id, {COLUMNS} FROM conversation AS c JOIN message AS m ON m.conversation = c.key WHERE c.id = ?"
_PLACE = "WHERE conversation = ? AND seq = ?"


class Messages:
    """Whoever writes has counted on the thread (seq, version, change) and saves it in the same transaction."""

    def __init__(self, connection: sqlite3.Connection, journal: Journal) -> None:
        self._connection = connection
        self._feed = Feed(connection, journal)

    # Writing.

    def sent(self, sender: str, client_id: str) -> Sent | None:
        """What is stored under this client_id, even when it was deleted since."""
        row = self._connection.execute(_SENT, (sender, client_id)).fetchone()
        return None if row is None else Sent(*row)

    def add(self, drafts: Iterable[Draft]) -> None:
        """Store messages, whose `change` is set by now."""
        self._connection.executemany(
            _ADD,
            [
                (
                    *(d.change, d.thread.key, d.seq, d.version, d.change, d.version),
                    *(d.sender, d.client_id, d.fingerprint, d.at, d.body, d.reply_to, *packed_file(d.file)),
                )
                for d in drafts
            ],
        )

    def edit(self, thread: Thread, seq: int, body: str, at: int) -> None:
        self._connection.execute(
            f"UPDATE message SET version = ?, change = ?, body = ?, edited_at = ? {_PLACE}",
            (thread.version, thread.change, body, at, thread.key, seq),
        )

    def erase(self, thread: Thread, seq: int) -> None:
        """Leave a stub: who and when, at its place, under its client_id."""
        self._connection.execute(
            "UPDATE message SET version = ?, change = ?, body = '', reply_to = NULL, edited_at = NULL, deleted = 1, "
            f"reactions = NULL, file = NULL, file_info = NULL {_PLACE}",
            (thread.version, thread.change, thread.key, seq),
        )

    def react(self, thread: Thread, seq: int, reactions: Reactions) -> None:
        self._connection.execute(
            f"UPDATE message SET version = ?, change = ?, reactions = ? {_PLACE}",
            (thread.version, thread.change, packed(reactions), thread.key, seq),
        )

    # Files.

    def files_referred(self, files: Sequence[str]) -> set[str]:
        """Those of these uploads that a message, not deleted, was sent with."""
        rows = self._connection.execute(
            "SELECT file FROM message WHERE file IN (SELECT value FROM json_each(?))", (json.encode(files).decode(),)
        )
        return {one for (one,) in rows}

    # Reading. Pages are bounded by their callers: at most protocols.values.PAGE_MOST.

    def get(self, conversation: str, seq: int) -> MessageRecord | None:
        row = self._connection.execute(f"{_FROM} AND m.seq = ?", (conversation, seq)).fetchone()
        return None if row is None else record(row)

    def before(self, conversation: str, seq: int | None, limit: int) -> tuple[list[MessageRecord], bool]:
        """The last `limit` messages below `seq` (None: of all), ascending, and whether there are older ones."""
        above = "AND m.seq < ?" if seq is not None else "AND ? IS NULL"
        rows = self._connection.execute(
            f"{_FROM} {above} ORDER BY m.seq DESC LIMIT ?", (conversation, seq, limit + 1)
        ).fetchall()
        return [record(row) for row in reversed(rows[:limit])], len(rows) > limit

    def since(self, conversation: str, version: int, limit: int) -> tuple[list[MessageRecord], int, bool]:
        """Messages that changed after `version`, in order of change: (page, version to go on from, more)."""
        return self._feed.since(conversation, version, limit)

    def changes(self, person: str, change: int, limit: int) -> tuple[list[MessageRecord | ReceiptRecord], int, bool]:
        """What changed in a person's conversations after `change`, in order: (page, change to go on from, more)."""
        return self._feed.changes(person, change, limit)
