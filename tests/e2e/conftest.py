"""One whole installation for all tests that leave it whole; those that do not start their own."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from drill.installation import Installation, running_installation


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


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A running installation: supervisor, private broker, every actor, two fronts."""
    loop = _Loop()
    running = running_installation(tmp_path_factory.mktemp("installation") / "data")
    one: Installation = loop.run(running.__aenter__())
    try:
        yield one
    finally:
        loop.run(running.__aexit__(None, None, None))
        loop.close()
