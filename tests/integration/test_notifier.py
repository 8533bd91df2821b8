"""notifier and router as processes, at a real RabbitMQ: notices come, once, and text does not notice."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import aiormq
import pytest
from msgspec import json

from actors.runtime import Environment
from actors.runtime.topology import mailbox
from protocols.mail import Changed
from protocols.notifier import Decision, Notice, TestNotice
from protocols.router import Receipt, SendMessage
from protocols.values import conversation_of
from settings import Paths, Settings
from settings.endpoint import broker_url
from storage import Reader
from storage.notifier import NOTIFIER, NotifierUnit
from tests.support.chat import relate
from tests.support.mailing import Owner, Recorder, ground, running_owner
from tests.support.noticing import mistakes
from tests.support.people import ANN, make_people
from tests.support.waiting import SCALE, eventually

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("router")]

ROUTER = "tests.support.router"
EAGER = "tests.support.eager_notifier"
HINTED = "tests.support.hinted_notifier"
PEERS = [f"peer{number}" for number in range(8)]
KILLS = 10

T = TypeVar("T")


@pytest.fixture
async def environment(tmp_path: Path, broker_node: tuple[Settings, Paths]) -> Environment:
    environment = ground(tmp_path, broker_node)
    await make_people(environment.paths.databases, ANN, *PEERS)
    await relate(environment.paths.databases, [(ANN, peer) for peer in PEERS])
    return environment


@pytest.fixture
async def router(environment: Environment, front: Recorder) -> AsyncIterator[Owner]:
    async with running_owner(environment, ROUTER) as owner:
        await eventually(lambda: any(beat.source == "router" for beat in front.beats), within=20)
        yield owner


async def read(environment: Environment, work: Callable[[NotifierUnit], T]) -> T:
    reader = Reader(NOTIFIER, environment.paths.databases)
    try:
        return await reader.read(work)
    finally:
        await reader.close()


async def following(environment: Environment, front: Recorder) -> None:
    """Wait until a notifier that was just started runs, and has found the present end of router's log."""
    await eventually(lambda: any(beat.source == "notifier" for beat in front.beats), within=20)

    async def found() -> bool:
        return await read(environment, lambda tx: tx.cursors.of("router")) is not None

    await eventually(found, within=10)


def send(front: Recorder, number: int, to: str) -> str:
    correlation = f"{front.post.incarnation}/{number}"
    command = SendMessage(to=to, body=str(number))
    front.post.tell("router", command, id=f"m{number}", person=ANN, correlation=correlation)
    return correlation


def notices(front: Recorder) -> list[dict[str, Any]]:
    frames = [json.decode(push.frame) for push in front.pushes]
    return [frame for frame in frames if frame["type"] == "notice"]


def told_times(front: Recorder, times: int) -> bool:
    return len(notices(front)) == times


def told_more(front: Recorder, beats: int, pushed: int) -> bool:
    """Whether a notifier has told somebody of something since, and beats."""
    beating = any(beat.source == "notifier" for beat in front.beats[beats:])
    return beating and len(notices(front)) > pushed


async def answered(front: Recorder, told: list[str]) -> None:
    await eventually(lambda: all(one in front.outcomes for one in told), within=30)


async def decided(environment: Environment, peer: str, last: int) -> bool:
    """Whether all messages to a peer, up to that place, were decided."""

    def look(tx: NotifierUnit) -> bool:
        return any(one.last >= last for one in tx.decisions.of(peer, 1_000))

    return await read(environment, look)


async def test_notices_are_neither_lost_nor_doubled_though_notifier_is_killed_again_and_again(
    environment: Environment, front: Recorder
) -> None:
    """While messages flow, and some are read. Text does not notice at all."""
    sent: dict[str, int] = Counter()
    slowest = 0.0
    stopping = asyncio.Event()

    async def chat() -> None:
        nonlocal slowest
        number = 0
        while not stopping.is_set():
            began = time.monotonic()
            told = []
            for peer in PEERS:
                number += 1
                sent[peer] += 1
                told.append(send(front, number, peer))
            await answered(front, told)
            slowest = max(slowest, time.monotonic() - began)
            reader, conversation = PEERS[number % 3], conversation_of(ANN, PEERS[number % 3])
            front.post.tell(
                "router",
                Receipt(conversation=conversation, delivered=sent[reader], read=sent[reader]),
                id=f"r{number}",
                person=reader,
                correlation="",
            )

    async with running_owner(environment, EAGER) as notifier:
        await following(environment, front)
        chatting = asyncio.create_task(chat())
        for _ in range(KILLS):
            seen = len(front.beats)
            pushed = len(notices(front))
            await eventually(partial(told_more, front, seen, pushed), within=30)
            await notifier.kill()
            await notifier.start()
        stopping.set()
        await chatting
        for peer in PEERS:
            await eventually(partial(decided, environment, peer, sent[peer]), within=20)
        assert slowest < 5 * SCALE
        for peer in PEERS:
            await check(environment, peer, sent[peer])
        # A push may be lost with its process; what was pushed was pushed once.
        twice = [
            one for one, times in Counter((one["id"], one["change"]) for one in notices(front)).items() if times > 1
        ]
        assert twice == []


async def check(environment: Environment, peer: str, last: int) -> None:
    def look(tx: NotifierUnit) -> tuple[list[Notice], list[Decision]]:
        return tx.notices.since(peer, 0, 1_000)[0], tx.decisions.of(peer, 1_000)

    kept, decisions = await read(environment, look)
    assert mistakes(kept, decisions, last, read=peer in PEERS[:3]) == [], peer


async def test_a_hint_is_enough_and_comes_after_each_change(environment: Environment, front: Recorder) -> None:
    async with running_owner(environment, HINTED):
        await eventually(lambda: any(beat.source == "notifier" for beat in front.beats), within=20)
        # The first hint makes it find the end of the log.
        await eventually(lambda: send(front, 1, PEERS[0]) in front.outcomes, within=20)
        await following(environment, front)
        for number in range(2, 5):
            send(front, number, PEERS[0])
            await eventually(partial(told_times, front, number - 1), within=10)
    assert [one["to_seq"] for one in notices(front)] == [2, 3, 4]


async def test_with_its_queue_deleted_nothing_is_lost(environment: Environment, front: Recorder) -> None:
    async with running_owner(environment, EAGER):
        await following(environment, front)
        async with aiormq.connect(broker_url(environment.settings, environment.paths, "notifier")) as raw:
            channel = await raw.channel()
            await channel.queue_delete(mailbox(environment.settings.broker, "notifier"))
        for number in range(1, 4):
            send(front, number, PEERS[0])
        await eventually(lambda: decided(environment, PEERS[0], 3), within=10)
        # And it hears again.
        asked = await front.post.ask("notifier", TestNotice(), within=20 * SCALE, person=PEERS[0])
        assert asked.kind == "test"


async def test_a_notifier_that_was_away_tells_it_all_in_one(environment: Environment, front: Recorder) -> None:
    async with running_owner(environment, EAGER) as notifier:
        await following(environment, front)
        assert await notifier.stop() == 0
        told = [send(front, number, PEERS[number % 2]) for number in range(400)]
        await answered(front, told)
        assert notices(front) == []
        await notifier.start()
        for peer in PEERS[:2]:
            await eventually(partial(decided, environment, peer, 200), within=20)
        await eventually(lambda: len(notices(front)) == 2)
    assert [(one["from_seq"], one["to_seq"]) for one in notices(front)] == [(1, 200)] * 2


async def test_a_front_cannot_pass_for_an_owner(environment: Environment, front: Recorder) -> None:
    async with running_owner(environment, HINTED) as notifier:
        await eventually(lambda: any(beat.source == "notifier" for beat in front.beats), within=20)
        front.post.signal("notifier", Changed(source="router", change=1), within=20)
        await eventually(lambda: "forged" in notifier.log.read_text(), within=10)
    assert "following router" not in notifier.log.read_text()
