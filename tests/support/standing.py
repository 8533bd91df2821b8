"""What stands for longer than one test's event loop: an installation that several tests share."""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

T = TypeVar("T")


class _Loop:
    """An event loop in a thread, for what lives longer than one test's loop."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Any], within: float = 120.0) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(within)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@contextlib.contextmanager
def standing(one: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """Entered and left in a loop of its own."""
    loop = _Loop()
    try:
        entered: T = loop.run(one.__aenter__())
        try:
            yield entered
        finally:
            loop.run(one.__aexit__(None, None, None))
    finally:
        loop.close()
