"""One direction of one connection in virtual time: order holds within it, and nothing between two of them."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

TICK = 1e-6
"""Seconds between two arrivals at least: a heap does not keep the order of what is due at the same moment."""


class Way(Generic[T]):
    """What is put in lands in the same order, each after a delay of its own. `lands` must not raise."""

    def __init__(self, lands: Callable[[T], None], delay: Callable[[], float]) -> None:
        self._loop = asyncio.get_running_loop()
        self._lands = lands
        self._delay = delay
        self._due = 0.0
        self._flying: deque[tuple[asyncio.TimerHandle, T]] = deque()

    def put(self, item: T) -> None:
        self._due = max(self._due + TICK, self._loop.time() + self._delay())
        self._flying.append((self._loop.call_at(self._due, self._land), item))

    def stall(self, seconds: float) -> None:
        """What is put in from now on lands later; nothing is lost."""
        self._due = max(self._due, self._loop.time() + seconds)

    def cut(self) -> list[T]:
        """End it; returns what was on its way, in order."""
        left = [item for _, item in self._flying]
        for handle, _ in self._flying:
            handle.cancel()
        self._flying.clear()
        return left

    def _land(self) -> None:
        self._lands(self._flying.popleft()[1])
