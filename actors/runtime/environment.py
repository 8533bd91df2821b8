"""What is injected into every actor: settings, paths, and the world's clock and randomness."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from protocols.values import new_id
from settings import Paths, Settings


def wall_ms() -> int:
    """Unix milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class Environment:
    """The same code runs under a simulator, which brings a clock and randomness of its own.

    `now`: Unix milliseconds. `monotonic`: seconds. `random_bytes`: so many random bytes.
    """

    settings: Settings
    paths: Paths
    now: Callable[[], int] = wall_ms
    monotonic: Callable[[], float] = time.monotonic
    random_bytes: Callable[[int], bytes] = secrets.token_bytes

    def new_id(self) -> str:
        """A fresh id, sortable by time."""
        return new_id(self.now(), self.random_bytes(10))
