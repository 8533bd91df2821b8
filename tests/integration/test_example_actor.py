"""The actor that docs/writing-an-actor.md shows really runs, as it stands there."""

from pathlib import Path

import pytest
from msgspec import json, msgpack

import examples.counter
from actors.runtime import Environment, Mail
from examples.counter import Counted, Counter, Increment
from protocols.mail import Outcome
from settings import Paths
from storage import Database, Reader
from tests.support.mailing import Recorder, recording_front, running_owner
from tests.support.node import installation
from tests.support.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = Path(examples.counter.__file__).parent


async def increment(front: Recorder, number: str, by: int) -> Outcome:
    """Tell the counter, and wait for what became of it."""
    correlation = f"{front.post.incarnation}/{number}"
    before = len(front.outcomes.get(correlation, []))
    front.post.tell("router", Increment(by=by), id=number, person="ann", correlation=correlation)
    outcomes = await eventually(lambda: front.outcomes.get(correlation, [])[before:], within=15)
    return outcomes[0]


@pytest.mark.integration
async def test_it_counts_each_command_once_whatever_is_killed(environment: Environment) -> None:
    async with recording_front(environment) as front, running_owner(environment, "tests.support.counter") as owner:
        first = await increment(front, "a", 2)
        assert msgpack.decode(first.value or b"", type=Counted) == Counted(total=2)
        await owner.kill()
        await owner.start()
        assert await increment(front, "a", 2) == first, "a duplicate is told what the first one was told"
        second = await increment(front, "b", 3)
        assert msgpack.decode(second.value or b"", type=Counted) == Counted(total=5)
        refused = await increment(front, "c", -1)
        assert refused.error is not None
        assert (refused.error.code, refused.error.fields) == ("invalid", {"by": "It only goes up."})
        told = [(push.to, json.decode(push.frame)) for push in front.pushes]
        # Killed before it acknowledged the first one, it told of that once more.
        assert len(told) >= 3
        assert told == [(["ann"], {"type": "counted", "total": total}) for total in [2] * (len(told) - 1) + [5]]
        assert await owner.stop() == 0
    reader = Reader(Counter.schema, environment.paths.databases)
    try:
        assert await reader.read(lambda tx: tx.total("ann")) == 5
    finally:
        await reader.close()


async def test_its_handler_needs_neither_broker_nor_process(tmp_path: Path) -> None:
    """The lines under "Testing it"."""
    settings = installation(tmp_path)
    counter = Counter(Environment(settings, Paths.of(settings)))
    database = await Database.open(Counter.schema, tmp_path)
    mail = Mail(id="a", person="ann", command=Increment(by=2), now=0)
    assert await database.run(lambda tx: counter.increment(tx, mail)) == Counted(total=2)
    await database.close()


def test_the_page_shows_it_as_it_is() -> None:
    page = (ROOT / "docs" / "writing-an-actor.md").read_text(encoding="utf-8")
    for language, file in (("python", EXAMPLE / "__init__.py"), ("sql", EXAMPLE / "0001.sql")):
        assert f"```{language}\n{file.read_text(encoding='utf-8')}```" in page, f"{file.name} differs from the page"


def test_it_is_about_forty_lines() -> None:
    lines = (EXAMPLE / "__init__.py").read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if line.strip()]) <= 45
