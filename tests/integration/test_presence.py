"""notifier as a process, at a real RabbitMQ: who is there, though it is killed, flooded and told old things."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec import json, structs

from actors.notifier.presence_book import DEAF, HIDE
from actors.runtime import Environment
from protocols.notifier import Attention, Device, Lease, Typing
from protocols.values import conversation_of
from settings import Paths, Settings
from storage import Database
from storage.router import ROUTER
from tests.support.chat import relate
from tests.support.mailing import Owner, Recorder, ground, running_owner
from tests.support.people import ANN, BOB, CAT, DAN, make_people
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

MODULE = "tests.support.notifier"
SEEN = Device(session="s1", visible=True)
HIDDEN = Device(session="s1", visible=False)

People = Mapping[str, list[Device]]


class Line:
    """A front that says who is there, and what it is pushed."""

    def __init__(self, environment: Environment, front: Recorder, name: str = "front.1:a") -> None:
        self._environment = environment
        self._front = front
        self._name = name
        self.number = 0

    def lease(self, people: People, at: int | None = None, number: int = 0) -> Lease:
        self.number += 1
        named = [Attention(user=user, devices=devices) for user, devices in people.items()]
        now = self._environment.now()
        number = number or self.number
        return Lease(front=self._name, number=number, at=now if at is None else at, people=named, whole=True)

    def say(self, people: People, at: int | None = None, number: int = 0) -> None:
        self._front.post.signal("notifier", self.lease(people, at, number), within=60)

    @contextlib.asynccontextmanager
    async def saying(self, people: People) -> AsyncIterator[None]:
        """As a front does, only more often."""

        async def speak() -> None:
            while True:
                self.say(people)
                await asyncio.sleep(0.5)

        speaking = asyncio.create_task(speak())
        try:
            yield
        finally:
            speaking.cancel()

    @property
    def told(self) -> list[tuple[str, str]]:
        """(user, state) of every presence frame so far."""
        frames = [json.decode(push.frame) for push in self._front.pushes]
        return [(frame["user"], frame["state"]) for frame in frames if frame["type"] == "presence"]

    @property
    def typing(self) -> list[dict[str, Any]]:
        frames = [json.decode(push.frame) for push in self._front.pushes]
        return [frame for frame in frames if frame["type"] == "typing"]


@pytest.fixture
async def environment(tmp_path: Path, broker_node: tuple[Settings, Paths]) -> Environment:
    environment = ground(tmp_path, broker_node)
    databases = environment.paths.databases
    await make_people(databases, ANN, BOB, CAT, DAN)
    await relate(databases, [(ANN, BOB), (ANN, CAT), (ANN, DAN)])
    await (await Database.open(ROUTER, databases)).close()
    return environment


@pytest.fixture
async def notifier(environment: Environment, front: Recorder) -> AsyncIterator[Owner]:
    async with running_owner(environment, MODULE) as owner:
        await eventually(lambda: front.beats, within=20)
        yield owner


async def test_a_killed_notifier_is_right_again_and_is_not_fooled_by_what_waited(
    environment: Environment, front: Recorder, notifier: Owner
) -> None:
    line = Line(environment, front)
    line.say({BOB: [SEEN], CAT: [SEEN]})
    await eventually(lambda: sorted(line.told) == [(BOB, "online"), (CAT, "online")])
    await notifier.kill()
    # What a front said a while ago that is gone since, and what came twice, in the wrong order.
    gone = Line(environment, front, "front.2:b")
    gone.say({DAN: [SEEN]}, at=environment.now() - 40_000)
    line.say({BOB: [SEEN], CAT: [HIDDEN]})
    line.say({DAN: [SEEN]}, number=1)
    before = len(front.beats)
    await notifier.start()
    await eventually(lambda: len(front.beats) > before, within=20)
    async with line.saying({BOB: [SEEN], CAT: [HIDDEN]}):
        await eventually(lambda: (CAT, "away") in line.told, within=DEAF + 3)
    line.say({BOB: [HIDDEN], CAT: [HIDDEN]})
    await eventually(lambda: (BOB, "away") in line.told, within=HIDE + 3)
    assert sorted(line.told) == [(BOB, "away"), (BOB, "online"), (CAT, "away"), (CAT, "online")]


async def test_a_flood_of_leases_and_typing_is_taken_in_and_says_nothing_new(
    environment: Environment, front: Recorder, notifier: Owner
) -> None:
    line = Line(environment, front)
    line.say({BOB: [SEEN], ANN: [SEEN]})
    await eventually(lambda: (BOB, "online") in line.told)
    crowd = [Attention(user=f"nobody{number}", devices=[SEEN]) for number in range(20)]
    for _ in range(40):
        for _ in range(50):
            lease = line.lease({BOB: [SEEN], ANN: [SEEN]})
            front.post.signal("notifier", structs.replace(lease, people=[*lease.people, *crowd]), within=60)
            front.post.signal("notifier", Typing(conversation=conversation_of(ANN, BOB)), person=ANN, within=60)
            front.post.signal("notifier", Typing(conversation="made-up"), person="nobody", within=60)
        # So that the broker takes them all: what it cannot take is dropped.
        await eventually(lambda: not front.post._signals)
    assert front.post.signals_dropped == 0

    async def heard() -> bool:
        return not await front.post.depth("notifier", 5)

    await eventually(heard, within=20)
    line.say({BOB: [HIDDEN], ANN: [SEEN]})
    await eventually(lambda: (BOB, "away") in line.told, within=HIDE + 10)
    assert [told for told in line.told if told[0] == BOB] == [(BOB, "online"), (BOB, "away")]
    assert {(frame["conversation"], frame["user"]) for frame in line.typing} == {(conversation_of(ANN, BOB), ANN)}
    assert notifier.log.read_text().count("Traceback") == 0
