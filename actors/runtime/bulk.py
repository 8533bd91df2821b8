"""Questions that carry much, over connections of their own: what a person writes never waits behind a file."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from actors.runtime.broker import Broker, Subscriptions
from actors.runtime.environment import Environment
from actors.runtime.post import Asker
from actors.runtime.postroom import PostRoom
from protocols.errors import Refusal
from protocols.mail import Command

R = TypeVar("R")


class Connecting(Broker, Protocol):
    """A broker that is kept by running it."""

    async def run(self) -> None:
        """Connect, again and again, until cancelled."""


class Bulk(Asker):
    """Connects at the first question, and stays connected from then on: most fronts may never carry a file."""

    def __init__(self, environment: Environment, instance: str, connect: Callable[[Subscriptions], Connecting]) -> None:
        self._room = PostRoom(environment, f"{instance}.bulk")
        self._connect = connect
        self._needed = asyncio.Event()
        self._attached = asyncio.Event()

    async def run(self) -> None:
        """Keep the connections from the first question on, until cancelled. Raises SettingsError as a broker does."""
        await self._needed.wait()
        broker = self._connect(Subscriptions(on_reply=self._room.replied, on_down=self._room.lost))
        self._room.attach(broker)
        self._attached.set()
        await broker.run()

    async def ask(self, to: str, command: Command[R], *, within: float, id: str = "", person: str = "") -> R:  # noqa: A002  (as Post)
        self._needed.set()
        try:
            async with asyncio.timeout(within):
                await self._attached.wait()
        except TimeoutError as error:
            raise Refusal("unavailable", retry_after=1) from error
        return await self._room.ask(to, command, within=within, id=id, person=person)

    def signal(self, to: str, command: Command[Any], *, person: str = "", within: float) -> None:
        if self._attached.is_set():
            self._room.signal(to, command, person=person, within=within)
