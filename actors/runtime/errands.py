"""What an actor's own tasks want written: done in its work loop, each in a transaction of its own."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from protocols.mail import Push, SessionsOver

U = TypeVar("U")
T = TypeVar("T")
Work = Callable[[U, int], tuple[T, Sequence[Push | SessionsOver]]]
"""Of the unit and the time (Unix ms): what to return to who asked for it, and what to let out."""


@dataclass(slots=True, eq=False)
class Errand(Generic[U]):
    work: Callable[[U, int], tuple[Any, Sequence[Push | SessionsOver]]]
    done: asyncio.Future[Any]


class Errands(Generic[U]):
    """A task waits for each, so that there are never more than the actor has tasks."""

    def __init__(self) -> None:
        self._waiting: deque[Errand[U]] = deque()
        self.wake: Callable[[], None] = lambda: None

    async def run(self, work: Work[U, T]) -> T:
        """Have it done; returns when it is committed. Raises what it raises, and Refusal("unavailable")."""
        errand: Errand[U] = Errand(work, asyncio.get_running_loop().create_future())
        self._waiting.append(errand)
        self.wake()
        result: T = await errand.done
        return result

    def take(self) -> list[Errand[U]]:
        """All that wait now and are still wanted."""
        taken = [errand for errand in self._waiting if not errand.done.done()]
        self._waiting.clear()
        return taken
