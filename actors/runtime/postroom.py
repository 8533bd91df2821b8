"""Post of a process that owns nothing: an ordered lane to each owner, questions with deadlines, and signals."""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Iterable
from typing import Any, TypeVar

from msgspec import Raw, msgpack

from actors.runtime import topology
from actors.runtime.broker import Broker, BrokerError, NoSuchQueue, Outgoing
from actors.runtime.environment import Environment
from actors.runtime.post import Asker, Post
from protocols.errors import Refusal
from protocols.mail import Command, Envelope, Item, Outcome, decode_replies, encoder, reply_type
from settings import SettingsError
from settings.model import Settings

LANE_COMMANDS = 20_000
LANE_BYTES = 16 * 1024 * 1024
RETRY_BASE = 0.05
RETRY_CAP = 2.0
WAIT_UP = 60.0
SIGNALS = 256
"""Signals on their way to the broker at a time; a further one is dropped."""

R = TypeVar("R")

log = logging.getLogger(__name__)


class PostRoom(Post):
    """`run` moves what was told; `replied` and `lost` are for the broker's callbacks."""

    def __init__(self, environment: Environment, instance: str) -> None:
        self._environment = environment
        self._incarnation = f"{instance}:{environment.random_bytes(6).hex()}"
        self._lanes: dict[str, Lane] = {}
        self._new_lane = asyncio.Event()
        self._asked: dict[str, asyncio.Future[Outcome]] = {}
        self._count = 0
        self._signals: set[asyncio.Task[None]] = set()
        self.signals_dropped = 0
        self._broker: Broker
        self._bulk: Asker = self

    @property
    def incarnation(self) -> str:
        return self._incarnation

    @property
    def connected(self) -> bool:
        return bool(self._broker.reply_queue)

    @property
    def bulk(self) -> Asker:
        return self._bulk

    def attach(self, broker: Broker, bulk: Asker | None = None) -> None:
        """`bulk`: by which to ask what carries much, if not by the same connections."""
        self._broker = broker
        self._bulk = bulk or self

    async def run(self) -> None:
        """Keep one task a lane until cancelled.

        Raises SettingsError when the broker has a mailbox of that name with other arguments.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                started: set[str] = set()
                while True:
                    for name, lane in self._lanes.items():
                        if name not in started:
                            started.add(name)
                            tasks.create_task(lane.run(self._broker))
                    self._new_lane.clear()
                    await self._new_lane.wait()
        except BaseExceptionGroup as group:
            # Said as it is: whoever started this process knows its exit code by it.
            error: BaseException | None = group.subgroup(SettingsError)
            while isinstance(error, BaseExceptionGroup):
                error = error.exceptions[0]
            raise (error or group) from None

    def tell(self, to: str, command: Command[Any], *, id: str, person: str, correlation: str, after: str = "") -> None:  # noqa: A002  (as Post)
        item = Item(id=id, command=Raw(msgpack.encode(command)), person=person, correlation=correlation, after=after)
        lane = self._lanes.get(to)
        if lane is None:
            lane = self._lanes[to] = Lane(to, self._environment.settings, self._incarnation)
            self._new_lane.set()
        lane.put(item)

    def drop(self, correlations: Iterable[str]) -> None:
        for correlation in correlations:
            for lane in self._lanes.values():
                lane.drop(correlation)

    async def kept(self, to: str, within: float) -> bool:
        lane = self._lanes.get(to)
        try:
            async with asyncio.timeout(within):
                if lane is not None:
                    await lane.kept()
        except TimeoutError:
            return False
        return True

    async def ask(self, to: str, command: Command[R], *, within: float, id: str = "", person: str = "") -> R:  # noqa: A002  (as Post)
        kind = type(command)
        command_id = id or self._environment.new_id()
        try:
            async with asyncio.timeout(within):
                outcome = await self._asked_until_answered(to, command, command_id, person, within)
        except TimeoutError as error:
            raise Refusal("unavailable", f"{to} does not answer at the moment.", retry_after=1) from error
        if outcome.error is not None:
            raise Refusal.of(outcome.error)
        reply: R = msgpack.decode(outcome.value or b"", type=reply_type(kind))
        return reply

    def signal(self, to: str, command: Command[Any], *, person: str = "", within: float) -> None:
        if len(self._signals) >= SIGNALS or not self.connected:
            self.signals_dropped += 1
            return
        self._count += 1
        lifetime = int(within * 1000)
        item = Item(
            id=f"{self._incarnation}/signal{self._count}",
            command=Raw(msgpack.encode(command)),
            person=person,
            expires=self._environment.now() + lifetime,
        )
        mail = Outgoing(
            "",
            topology.mailbox(self._environment.settings.broker, to),
            encoder.encode(Envelope(sender=self._incarnation, items=[item])),
            expires_ms=lifetime,
        )
        task = asyncio.create_task(self._sent(mail, within))
        self._signals.add(task)
        task.add_done_callback(self._signals.discard)

    async def _sent(self, mail: Outgoing, within: float) -> None:
        try:
            async with asyncio.timeout(within):
                await self._broker.publish(mail)
        except (BrokerError, TimeoutError):
            self.signals_dropped += 1

    async def depth(self, of: str, within: float) -> int:
        try:
            async with asyncio.timeout(within):
                return await self._broker.depth(of)
        except (BrokerError, TimeoutError) as error:
            raise Refusal("unavailable", "The broker does not answer.") from error

    def replied(self, body: bytes) -> None:
        """Hand outcomes to those who wait; one that came too late is dropped."""
        for outcome in decode_replies(body).outcomes:
            waiting = self._asked.get(outcome.correlation)
            if waiting is not None and not waiting.done():
                waiting.set_result(outcome)

    def lost(self) -> None:
        """The connection is gone, and with it the queue that replies would have come to."""
        for waiting in self._asked.values():
            if not waiting.done():
                waiting.set_exception(Refusal("unavailable", retry_after=1))

    async def flush(self, within: float) -> bool:
        """Wait until all that was told is with the broker; False when that took too long."""
        try:
            async with asyncio.timeout(within):
                for lane in self._lanes.values():
                    await lane.empty.wait()
        except TimeoutError:
            return False
        return True

    async def _asked_until_answered(
        self, to: str, command: Command[Any], command_id: str, person: str, within: float
    ) -> Outcome:
        while True:
            try:
                return await self._ask_once(to, command, command_id, person, within)
            except Refusal:
                # What is remembered by its id can be asked again; a log-in cannot, its reply is not kept.
                if not command.durable:
                    raise
            except BrokerError:
                await asyncio.sleep(RETRY_BASE)

    async def _ask_once(self, to: str, command: Command[Any], command_id: str, person: str, within: float) -> Outcome:
        await self._broker.wait_up(within)
        self._count += 1
        correlation = f"{self._incarnation}/ask{self._count}"
        lifetime = None if command.durable else int(within * 1000)
        item = Item(
            id=command_id,
            command=Raw(msgpack.encode(command)),
            person=person,
            correlation=correlation,
            expires=0 if lifetime is None else self._environment.now() + lifetime,
        )
        waiting: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._asked[correlation] = waiting
        try:
            envelope = Envelope(sender=self._incarnation, items=[item], reply_to=self._broker.reply_queue)
            mail = Outgoing(
                "",
                topology.mailbox(self._environment.settings.broker, to),
                encoder.encode(envelope),
                durable=command.durable,
                must_arrive=True,
                expires_ms=lifetime,
            )
            try:
                await self._broker.publish(mail)
            except NoSuchQueue:
                await self._broker.declare_mailbox(to)
                await self._broker.publish(mail)
            return await waiting
        finally:
            del self._asked[correlation]
            # Nobody may be left to look at it.
            if waiting.done() and not waiting.cancelled():
                waiting.exception()


class Lane:
    """Told commands on their way to one owner, in order.

    One envelope is under way at a time, and what comes meanwhile goes into the next: order needs no more, for an
    envelope whose fate is unknown is sent again before anything after it. The owner knows the ids it has done.
    """

    def __init__(self, to: str, settings: Settings, sender: str) -> None:
        self._to = to
        self._settings = settings
        self._sender = sender
        self._queue: deque[Item] = deque()
        self._bytes = 0
        self._put = 0
        self._taken = 0
        self._marks: deque[tuple[int, asyncio.Future[None]]] = deque()
        # The numbers of commands that wait for their turn: by correlation, or by person and id where nobody waits for
        # the outcome any more.
        self._numbers: dict[str, int] = {}
        self._unwanted: dict[tuple[str, str], int] = {}
        self._some = asyncio.Event()
        self.empty = asyncio.Event()
        self.empty.set()

    def put(self, item: Item) -> None:
        """Take it, or raise Refusal("unavailable") at the bound. A copy of what nobody waits for takes its place."""
        if self._unwanted and self._replaced(item):
            return
        if len(self._queue) >= LANE_COMMANDS or self._bytes >= LANE_BYTES:
            raise Refusal("unavailable", f"Too much is waiting for {self._to}.", retry_after=2)
        self._queue.append(item)
        self._put += 1
        self._bytes += len(item.command)
        self._numbers[item.correlation] = self._put
        self._some.set()
        self.empty.clear()

    def drop(self, correlation: str) -> None:
        """Nobody waits for that outcome any more. The command is done all the same, and is most likely told again.

        Else those who come back again and again while nothing moves would fill the lane with copies.
        """
        number = self._numbers.pop(correlation, None)
        if number is not None:
            self._unwanted[_name(self._queue[self._place(number)])] = number

    def _replaced(self, item: Item) -> bool:
        number = self._unwanted.get(_name(item))
        if number is None or bytes(self._queue[self._place(number)].command) != bytes(item.command):
            return False
        del self._unwanted[_name(item)]
        self._queue[self._place(number)] = item
        self._numbers[item.correlation] = number
        return True

    def _place(self, number: int) -> int:
        return number - self._taken - 1

    async def kept(self) -> None:
        """Return when the broker has confirmed all that was put so far."""
        if self._queue:
            mark: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._marks.append((self._put, mark))
            await mark

    async def run(self, broker: Broker) -> None:
        queue = topology.mailbox(self._settings.broker, self._to)
        while True:
            await self._some.wait()
            items = self._gathered()
            self._settle(items)
            body = encoder.encode(Envelope(sender=self._sender, items=items))
            await self._until_confirmed(broker, Outgoing("", queue, body, durable=True, must_arrive=True))
            for _ in items:
                self._bytes -= len(self._queue.popleft().command)
            self._taken += len(items)
            while self._marks and self._marks[0][0] <= self._taken:
                mark = self._marks.popleft()[1]
                # Whoever waited may have given up.
                if not mark.done():
                    mark.set_result(None)
            if not self._queue:
                self._some.clear()
                self.empty.set()

    def _gathered(self) -> list[Item]:
        limits = self._settings.runtime
        items: list[Item] = []
        size = 0
        for item in self._queue:
            size += len(item.command)
            if items and (len(items) >= limits.batch_commands or size > limits.batch_bytes):
                break
            items.append(item)
        return items

    def _settle(self, items: list[Item]) -> None:
        """From now on these are as they are: what is sent again must be the same."""
        for item in items:
            self._numbers.pop(item.correlation, None)
        if self._unwanted:
            last = self._taken + len(items)
            for item in items:
                if self._unwanted.get(_name(item), last + 1) <= last:
                    del self._unwanted[_name(item)]

    async def _until_confirmed(self, broker: Broker, mail: Outgoing) -> None:
        delay = RETRY_BASE
        while True:
            try:
                await broker.publish(mail)
            except NoSuchQueue:
                await self._declare(broker)
            except BrokerError as error:
                log.info("mail for %s is not taken yet: %s", self._to, error)
                await broker.wait_up(WAIT_UP)
            else:
                return
            await asyncio.sleep(delay * random.random())  # noqa: S311  (jitter, not a secret)
            delay = min(RETRY_CAP, delay * 2)

    async def _declare(self, broker: Broker) -> None:
        try:
            await broker.declare_mailbox(self._to)
        except BrokerError:
            return


def _name(item: Item) -> tuple[str, str]:
    return item.person, item.id
