"""The broker as the runtime sees it; actors.runtime.amqp is the real one, a simulator may bring another.

BrokerError
 +-- Unreachable    not connected, or the connection broke: whether the mail was taken is unknown
 +-- NoSuchQueue    nobody has declared the queue that the mail was for
 +-- Busy           the queue is at its bound, or the broker refuses for now
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

PERSISTENT = 2
TRANSIENT = 1


class BrokerError(Exception):
    """Mail was not confirmed."""


class Unreachable(BrokerError):  # noqa: N818  (a state of the broker, as the others)
    pass


class NoSuchQueue(BrokerError):  # noqa: N818
    pass


class Busy(BrokerError):  # noqa: N818
    pass


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Mail to be published. `expires_ms` is how long it may wait in the queue, None for ever.

    `must_arrive`: raise NoSuchQueue when no queue takes it; for mailboxes, never for replies and pushes.
    """

    exchange: str
    key: str
    body: bytes
    durable: bool = False
    must_arrive: bool = False
    expires_ms: int | None = None


@dataclass(slots=True)
class Delivery:
    """Mail from the mailbox. `life` numbers the connection it came by: with that gone, it will be delivered again.

    `user` is the broker user who published it, vouched for by the broker. `durable`: whether it was to survive, and
    so may be kept. `open` counts the commands in it that are not done yet.
    """

    body: bytes
    tag: int
    redelivered: bool
    user: str
    life: int
    durable: bool = True
    open: int = 0


@dataclass(frozen=True)
class Subscriptions:
    """What a process reads, and whom the broker calls with it. Callbacks are plain functions and must not block.

    `mailbox`: the actor whose mailbox it is. `on_up(life)` tells of a connection before the first mail comes by it,
    `on_reading()` that the mailbox is there and is read: what goes into it from now on comes by this connection.
    `on_down()` tells that the connection is gone, or that an attempt to connect failed.
    """

    mailbox: str | None = None
    on_delivery: Callable[[Delivery], None] | None = None
    on_push: Callable[[bytes, str], None] | None = None
    on_reply: Callable[[bytes], None] | None = None
    on_up: Callable[[int], None] | None = None
    on_reading: Callable[[], None] | None = None
    on_down: Callable[[], None] | None = None


class Broker(Protocol):
    """A connection that is made again for as long as it takes."""

    @property
    def reply_queue(self) -> str:
        """Where replies to this process go; "" while it is not connected."""

    async def publish(self, mail: Outgoing) -> None:
        """Return when the broker has taken it. Raises BrokerError."""

    async def acknowledge(self, delivery: Delivery) -> None:
        """Acknowledge it and all before it. Nothing happens when its connection is gone."""

    async def declare_mailbox(self, actor: str) -> None:
        """Make sure that an actor's mailbox is there. Raises BrokerError."""

    async def depth(self, actor: str) -> int:
        """How many messages wait in a mailbox, unacknowledged ones not counted. Raises BrokerError."""

    async def wait_up(self, within: float) -> bool:
        """Whether it was, or came to be, connected within so many seconds."""
