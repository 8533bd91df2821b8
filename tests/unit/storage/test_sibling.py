"""Reading another actor's database in the middle of a transaction: current, read-only, and honest when it cannot."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocols.errors import Refusal
from storage import Database, Schema, Unit
from storage.sibling import Sibling

# A schema without migrations of its own: what every database has is enough here.
PLAIN = Schema("plain", Unit)


@pytest.fixture
def sibling(tmp_path: Path) -> Iterator[Sibling[Unit]]:
    sibling = Sibling(PLAIN, tmp_path)
    yield sibling
    sibling.close()


def change(unit: Unit) -> int:
    return unit.journal.change()


async def test_it_reads_what_the_owner_committed_and_its_version_moves(tmp_path: Path, sibling: Sibling[Unit]) -> None:
    owner = await Database.open(PLAIN, tmp_path)
    try:
        before = sibling.version()
        assert sibling.read(change) == 0
        assert sibling.version() == before
        await owner.run(lambda tx: tx.journal.next_change())
        assert sibling.version() != before
        assert sibling.read(change) == 1
    finally:
        await owner.close()


async def test_it_reads_on_when_the_owner_has_gone(tmp_path: Path, sibling: Sibling[Unit]) -> None:
    owner = await Database.open(PLAIN, tmp_path)
    await owner.run(lambda tx: tx.journal.next_change())
    await owner.close()
    assert sibling.read(change) == 1


async def test_it_cannot_write(tmp_path: Path, sibling: Sibling[Unit]) -> None:
    owner = await Database.open(PLAIN, tmp_path)
    try:
        with pytest.raises(Refusal, match="readonly"):
            sibling.read(lambda tx: tx.journal.next_change())
        assert sibling.read(change) == 0
    finally:
        await owner.close()


async def test_a_missing_file_is_unavailable_until_it_is_there(tmp_path: Path, sibling: Sibling[Unit]) -> None:
    with pytest.raises(Refusal) as caught:
        sibling.version()
    assert caught.value.code == "unavailable"
    assert not (tmp_path / "plain.db").exists(), "looking must not create it"
    owner = await Database.open(PLAIN, tmp_path)
    try:
        assert sibling.read(change) == 0
    finally:
        await owner.close()


async def test_a_database_that_newer_code_migrated_is_not_read(tmp_path: Path, sibling: Sibling[Unit]) -> None:
    owner = await Database.open(PLAIN, tmp_path)
    try:
        assert sibling.read(change) == 0
        await owner.run(lambda tx: tx.connection.execute("INSERT INTO migration VALUES ('plain/0099')").rowcount)
        with pytest.raises(Refusal, match="another version") as caught:
            sibling.read(change)
        assert caught.value.code == "unavailable"
    finally:
        await owner.close()


async def test_a_restored_file_is_noticed(tmp_path: Path, sibling: Sibling[Unit]) -> None:
    owner = await Database.open(PLAIN, tmp_path)
    await owner.run(lambda tx: tx.journal.next_change(7))
    await owner.close()
    copy = tmp_path / "copy.db"
    with sqlite3.connect(tmp_path / "plain.db") as connection:
        connection.execute("VACUUM INTO ?", (str(copy),))
    connection.close()
    owner = await Database.open(PLAIN, tmp_path)
    await owner.run(lambda tx: tx.journal.next_change())
    await owner.close()
    before = sibling.version()
    assert sibling.read(change) == 8
    sibling_files = [tmp_path / "plain.db-wal", tmp_path / "plain.db-shm"]
    for file in sibling_files:
        file.unlink(missing_ok=True)
    copy.rename(tmp_path / "plain.db")
    assert sibling.version() != before
    assert sibling.read(change) == 7


async def test_a_failing_question_leaves_no_transaction_open(tmp_path: Path, sibling: Sibling[Unit]) -> None:
    owner = await Database.open(PLAIN, tmp_path)

    def fail(_: Unit) -> None:
        raise LookupError("mine")

    try:
        with pytest.raises(LookupError):
            sibling.read(fail)
        assert sibling.read(change) == 0
    finally:
        await owner.close()
