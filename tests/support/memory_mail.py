"""A broker and a database in memory, which fail when told to: the runtime without any process, disk or socket."""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

from actors.runtime.broker import (
    Broker,
    BrokerError,
    Busy,
    Delivery,
    NoSuchQueue,
    Outgoing,
    Subscriptions,
    Unreachable,
)
from protocols.errors import Refusal
from storage import Schema
from storage.migrate import migrate
from tests.support.tally import SCHEMA, TallyUnit

T = TypeVar("T")

Fate = Literal["taken", "lost", "unknown", "late", "busy", "missing", "cut", "cut after"]
"""What becomes of a publish. "unknown": taken, and reported as lost; "late": the same, taken some publishes later;
"cut": the connection ends with it; "cut after": it was taken just before."""

FATES: tuple[Fate, ...] = ("taken", "lost", "unknown", "late", "busy", "missing", "cut", "cut after")
PREFETCH = 4


@dataclass
class Letter:
    """A message in a queue."""

    mail: Outgoing
    user: str
    redelivered: bool = False
    tag: int = 0


@dataclass
class MemoryBroker(Broker):
    """Queues in a dict, and one consumer. Each publish takes the next of `fates`; without any it is taken."""

    user: str = "front"
    fates: deque[Fate] = field(default_factory=deque)
    queues: dict[str, deque[Letter]] = field(default_factory=dict)
    taken: list[Outgoing] = field(default_factory=list)
    attempts: list[Outgoing] = field(default_factory=list)
    on_acknowledge: Callable[[Letter], None] = lambda _: None
    life: int = 0
    lives: int = 0
    tag: int = 0
    subscriptions: Subscriptions = field(default_factory=Subscriptions)
    mailbox: str = ""
    up: asyncio.Event = field(default_factory=asyncio.Event)
    unacknowledged: deque[Letter] = field(default_factory=deque)
    late: list[Outgoing] = field(default_factory=list)
    blocked: asyncio.Event | None = None

    @property
    def reply_queue(self) -> str:
        return f"replies-{self.life}" if self.life else ""

    def connect(self) -> None:
        """Begin a life, unless one lasts."""
        if self.life:
            return
        self.lives += 1
        self.life = self.lives
        self.tag = 0
        self.up.set()
        if self.subscriptions.on_up:
            self.subscriptions.on_up(self.life)
        self._deliver()

    def cut(self) -> None:
        """End the life: what is not acknowledged goes back to where it was."""
        if not self.life:
            return
        self.life = 0
        self.up.clear()
        queue = self.queue(self.mailbox)
        while self.unacknowledged:
            letter = self.unacknowledged.pop()
            letter.redelivered = True
            queue.appendleft(letter)
        if self.subscriptions.on_down:
            self.subscriptions.on_down()

    def queue(self, name: str) -> deque[Letter]:
        return self.queues.setdefault(name, deque())

    def put(self, mail: Outgoing, user: str | None = None) -> None:
        """As if another process had published it."""
        self.taken.append(mail)
        if not mail.exchange:
            self.queue(mail.key).append(Letter(mail, self.user if user is None else user))
            self._deliver()

    def _deliver(self) -> None:
        queue = self.queue(self.mailbox)
        while self.life and self.mailbox and queue and len(self.unacknowledged) < PREFETCH:
            letter = queue.popleft()
            self.tag += 1
            letter.tag = self.tag
            self.unacknowledged.append(letter)
            if self.subscriptions.on_delivery:
                delivery = Delivery(
                    letter.mail.body, letter.tag, letter.redelivered, letter.user, self.life, letter.mail.durable
                )
                self.subscriptions.on_delivery(delivery)

    async def publish(self, mail: Outgoing) -> None:
        self.attempts.append(mail)
        if self.blocked is not None:
            await self.blocked.wait()
        await asyncio.sleep(0)
        if not self.life:
            raise Unreachable("not connected")
        fate = self.fates.popleft() if self.fates else "taken"
        for one in self.late if fate != "late" else ():
            self.put(one)
        if fate != "late":
            self.late.clear()
        if fate in {"taken", "unknown", "cut after"}:
            self.put(mail)
        elif fate == "late":
            self.late.append(mail)
        await asyncio.sleep(0)
        if fate.startswith("cut"):
            self.cut()
        if fate != "taken":
            raise _error(fate)

    async def acknowledge(self, delivery: Delivery) -> None:
        if delivery.life != self.life:
            return
        while self.unacknowledged and self.unacknowledged[0].tag <= delivery.tag:
            self.on_acknowledge(self.unacknowledged.popleft())
        self._deliver()

    async def declare_mailbox(self, actor: str) -> None:
        if not self.life:
            raise Unreachable("not connected")
        self.queue(actor)

    async def depth(self, actor: str) -> int:
        return len(self.queue(actor))

    async def wait_up(self, within: float) -> bool:
        try:
            async with asyncio.timeout(within):
                await self.up.wait()
        except TimeoutError:
            return False
        return True


def _error(fate: Fate) -> BrokerError:
    if fate == "busy":
        return Busy("full")
    if fate == "missing":
        return NoSuchQueue("nobody has declared it")
    return Unreachable(fate)


def tally_unit(schema: Schema[TallyUnit] = SCHEMA) -> TallyUnit:
    """A tally's unit on a database in memory."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, schema.name, Path("memory"), schema.migrations)
    return schema.unit(connection, Path("nowhere"))


@dataclass
class MemoryDatabase:
    """One transaction at a time. Each takes the next of `troubles`: a refusal or an error instead of the commit."""

    unit: TallyUnit = field(default_factory=tally_unit)
    troubles: deque[Exception | None] = field(default_factory=deque)
    commits: int = 0

    async def run(self, work: Callable[[TallyUnit], T]) -> T:
        await asyncio.sleep(0)
        connection = self.unit.connection
        connection.execute("BEGIN")
        try:
            result = work(self.unit)
            self._trouble()
        except BaseException:
            connection.execute("ROLLBACK")
            self.unit.forget()
            raise
        connection.execute("COMMIT")
        self.commits += 1
        await asyncio.sleep(0)
        return result

    def _trouble(self) -> None:
        trouble = self.troubles.popleft() if self.troubles else None
        if trouble is not None:
            raise trouble

    def close(self) -> None:
        self.unit.connection.close()


def unavailable(times: int) -> Iterable[Refusal]:
    """So many refusals of a database that cannot be used now."""
    return (Refusal("unavailable", "told to wait") for _ in range(times))
