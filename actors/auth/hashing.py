"""Where passwords are hashed: on two threads of their own, with a bounded line of those who wait."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from protocols.errors import Refusal

THREADS: Final = 2
RETRY_AFTER: Final = 5.0

T = TypeVar("T")


class Hashing:
    """bcrypt releases the interpreter's lock, so two threads use two cores and the mailbox goes on meanwhile."""

    def __init__(self, waiting: int) -> None:
        """`waiting`: how many may wait for a thread; 0 for no bound."""
        self._most = THREADS + waiting if waiting else 0
        self._inside = 0
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="hashing")

    async def run(self, work: Callable[[], T]) -> T:
        """The result of `work`. Raises Refusal("rate_limited") when too many wait already."""
        if self._most and self._inside >= self._most:
            raise Refusal("rate_limited", retry_after=RETRY_AFTER)
        self._inside += 1
        future = self._pool.submit(work)
        try:
            return await asyncio.wrap_future(future)
        finally:
            self._inside -= 1

    def close(self) -> None:
        """Give up what waits; what is being hashed ends by itself within a second."""
        self._pool.shutdown(wait=False, cancel_futures=True)
