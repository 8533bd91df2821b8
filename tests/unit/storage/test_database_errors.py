"""Which of SQLite's errors may be tried again, and which are a fault of ours."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from protocols.errors import Refusal
from storage import Database, Reader
from storage.contacts import CONTACTS, ContactsUnit


def failing(code: int, text: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error


@pytest.fixture
async def reader(tmp_path: Path) -> AsyncIterator[Reader[ContactsUnit]]:
    database = await Database.open(CONTACTS, tmp_path)
    one = Reader(CONTACTS, tmp_path)
    yield one
    await one.close()
    await database.close()


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (sqlite3.SQLITE_BUSY_SNAPSHOT, "database is locked"),
        (sqlite3.SQLITE_FULL, "database or disk is full"),
        (sqlite3.SQLITE_IOERR_READ, "disk I/O error"),
        (sqlite3.SQLITE_PROTOCOL, "locking protocol"),
    ],
)
async def test_what_passes_by_itself_is_unavailable_and_the_next_read_succeeds(
    reader: Reader[ContactsUnit], code: int, text: str
) -> None:
    def work(_: ContactsUnit) -> None:
        raise failing(code, text)

    with pytest.raises(Refusal) as caught:
        await reader.read(work)
    assert caught.value.code == "unavailable"
    assert await reader.read(lambda tx: tx.journal.change()) == 0


async def test_a_damaged_database_is_unavailable_to_its_readers(tmp_path: Path) -> None:
    """An owner says so with what SQLite says; a front that only looks something up there goes on without."""
    database = await Database.open(CONTACTS, tmp_path)
    await database.close()
    reader = Reader(CONTACTS, tmp_path)
    try:
        assert await reader.read(lambda tx: tx.journal.change()) == 0
        file = tmp_path / "contacts.db"
        with file.open("r+b") as opened:
            opened.seek(100)
            opened.write(b"\xff" * (file.stat().st_size - 100))
        with pytest.raises(Refusal) as caught:
            await reader.read(lambda tx: tx.connection.execute("SELECT * FROM side ORDER BY 1").fetchall())
        assert caught.value.code == "unavailable"
        file.unlink()
        await (await Database.open(CONTACTS, tmp_path)).close()
        assert await reader.read(lambda tx: tx.connection.execute("SELECT * FROM side ORDER BY 1").fetchall()) == []
    finally:
        await reader.close()


async def test_a_database_that_may_not_be_looked_at_is_not_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> None:
        raise PermissionError

    reader = Reader(CONTACTS, tmp_path)
    assert reader.missing
    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", refuse)
        assert not reader.missing
        with pytest.raises(Refusal):
            await reader.read(lambda tx: tx.journal.change())


async def test_a_reader_follows_the_name_when_the_file_is_replaced(tmp_path: Path) -> None:
    """As by a backup that is restored while its owner alone is stopped."""

    async def left(changes: int) -> str:
        database = await Database.open(CONTACTS, tmp_path)
        await database.run(lambda tx: tx.journal.next_change(changes))
        epoch = await database.read(lambda tx: tx.journal.epoch())
        await database.close()
        return epoch

    def look(tx: ContactsUnit) -> tuple[str, int]:
        return tx.journal.epoch(), tx.journal.change()

    file, saved = tmp_path / "contacts.db", tmp_path / "saved"
    reader = Reader(CONTACTS, tmp_path)
    try:
        first = await left(3)
        assert await reader.read(look) == (first, 3)
        file.rename(saved)
        with pytest.raises(Refusal):
            await reader.read(look)
        second = await left(5)
        assert await asyncio.gather(*(reader.read(look) for _ in range(5))) == [(second, 5)] * 5
        saved.rename(file)
        assert await asyncio.gather(*(reader.read(look) for _ in range(5))) == [(first, 3)] * 5
    finally:
        await reader.close()


async def test_a_wrong_statement_is_a_fault_and_no_excuse(reader: Reader[ContactsUnit]) -> None:
    with pytest.raises(sqlite3.OperationalError):
        await reader.read(lambda tx: tx.connection.execute("SELECT nothing FROM nowhere"))
    assert await reader.read(lambda tx: tx.journal.change()) == 0
