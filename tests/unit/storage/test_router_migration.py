"""Router databases of earlier versions are brought along.

What each had read stays read, and seen by the other; messages from before there were files have none, and new ones can.
"""

import sqlite3
from pathlib import Path

from protocols.frames import FileInfo
from protocols.records import ReceiptRecord
from storage import Database
from storage.messages import Draft
from storage.migrate import LEDGER, scripts
from storage.router import ROUTER, RouterUnit

BEFORE_PRIVACY = "router/0001"
BEFORE_FILES = "router/0003"


def write_old(file: Path, latest: str) -> None:
    """A conversation of two messages, as the schema held it whose latest migration was that."""
    with sqlite3.connect(file, isolation_level=None) as connection:
        connection.execute(LEDGER)
        for name, path in scripts(ROUTER.name).items():
            if name <= latest:
                connection.executescript(path.read_text(encoding="utf-8"))
                connection.execute("INSERT INTO migration VALUES (?)", (name,))
        connection.execute(
            "INSERT INTO conversation (key, id, low, high, seq, version, change, low_last, low_delivered, "
            "low_read, low_change, high_last, high_delivered, high_read, high_change) "
            "VALUES (1, 'c', 'ann', 'bob', 2, 2, 4, 1, 2, 1, 3, 2, 1, 0, 4)"
        )
        for seq, sender in ((1, "ann"), (2, "bob")):
            connection.execute(
                "INSERT INTO message (born, conversation, seq, version, change, first_version, sender, client_id, "
                "fingerprint, at, body) VALUES (?, 1, ?, ?, ?, ?, ?, ?, x'00', 1, 'hello')",
                (seq, seq, seq, seq, seq, sender, f"c{seq}"),
            )
        connection.execute("UPDATE log SET change = 4")
    connection.close()


async def test_everybody_sees_after_it_what_they_saw_before(tmp_path: Path) -> None:
    write_old(tmp_path / "router.db", BEFORE_PRIVACY)
    database = await Database.open(ROUTER, tmp_path)
    try:
        (ann,) = await database.read(lambda tx: tx.conversations.of("ann"))
        (bob,) = await database.read(lambda tx: tx.conversations.of("bob"))
        assert (ann.my_delivered, ann.my_read, ann.peer_delivered, ann.peer_read) == (2, 1, 1, 0)
        assert (bob.my_delivered, bob.my_read, bob.peer_delivered, bob.peer_read) == (1, 0, 2, 1)
        assert (ann.unread, ann.unread_from, bob.unread, bob.unread_from) == (1, 0, 1, 0)
        changes, _, _ = await database.read(lambda tx: tx.messages.changes("bob", 2, 9))
        assert changes == [
            ReceiptRecord(conversation="c", user="ann", delivered=2, read=1, change=3),
            ReceiptRecord(conversation="c", user="bob", delivered=1, read=0, change=4),
        ]
    finally:
        await database.close()


async def test_messages_from_before_files_have_none_and_new_ones_can(tmp_path: Path) -> None:
    write_old(tmp_path / "router.db", BEFORE_FILES)
    file = FileInfo(id="u1", name="a.txt", type="text/plain", size=1)

    def add(tx: RouterUnit) -> None:
        thread = tx.conversations.thread("c")
        assert thread is not None
        thread.seq = thread.version = 3
        thread.change = tx.journal.next_change()
        draft = Draft(thread, 3, 3, "ann", "c3", b"", 2, "", None, thread.change, file)
        tx.messages.add([draft])
        tx.conversations.save([thread])

    database = await Database.open(ROUTER, tmp_path)
    try:
        await database.run(add)
        page, _ = await database.read(lambda tx: tx.messages.before("c", None, 9))
        assert [(one.body, one.file) for one in page] == [("hello", None), ("hello", None), ("", file)]
    finally:
        await database.close()
