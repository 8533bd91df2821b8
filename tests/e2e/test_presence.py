"""Whoever stays is never seen to leave, whatever is killed; and whoever leaves meanwhile is seen to have left."""

import asyncio
import contextlib
import itertools
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

from drill.installation import Installation
from drill.person import HttpError, Person
from protocols.values import conversation_of
from supervision.control import Request
from tests.support.waiting import SCALE, eventually

pytestmark = pytest.mark.e2e

LEFT_WITHIN = 20.0
"""Seconds: a grace, a round, and the time of a restart."""

_numbers = itertools.count(1)


class Onlooker(Person):
    """Has the page in view all the time, and writes down what is shown of others. `asked`: every answer in turn."""

    def __init__(self, base: str, username: str) -> None:
        super().__init__(base, username)
        self.told: list[tuple[str, str]] = []
        self.asked: list[dict[str, str]] = []
        self.typing: list[tuple[str, str]] = []

    async def _on_frame(self, frame: dict[str, Any]) -> None:
        await super()._on_frame(frame)
        match frame["type"]:
            case "hello":
                await self._transmit({"type": "attention", "visible": True})
            case "presence":
                self.told.append((frame["user"], frame["state"]))
            case "typing":
                self.typing.append((frame["conversation"], frame["user"]))

    async def ask(self) -> dict[str, str]:
        """How everybody is; nothing while nobody can tell."""
        with contextlib.suppress(HttpError, aiohttp.ClientError, TimeoutError):
            answer = await self.call("GET", "/presence")
            if not answer.get("late"):
                self.asked.append({one["user"]: one["state"] for one in answer["presence"]})
        return self.asked[-1] if self.asked else {}

    async def types(self, to: Person) -> None:
        await self._transmit({"type": "typing", "conversation": conversation_of(self.id, to.id)})


class Party:
    """Ann looks on; Bob stays, Cat leaves."""

    def __init__(self, *people: Onlooker) -> None:
        self.ann, self.bob, self.cat = people
        self._running: dict[str, asyncio.Task[None]] = {}

    async def come(self, *people: Onlooker) -> None:
        for person in people:
            self._running[person.username] = asyncio.create_task(person.run())
        async with asyncio.timeout(20 * SCALE):
            for person in people:
                await person.connected.wait()

    async def leave(self, *people: Onlooker) -> None:
        for person in people:
            task = self._running.pop(person.username, None)
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def seen(self, state: str, within: float = 15.0) -> None:
        """Ask again and again until Ann finds Cat like that."""

        async def found() -> bool:
            return (await self.ann.ask()).get(self.cat.id) == state

        await eventually(found, within)

    def bob_was_never_away(self) -> None:
        assert {answer[self.bob.id] for answer in self.ann.asked} == {"online"}
        assert {state for user, state in self.ann.told if user == self.bob.id} <= {"online"}


@pytest.fixture
async def party(installation: Installation) -> AsyncIterator[Party]:
    number = next(_numbers)
    async with AsyncExitStack() as stack:
        people = [
            await stack.enter_async_context(Onlooker(installation.base, f"{name}seen{number}"))
            for name in ("ann", "bob", "cat")
        ]
        for person in people:
            await person.register()
        for friend in people[1:]:
            await people[0].befriend(friend)
        party = Party(*people)
        await party.come(*people)
        try:

            async def all_online() -> bool:
                return set((await party.ann.ask()).values()) == {"online"}

            await eventually(all_online, 20)
            party.ann.asked.clear()
            party.ann.told.clear()
            yield party
        finally:
            await party.leave(*people)


async def test_the_people_of_a_front_that_ends_move_over_and_nobody_notices(
    installation: Installation, party: Party
) -> None:
    def both_there() -> bool:
        return party.ann.connected.is_set() and party.bob.connected.is_set()

    for name in ("front.1", "front.2"):
        pid = await installation.signal(name, signal.SIGKILL)
        await installation.running(name, other_than=pid)
        await eventually(both_there, 20)
    killed = party.bob.reconnects
    assert killed
    await installation.ask(Request("restart", "front"), 120.0)
    await eventually(both_there, 20)
    assert party.bob.reconnects > killed
    await party.leave(party.cat)
    await party.seen("offline", LEFT_WITHIN)
    party.bob_was_never_away()
    await party.come(party.cat)
    await party.seen("online")
    party.bob_was_never_away()


async def test_a_killed_notifier_is_right_again_within_a_round(installation: Installation, party: Party) -> None:
    pid = await installation.signal("notifier", signal.SIGKILL)
    await party.leave(party.cat)
    await installation.running("notifier", other_than=pid)
    await party.seen("offline", LEFT_WITHIN)
    party.bob_was_never_away()
    await party.come(party.cat)
    await party.seen("online")
    await party.bob.types(party.ann)
    await eventually(lambda: party.ann.typing == [(conversation_of(party.ann.id, party.bob.id), party.bob.id)])
