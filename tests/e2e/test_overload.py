"""Poison, full mailboxes, readers that do not read, followers that are away: each costs what it must, and no more."""

import asyncio
import contextlib
import itertools
import json
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from msgspec import Raw, msgpack

from actors.runtime import Environment
from actors.runtime.broker import Outgoing
from actors.runtime.client import open_broker
from actors.runtime.topology import mailbox
from drill.installation import Installation, running_installation
from drill.ledger import settle
from drill.person import HttpError, Person
from protocols.mail import Envelope, Item, encoder
from protocols.router import SendMessage
from protocols.values import conversation_of
from settings import load
from supervision import proc
from tests.soak import overload
from tests.support.mortal_installation import MortalInstallation
from tests.support.mortal_router import DEADLY, cure
from tests.support.patience import PATIENT
from tests.support.standing import standing
from tests.support.waiting import SCALE, eventually

pytestmark = pytest.mark.e2e

BOUND = 100
ENVIRONMENT = {
    **overload.UNLIMITED,
    **PATIENT,
    "PARLEY_BROKER__MAILBOX_BOUND": str(BOUND),
    # So that router comes back at once, however often it died.
    "PARLEY_SUPERVISION__WINDOW": "0.05",
    "PARLEY_SUPERVISION__BACKOFF_BASE": "0.001",
    "PARLEY_SUPERVISION__BACKOFF_CAP": "0.01",
}

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation of this file's own, whose router some messages can kill."""
    folder: Path = tmp_path_factory.mktemp("overload") / "data"
    with standing(running_installation(folder, MortalInstallation, **ENVIRONMENT)) as one:
        yield one


@contextlib.asynccontextmanager
async def acquainted(house: Installation, *names: str) -> AsyncIterator[Sequence[Person]]:
    """People who are online; each is in contact with the first one."""
    number = next(_numbers)
    async with contextlib.AsyncExitStack() as stack:
        people = [await stack.enter_async_context(Person(house.base, f"{name}-o{number}")) for name in names]
        for one in people:
            await one.register()
        for other in people[1:]:
            await people[0].befriend(other)
        lines = [asyncio.create_task(one.run()) for one in people]
        try:
            async with asyncio.timeout(15 * SCALE):
                for one in people:
                    await one.connected.wait()
            yield people
        finally:
            for line in lines:
                line.cancel()
            await asyncio.gather(*lines, return_exceptions=True)


async def all_shown(writer: Person, reader: Person, within: float = 30.0) -> None:
    """Everything the one wrote is answered, and what was not refused is on the other's screen, once and in order."""

    def wanted() -> int:
        return sum(1 for sent in writer.sent.values() if not sent.refused)

    await eventually(lambda: not writer.unanswered and len(reader.screen.shown) >= wanted(), within)
    account = settle(list(writer.sent.values()), {reader.id: reader.screen.shown})
    assert account.kept, account


async def history(person: Person, other: Person) -> list[dict[str, Any]]:
    page = await person.call("GET", f"/conversations/{conversation_of(person.id, other.id)}/messages?limit=200")
    return list(page["messages"])


async def publish(house: Installation, *envelopes: Envelope) -> None:
    """Mail to router as the front would send it."""
    settings = load(environ=house.environment)
    async with open_broker(Environment(settings, house.paths), "front") as broker:
        for envelope in envelopes:
            mail = Outgoing("", mailbox(settings.broker, "router"), encoder.encode(envelope), durable=True)
            await broker.publish(mail)


async def letters(house: Installation) -> list[dict[str, Any]]:
    code, printed = await house.parley("dead", "list", "router", "--json")
    assert code == 0, printed
    return list(json.loads(printed)["letters"])


async def test_a_message_that_kills_router_is_set_aside_its_sender_told_and_its_neighbours_arrive(
    house: Installation,
) -> None:
    async with acquainted(house, "ann", "bob") as (ann, bob):
        first = await house.running("router")
        ann.say(bob.id, "before")
        deadly = ann.say(bob.id, f"{DEADLY} by socket")
        for number in range(20):
            ann.say(bob.id, f"after {number}")
        await all_shown(ann, bob)
        assert ann.sent[deadly].refused == "internal"
        assert [one.body for one in bob.screen.shown] == ["before", *(f"after {number}" for number in range(20))]
        assert await house.running("router") != first
        (letter,) = await letters(house)
        assert (letter["command_id"], letter["reason"]) == (
            deadly,
            "poison: the process ended each of the 3 times that this was handled",
        )
        # In one envelope: what is before and behind it in there is done, in order.
        bodies = ["one", f"{DEADLY} in an envelope", "two", "three"]
        items = [
            Item(id=f"e{number}", person=bob.id, command=Raw(msgpack.encode(SendMessage(to=ann.id, body=body))))
            for number, body in enumerate(bodies)
        ]
        await publish(house, Envelope(sender="front.1:gone", items=items))

        async def told() -> bool:
            said = [one["body"] for one in await history(ann, bob) if one["sender"] == bob.id]
            return said == ["one", "two", "three"]

        await eventually(told, 60)
        assert [one["command_id"] for one in await letters(house)] == [deadly, "e1"]
        # As after an upgrade that mends it.
        cure(house.paths.databases)
        code, printed = await house.parley("dead", "replay", "router", "--all")
        assert (code, printed) == (0, "2 letters went to router again\n")

        async def replayed() -> bool:
            return [one["body"] for one in await history(ann, bob)][-2:] == [f"{DEADLY} by socket", bodies[1]]

        await eventually(replayed, 30)
        assert await letters(house) == []


async def answer(person: Person, way: str, body: dict[str, str]) -> str:
    """The code of the error, "" for none."""
    try:
        await person.call("POST", way, body)
    except HttpError as error:
        return error.code
    return ""


async def test_a_full_mailbox_makes_people_wait_and_programs_come_back_and_loses_nothing(house: Installation) -> None:
    async with acquainted(house, "ann", "bob", "cyd") as (ann, bob, cyd):
        await house.parley("stop", "router")
        try:
            way = f"/conversations/{conversation_of(ann.id, cyd.id)}/messages"
            queued = []
            for number in range(2 * BOUND):
                body = {"client_id": f"cyd-{number}", "body": f"number {number}"}
                if await answer(cyd, way, body) == "unavailable":
                    break
                queued.append(f"cyd-{number}")
            assert BOUND / 2 < len(queued) <= BOUND
            for number in range(2 * BOUND):
                ann.say(bob.id, f"line {number}")
            assert await answer(cyd, way, {"client_id": "late", "body": "not now"}) == "unavailable"
            assert not [sent for sent in ann.sent.values() if sent.seq or sent.refused]
        finally:
            await house.parley("start", "router")
        await all_shown(ann, bob)

        async def stored() -> bool:
            found = [one["client_id"] for one in await history(ann, cyd) if one["sender"] == cyd.id]
            return found[: len(queued)] == queued

        await eventually(stored, 30)
        # Whoever was told to come back does so with the same id, and finds it done at most once.
        for _ in range(2):
            assert await answer(cyd, way, {"client_id": "late", "body": "not now"}) == ""
        late = [one for one in await history(ann, cyd) if one["client_id"] == "late"]
        assert len(late) == 1


def metric(text: str, name: str) -> int:
    """The sum of a family's samples."""
    return sum(int(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(f"{name}{{"))


async def metrics(house: Installation) -> str:
    async with aiohttp.ClientSession() as http, http.get(f"{house.base}/metrics") as answer:
        return await answer.text()


async def deaf(house: Installation, person: Person) -> asyncio.StreamWriter:
    """A socket of somebody's that is never read: its hello waits where the kernel put it."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.setblocking(False)
    await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", house.port))
    reader, writer = await asyncio.open_connection(sock=raw, limit=1024)
    lines = (
        "GET /ws HTTP/1.1",
        f"Host: 127.0.0.1:{house.port}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol: parley.v1",
        f"Authorization: Bearer {person._token}",
    )
    writer.write("\r\n".join((*lines, "", "")).encode())
    status = await asyncio.wait_for(reader.readline(), 10 * SCALE)
    assert b" 101 " in status
    writer.transport.pause_reading()  # type: ignore[attr-defined]  # (of a socket's transport)
    return writer


def front_memory(pids: Sequence[int]) -> int:
    """Bytes."""
    return sum(proc.own_memory(pid) or 0 for pid in pids)


async def test_a_hundred_sockets_that_never_read_are_cut_and_cost_the_others_nothing(house: Installation) -> None:
    names = [f"deaf{number}" for number in range(10)]
    async with acquainted(house, "ann", "bob") as (ann, bob), contextlib.AsyncExitStack() as stack:
        idle = [await stack.enter_async_context(Person(house.base, f"{name}-{next(_numbers)}")) for name in names]
        for one in idle:
            await one.register()
            await ann.befriend(one)
        fronts = [await house.running(f"front.{number}") for number in (1, 2)]
        before = front_memory(fronts)
        sockets = [await deaf(house, one) for one in idle for _ in range(10)]
        cut = metric(await metrics(house), "parley_sockets_cut_total")

        async def all_cut() -> bool:
            return metric(await metrics(house), "parley_sockets_cut_total") - cut >= len(sockets)

        async def busy() -> None:
            # Everybody's sockets get all of it; the writer waits for ticks only.
            for number in itertools.count():
                for one in idle:
                    ann.say(one.id, f"{number} " + "x" * 7_900)
                await ann.until(lambda: ann.unanswered < 20)

        async def chatting() -> None:
            for number in itertools.count():
                bob.say(ann.id, f"beside {number}")
                await bob.until(lambda: not bob.unanswered)

        tasks = [asyncio.create_task(busy()), asyncio.create_task(chatting())]
        try:
            await eventually(all_cut, 60)
            peak = front_memory(fronts)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for writer in sockets:
                writer.transport.abort()
        await eventually(lambda: not bob.unanswered and not ann.unanswered, 30)
        account = settle([*bob.sent.values()], {ann.id: [one for one in ann.screen.shown if one.sender == bob.id]})
        # The other things that Ann was shown are not looked at.
        assert [account.lost, account.duplicated, account.reordered, account.unexpected] == [[], [], [], []]
        assert len(bob.sent) > 20
        assert ann.reconnects == bob.reconnects == 0
        assert peak - before < 128 * 2**20, f"{(peak - before) / 2**20:.0f} MiB"
        assert [await house.running(f"front.{number}") for number in (1, 2)] == fronts


async def test_a_follower_that_is_away_costs_chat_nothing_and_catches_up(house: Installation) -> None:
    figure = await overload.without_notifier(house, next(_numbers) + 1000, 3_000)
    assert figure.kept, figure


async def test_a_broker_that_is_away_is_waited_for_and_all_arrives_in_order_soon_after(house: Installation) -> None:
    figure = await overload.broker_away(house, next(_numbers) + 1000, 10.0)
    assert figure.kept, figure
