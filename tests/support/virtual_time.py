"""An event loop whose clock jumps: whoever sleeps is woken at once, in the right order, and nothing really waits."""

import asyncio
import selectors
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

from actors.runtime import Environment
from settings import Paths, Settings

T = TypeVar("T")
NOWHERE = Paths(data=Path("nowhere"), run=Path("nowhere"))


class _Jumping(selectors.DefaultSelector):
    jumped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        if not events:
            # None: nothing is due ever again, and no thread works here, so the test would hang.
            assert timeout is not None, "everything waits for something that nobody will do"
            self.jumped += timeout
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """For tests without threads, processes and sockets."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return 1_000.0 + self._jumping.jumped

    def call_exception_handler(self, context: Mapping[str, Any]) -> None:
        raise AssertionError(f"left behind: {context}")


def run_virtually(test: Coroutine[Any, Any, T]) -> T:
    """Run it to its end in a loop of its own, in no time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(test)


def virtual_environment(settings: Settings, paths: Paths = NOWHERE) -> Environment:
    """Both clocks are that of the running loop, which began at second 1,000."""
    loop = asyncio.get_running_loop()
    return Environment(settings, paths, now=lambda: int(loop.time() * 1000), monotonic=loop.time)
