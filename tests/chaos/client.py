"""A person of the chaos harness: as in any drill, and every send, tick and showing is written into the run's log."""

from collections.abc import Callable
from typing import Any

from drill.person import Person


class Client(Person):
    """`taps` are called with each frame that this device sends, after it was sent: `{"type": "send", ...}`."""

    def __init__(self, base: str, username: str) -> None:
        super().__init__(base, username)
        self.taps: list[Callable[[dict[str, Any]], None]] = []
