"""What an owner keeps of its rows in memory between transactions, and what a reader must not."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from protocols.values import conversation_of
from storage import Database, Reader
from storage.router import ROUTER, RouterUnit
from tests.contract.test_messages import write
from tests.support.people import ANN, BOB

WITH_BOB = conversation_of(ANN, BOB)


class Told(Exception):  # noqa: N818  (not an error: it ends a transaction)
    pass


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database[RouterUnit]]:
    one = await Database.open(ROUTER, tmp_path)
    await one.run(lambda tx: write(tx, ANN, BOB, client_id="first"))
    yield one
    await one.close()


def place(tx: RouterUnit) -> int:
    thread = tx.conversations.thread(WITH_BOB)
    return thread.seq if thread else 0


def fail(tx: RouterUnit) -> None:
    """As a handler does that fails before it has saved."""
    thread = tx.conversations.thread(WITH_BOB)
    assert thread is not None
    thread.seq += 1
    tx.decided.note(ANN, "second")
    raise Told


async def test_a_transaction_that_fails_leaves_nothing_in_memory(database: Database[RouterUnit]) -> None:
    with pytest.raises(Told):
        await database.run(fail)
    assert await database.run(place) == 1
    assert not await database.run(lambda tx: tx.decided.includes(ANN, "second"))
    assert await database.run(lambda tx: tx.decided.includes(ANN, "first"))


async def test_nor_does_a_part_that_is_taken_back(database: Database[RouterUnit]) -> None:
    def fail_inside(tx: RouterUnit) -> int:
        with pytest.raises(Told), tx.savepoint():
            fail(tx)
        return place(tx)

    assert await database.run(fail_inside) == 1
    assert not await database.run(lambda tx: tx.decided.includes(ANN, "second"))


async def test_a_reader_sees_what_its_owner_wrote_since(database: Database[RouterUnit], tmp_path: Path) -> None:
    reader = Reader(ROUTER, tmp_path)
    try:
        assert await reader.read(place) == 1
        await database.run(lambda tx: write(tx, ANN, BOB))
        assert await reader.read(place) == 2
    finally:
        await reader.close()


async def test_what_is_kept_is_bounded(database: Database[RouterUnit], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.conversations.KEPT", 2)
    monkeypatch.setattr("storage.decided.PEOPLE", 2)

    def many(tx: RouterUnit) -> tuple[int, int]:
        for number in range(9):
            write(tx, ANN, f"someone{number}")
            tx.conversations.thread(conversation_of(ANN, f"someone{number}"))
            tx.decided.note(f"someone{number}", "first")
        return len(tx.conversations._kept), len(tx.decided._latest)

    kept, latest = await database.run(many)
    assert (kept <= 2, latest <= 2) == (True, True)
