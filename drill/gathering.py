"""People who are connected and type, until told to stop: what every drill needs of them, whatever they type."""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Self

from drill.person import Person
from drill.waiting import end_all

NAMES = ("ann", "bob", "cyd", "dan", "eve", "fay", "gus", "hal", "ida", "joe")


class Gathering(ABC):
    """`_typing` are the tasks of those who type at the moment."""

    def __init__(self) -> None:
        self._joined: list[Person] = []
        self._running: list[asyncio.Task[None]] = []
        self._typing: list[asyncio.Task[None]] = []
        self._exits = contextlib.AsyncExitStack()

    @abstractmethod
    async def _come(self) -> None:
        """Give everybody an account and one contact, then have them `_join`."""

    async def __aenter__(self) -> Self:
        """Everybody has an account, one contact and a socket."""
        try:
            await self._come()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.be_quiet()
        await end_all(self._running)
        await self._exits.aclose()

    async def _join(self, people: Sequence[Person], within: float) -> None:
        """Connect them all within so many seconds. Raises TimeoutError."""
        async with asyncio.timeout(within):
            # One after the other: of connections that come at once, the first front to wake up takes them all.
            for person in people:
                self._joined.append(person)
                self._running.append(asyncio.create_task(person.run()))
                await person.connected.wait()

    async def be_quiet(self) -> None:
        """Nobody types any more; what was typed goes on its way."""
        typing, self._typing = self._typing, []
        await end_all(typing)

    @property
    def reconnects(self) -> int:
        return sum(person.reconnects for person in self._joined)

    def casualties(self) -> list[str]:
        """Those whom a fault of the drill itself has ended: they are to reconnect for ever."""
        return [
            f"{person.device}: {task.exception()!r}"
            for person, task in zip(self._joined, self._running, strict=True)
            if task.done() and not task.cancelled()
        ]


def name_of(number: int) -> str:
    """A username for the person with this number, which counts from 0."""
    again, place = divmod(number, len(NAMES))
    return NAMES[place] + (f"_{again + 1}_" if again else "")
