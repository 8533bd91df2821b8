"""What one person's device has shown: the client's side of "exactly once, and in the log's order". Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from msgspec import Struct


class Shown(Struct, frozen=True):
    """A message on the screen. `at` is when it appeared, in seconds of the drill's clock; `stored` the server's own."""

    conversation: str
    seq: int
    version: int
    message_id: str
    client_id: str
    sender: str
    body: str
    at: float
    stored: str = ""

    @classmethod
    def of(cls, frame: Mapping[str, Any], at: float) -> "Shown":
        """The message of a frame, or of an item of a page of sync. A deleted one has an empty body."""
        return cls(
            conversation=frame["conversation"],
            seq=frame["seq"],
            version=frame["version"],
            message_id=frame["message_id"],
            client_id=frame["client_id"],
            sender=frame["sender"],
            body=frame.get("body", ""),
            at=at,
            stored=frame["at"],
        )


@dataclass
class Screen:
    """`receive` says what to do with a message; `shown` holds each in the order in which it appeared.

    A conversation's version tells whether something was missed in between: the next one is shown, one that was seen
    is dropped, and one further on must wait until the gap was read.
    """

    shown: list[Shown] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=dict)
    dropped: int = 0

    def receive(self, message: Shown) -> bool:
        """Show a live message or drop it as seen; False when something before it is missing."""
        known = self.versions.get(message.conversation, 0)
        if message.version > known + 1:
            return False
        self.catch_up(message)
        return True

    def catch_up(self, message: Shown) -> None:
        """Show a message from a page of sync, where nothing before it can be missing."""
        known = self.versions.get(message.conversation, 0)
        if message.version <= known:
            self.dropped += 1
            return
        self.versions[message.conversation] = message.version
        self.shown.append(message)
