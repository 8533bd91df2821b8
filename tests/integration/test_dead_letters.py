"""`parley dead` against a real RabbitMQ and a real actor."""

import argparse
import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import Raw, msgpack

from actors.runtime import Environment
from actors.runtime.broker import Outgoing
from actors.runtime.topology import dead_letters
from cli import dead
from cli.exits import CommandError
from protocols.mail import DeadLetter, Envelope, Item, encoder
from settings import Paths, Settings
from storage import Reader
from tests.support.mailing import Recorder, ground, recording_front, running_owner
from tests.support.tally import RAISING, SCHEMA, Write
from tests.support.waiting import SCALE, eventually

pytestmark = pytest.mark.integration


@pytest.fixture
def environment(tmp_path: Path, broker_node: tuple[Settings, Paths], monkeypatch: pytest.MonkeyPatch) -> Environment:
    environment = ground(tmp_path, broker_node)
    monkeypatch.setattr(dead, "load", lambda: environment.settings)
    return environment


@pytest.fixture
async def front(environment: Environment) -> AsyncIterator[Recorder]:
    async with recording_front(environment) as recorder, running_owner(environment):
        await recorder.post.ask("router", Write(word="first"), within=10 * SCALE)
        yield recorder


async def parley(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What the command prints; it brings an event loop of its own."""
    top = argparse.ArgumentParser()
    dead.add_parser(top.add_subparsers(required=True))
    args = top.parse_args(["dead", *arguments])
    assert await asyncio.to_thread(args.run, args) == 0
    return capsys.readouterr().out


async def listed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return list(json.loads(await parley(capsys, "list", "router", "--json"))["letters"])


async def bury(environment: Environment, front: Recorder, word: str, reason: str = "poison: ValueError") -> None:
    """Put a command into the dead letters as the actor would have."""
    item = Item(id=word, person="ann", command=Raw(msgpack.encode(Write(word=word))))
    raw = encoder.encode(Envelope(sender="front.1:gone", items=[item]))
    letter = encoder.encode(DeadLetter(actor="router", reason=reason, at=1, raw=raw, command_id=word))
    queue = dead_letters(environment.settings.broker, "router")
    await front.broker.publish(Outgoing("", queue, letter, durable=True, must_arrive=True))


async def words(environment: Environment) -> list[str]:
    reader = Reader(SCHEMA, environment.paths.databases)
    try:
        return await reader.read(lambda tx: tx.words())
    finally:
        await reader.close()


async def test_looking_takes_nothing_away(front: Recorder, capsys: pytest.CaptureFixture[str]) -> None:
    front.post.tell("router", Write(word=RAISING), id="bad", person="ann", correlation="")

    async def there() -> Any:
        return await listed(capsys)

    letters: Any = await eventually(there)
    (one,) = letters
    assert (one["reason"], one["command_id"]) == ("poison: ValueError: told to", "bad")
    shown = json.loads(await parley(capsys, "show", "router", one["mark"][:6]))
    assert shown["commands"][0]["command"] == {"kind": "write", "word": RAISING}
    assert one["mark"] in await parley(capsys, "list", "router")
    everybodys = await parley(capsys, "list")
    assert everybodys.split()[0] == one["mark"]
    assert "  router    poison" in everybodys
    assert await listed(capsys) == [one]


async def test_a_replayed_letter_is_done_once_and_gone(
    environment: Environment, front: Recorder, capsys: pytest.CaptureFixture[str]
) -> None:
    for word in ("a", "b", "c"):
        await bury(environment, front, word)
    letters = {one["command_id"]: one for one in await listed(capsys)}
    assert "1 letter went" in await parley(capsys, "replay", "router", letters["b"]["mark"])

    async def done() -> Any:
        assert await words(environment) == ["first", "b"]
        return True

    await eventually(done)
    assert [one["command_id"] for one in await listed(capsys)] == ["a", "c"], "the others stay, in their order"
    # As if the command line had ended between sending a letter and taking it away.
    await bury(environment, front, "b")
    again = next(one for one in await listed(capsys) if one["command_id"] == "b")
    assert again["mark"] == letters["b"]["mark"]
    await parley(capsys, "replay", "router", "--all")

    async def all_done() -> Any:
        assert sorted(await words(environment)) == ["a", "b", "c", "first"]
        return True

    await eventually(all_done)
    assert await listed(capsys) == []


async def test_a_purged_letter_is_gone_for_good(
    environment: Environment, front: Recorder, capsys: pytest.CaptureFixture[str]
) -> None:
    for word in ("a", "b"):
        await bury(environment, front, word)
    first, second = await listed(capsys)
    assert "1 letter of router purged" in await parley(capsys, "purge", "router", first["mark"])
    assert await listed(capsys) == [second]
    await parley(capsys, "purge", "router", "--all")
    assert "no dead letters" in await parley(capsys, "list", "router")
    assert await words(environment) == ["first"]


async def test_one_forged_letter_keeps_all_from_being_replayed(
    environment: Environment, front: Recorder, capsys: pytest.CaptureFixture[str]
) -> None:
    await bury(environment, front, "a")
    await bury(environment, front, "evil", reason="forged: published by broker user 'mallory'")
    with pytest.raises(CommandError, match="forged"):
        await parley(capsys, "replay", "router", "--all")
    assert len(await listed(capsys)) == 2
    assert await words(environment) == ["first"]
