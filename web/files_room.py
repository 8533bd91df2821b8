"""How many pieces of files, and downloads, one front has on their way at a time, and whose turn it is. No I/O."""

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import AsyncIterator
from typing import Final

from protocols.errors import Refusal


class Room:
    """`most` pieces at a time. What gets free goes to who has the fewest on their way.

    In the order of asking, who sends many files would have most of it, and file_chunker, which lets people take turns,
    would seldom find a piece of anybody else's.
    """

    def __init__(self, most: int) -> None:
        self._most: Final = most
        self._held: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    @property
    def held(self) -> int:
        """Pieces that are on their way."""
        return self._held.total()

    async def enter(self, person: str) -> None:
        """Return when there is room for one more piece of a person's; `leave` gives it back."""
        if self.held < self._most:
            self._held[person] += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(person, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._forget(person, turn)
            else:
                # It had been given room in that very moment.
                self.leave(person)
            raise

    def leave(self, person: str) -> None:
        """A piece of a person's is not on its way any more."""
        self._held[person] -= 1
        if not self._held[person]:
            del self._held[person]
        if self._waiting:
            self._give(min(self._waiting, key=self._held.__getitem__))

    def _give(self, person: str) -> None:
        turn = self._waiting[person][0]
        self._forget(person, turn)
        if person in self._waiting:
            # Behind those who have as few.
            self._waiting[person] = self._waiting.pop(person)
        self._held[person] += 1
        turn.set_result(None)

    def _forget(self, person: str, turn: asyncio.Future[None]) -> None:
        waiting = self._waiting[person]
        waiting.remove(turn)
        if not waiting:
            del self._waiting[person]


class Seats:
    """`each`: downloads of one person at a time. `standing`: as many more wait for one of them to end."""

    def __init__(self, each: int, standing: int) -> None:
        self._each: Final = each
        self._most: Final = each + standing
        self._there: Counter[str] = Counter()
        self._rooms: dict[str, Room] = {}

    @contextlib.asynccontextmanager
    async def of(self, person: str, within: float) -> AsyncIterator[None]:
        """Have a seat. Raises Refusal("rate_limited") where even to wait is no room, or after so many seconds."""
        if self._there[person] >= self._most:
            raise _crowded()
        self._there[person] += 1
        room = self._rooms.setdefault(person, Room(self._each))
        try:
            try:
                async with asyncio.timeout(within):
                    await room.enter(person)
            except TimeoutError as error:
                raise _crowded() from error
            try:
                yield
            finally:
                room.leave(person)
        finally:
            self._there[person] -= 1
            if not self._there[person]:
                del self._there[person], self._rooms[person]


def _crowded() -> Refusal:
    return Refusal("rate_limited", "You have too many downloads under way.", retry_after=5)
