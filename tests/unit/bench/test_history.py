"""A log that was filled is one that router itself could have written."""

from pathlib import Path

from bench.history import Told, fill
from protocols.values import conversation_of
from storage import Database
from storage.router import ROUTER


async def test_a_filled_log_has_no_holes_and_can_be_read_on(tmp_path: Path) -> None:
    await fill(tmp_path, [Told("ann", "bob", 3), Told("bob", "ann", 1), Told("cat", "ann", 2)])
    database = await Database.open(ROUTER, tmp_path)
    try:
        changes, _, more = await database.read(lambda tx: tx.messages.changes("ann", 0, 50))
        page, older = await database.read(lambda tx: tx.messages.before(conversation_of("ann", "bob"), None, 50))
        head = await database.read(lambda tx: tx.journal.change())
        assert [one.change for one in changes] == [1, 2, 3, 4, 5, 6] == list(range(1, head + 1))
        assert [(one.seq, one.sender) for one in page] == [(1, "ann"), (2, "bob"), (3, "ann"), (4, "ann")]
        assert not more
        assert not older
        # Whoever writes next goes on from there.
        assert len({one.client_id for one in page if one.sender == "ann"}) == 3
        rows = await database.read(lambda tx: tx.connection.execute("PRAGMA integrity_check").fetchall())
        assert rows == [("ok",)]
    finally:
        await database.close()
