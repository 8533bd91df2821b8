"""Who hides what they read: known at once of who comes, and a look later of what others have changed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from protocols.errors import Refusal
from protocols.notifier import Preferences
from storage import Database, Reader
from storage.notifier import NOTIFIER, NotifierUnit
from tests.support.people import ANN, BOB, CAT
from tests.support.waiting import eventually
from web.privacy import Privacy

Result = TypeVar("Result")

HIDING = Preferences(read_receipts=False)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database[NotifierUnit]]:
    opened = await Database.open(NOTIFIER, tmp_path)
    yield opened
    await opened.close()


@pytest.fixture
async def reader(tmp_path: Path) -> AsyncIterator[Reader[NotifierUnit]]:
    opened = Reader(NOTIFIER, tmp_path)
    yield opened
    await opened.close()


async def test_nobody_hides_anything_before_there_is_a_notifier(reader: Reader[NotifierUnit]) -> None:
    privacy = Privacy(reader)
    await privacy.enter(ANN)
    assert not privacy.hides(ANN)
    with pytest.raises(Refusal):
        await privacy.look({ANN})


async def test_it_is_known_of_whoever_comes(database: Database[NotifierUnit], reader: Reader[NotifierUnit]) -> None:
    await database.run(lambda tx: tx.wishes.prefer(ANN, HIDING))
    await database.run(lambda tx: tx.wishes.prefer(BOB, Preferences()))
    privacy = Privacy(reader)
    for person in (ANN, BOB, CAT):
        await privacy.enter(person)
    assert [privacy.hides(person) for person in (ANN, BOB, CAT)] == [True, False, False]


async def test_a_look_tells_what_was_changed_elsewhere(
    database: Database[NotifierUnit], reader: Reader[NotifierUnit]
) -> None:
    privacy = Privacy(reader)
    await privacy.enter(ANN)
    await privacy.look({ANN, BOB})
    await database.run(lambda tx: tx.wishes.prefer(ANN, HIDING))
    assert not privacy.hides(ANN)
    await privacy.look({ANN, BOB})
    assert (privacy.hides(ANN), privacy.hides(BOB)) == (True, False)
    await database.run(lambda tx: tx.wishes.prefer(ANN, Preferences()))
    await privacy.look({ANN, BOB})
    assert not privacy.hides(ANN)


async def test_what_was_set_here_holds_at_once_and_until_it_is_changed_elsewhere(
    database: Database[NotifierUnit], reader: Reader[NotifierUnit]
) -> None:
    privacy = Privacy(reader)
    await privacy.enter(ANN)
    await privacy.look({ANN})
    await database.run(lambda tx: tx.wishes.prefer(ANN, HIDING))
    privacy.note(ANN, HIDING)
    assert privacy.hides(ANN)
    await privacy.look({ANN})
    await privacy.look({ANN})
    assert privacy.hides(ANN)


async def test_nobody_is_asked_after_while_nothing_has_changed(
    database: Database[NotifierUnit], reader: Reader[NotifierUnit]
) -> None:
    asked: list[str] = []

    def trace(tx: NotifierUnit) -> None:
        tx.connection.set_trace_callback(asked.append)

    privacy = Privacy(reader)
    await privacy.look({ANN})
    await reader.read(trace)
    await privacy.look({ANN})
    assert not [statement for statement in asked if "preferences" in statement]
    await privacy.look({ANN, BOB})
    assert len([statement for statement in asked if "preferences" in statement]) == 1
    await database.run(lambda tx: tx.wishes.prefer(CAT, HIDING))
    await privacy.look({ANN, BOB})
    assert len([statement for statement in asked if "preferences" in statement]) == 2


class Held(Reader[NotifierUnit]):
    """Reads, and keeps what it read until it is let go."""

    gate: asyncio.Event | None = None
    has_read = False

    async def read(self, work: Callable[[NotifierUnit], Result]) -> Result:
        result = await super().read(work)
        self.has_read = True
        if self.gate is not None:
            await self.gate.wait()
        return result


async def test_who_left_is_forgotten_and_who_comes_during_a_look_is_not(
    database: Database[NotifierUnit], tmp_path: Path
) -> None:
    for person in (ANN, BOB, CAT):
        await database.run(lambda tx, one=person: tx.wishes.prefer(one, HIDING))  # type: ignore[misc]  # (lambda default)
    reader = Held(NOTIFIER, tmp_path)
    try:
        privacy = Privacy(reader)
        await privacy.enter(ANN)
        await privacy.enter(BOB)
        reader.gate, reader.has_read = asyncio.Event(), False
        look = asyncio.create_task(privacy.look({ANN}))
        await eventually(lambda: reader.has_read)
        privacy.note(CAT, HIDING)
        reader.gate.set()
        await look
        assert [privacy.hides(person) for person in (ANN, BOB, CAT)] == [True, False, True]
    finally:
        await reader.close()


async def test_what_is_known_holds_while_it_cannot_be_read_and_who_comes_then_hides(
    database: Database[NotifierUnit], reader: Reader[NotifierUnit]
) -> None:
    await database.run(lambda tx: tx.wishes.prefer(ANN, HIDING))
    privacy = Privacy(reader)
    await privacy.enter(ANN)
    await database.run(lambda tx: tx.wishes.prefer(CAT, Preferences()))
    await privacy.enter(CAT)
    await reader.close()
    await database.run(lambda tx: tx.connection.execute("INSERT INTO migration VALUES ('notifier/9999')").rowcount)
    with pytest.raises(Refusal):
        await privacy.look({ANN, CAT})
    await privacy.enter(BOB)
    assert [privacy.hides(person) for person in (ANN, BOB, CAT)] == [True, True, False]
    await database.run(lambda tx: tx.connection.execute("DELETE FROM migration WHERE name = 'notifier/9999'").rowcount)
    await privacy.look({ANN, BOB, CAT})
    assert [privacy.hides(person) for person in (ANN, BOB, CAT)] == [True, False, False]
