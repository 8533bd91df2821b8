"""A broker in virtual time that several processes share, and a process's connection to it.

It promises what RabbitMQ promises, and fails as RabbitMQ may: what was published when a connection broke was taken, or
not, or is taken a moment later; a dead consumer holds its mail for a while; a killed node forgets what it has not
confirmed, what is not durable, and its latest acknowledgements.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from actors.runtime import topology
from actors.runtime.amqp.broker import BACKOFF_BASE, BACKOFF_CAP
from actors.runtime.amqp.life import CONFIRM_TIMEOUT, PREFETCH
from actors.runtime.broker import Broker, Busy, Delivery, NoSuchQueue, Outgoing, Subscriptions, Unreachable
from settings.model import Broker as BrokerSettings
from tests.simulation.ways import Way
from tests.support.memory_mail import Letter

if TYPE_CHECKING:
    from tests.simulation.world import World

LOST_ACKNOWLEDGEMENTS = 4
"""At most so many acknowledgements are forgotten by a node that is killed."""

LINGER = 3.0
"""Seconds for which a broker may take a dead consumer for a live one, or read on what a dead publisher had sent."""

Confirm = asyncio.Future[None]


@dataclass(eq=False)
class Queue:
    """A durable queue with one active consumer. `unsafe`: letters that are not confirmed yet."""

    bound: int
    letters: deque[Letter] = field(default_factory=deque)
    consumers: list["Life"] = field(default_factory=list)
    unsafe: set[int] = field(default_factory=set)
    acknowledged: deque[Letter] = field(default_factory=lambda: deque(maxlen=LOST_ACKNOWLEDGEMENTS))


class Life:
    """One life of a process's two connections, as both ends see it."""

    def __init__(self, link: "Link", number: int) -> None:
        self.link = link
        self.number = number
        self.name = f"{link.name}/{number}"
        delay = link.world.network
        node = link.node
        self.publishing: Way[tuple[Outgoing, Confirm]] = Way(partial(node.arrived, self), delay)
        self.confirms: Way[tuple[Confirm, Exception | None]] = Way(link.confirmed, delay)
        self.acknowledging: Way[int] = Way(partial(node.acknowledged, self), delay)
        self.deliveries: Way[Letter] = Way(partial(link.delivered, self), delay)
        self.pushes: Way[Letter] = Way(partial(link.pushed, self), delay)
        self.waiting: dict[Confirm, None] = {}
        self.held: deque[tuple[Outgoing, Confirm]] = deque()
        self.unacknowledged: deque[Letter] = deque()
        self.handed = 0
        self.done = 0
        self.over = False


class Node:
    """The broker. `alarm`: it reads nothing from those who publish."""

    def __init__(self, world: "World", settings: BrokerSettings, rng: Random) -> None:
        self._world = world
        self._settings = settings
        self._rng = rng
        self._loop = asyncio.get_running_loop()
        self._marks = 0
        self.up = True
        self.alarm = False
        self.lossy = 0.0
        self.refusing = 0
        self.deletions = 0
        self.queues: dict[str, Queue] = {}
        self.lives: dict[Life, None] = {}

    # Publishing.

    def arrived(self, life: Life, item: tuple[Outgoing, Confirm]) -> None:
        if self.alarm:
            life.held.append(item)
            return
        mail, confirm = item
        error = self.take(mail, life.link.user)
        delay = self._world.disk() if mail.durable and error is None else 0.0
        if delay:
            self._loop.call_later(delay, self._safe, life, mail, confirm, self._marks)
        else:
            self._safe(life, mail, confirm, self._marks, error)

    def _safe(self, life: Life, mail: Outgoing, confirm: Confirm, mark: int, error: Exception | None = None) -> None:
        queue = self.queues.get(mail.key)
        if queue is not None:
            queue.unsafe.discard(mark)
        if not life.over and life in self.lives:
            life.confirms.put((confirm, error))

    def take(self, mail: Outgoing, user: str) -> Exception | None:
        """Into its queue, or out to all fronts; returns what the publisher is told."""
        self._marks += 1
        if mail.exchange:
            for life in self.lives:
                if life.link.subscriptions.on_push and not (self.lossy and self._rng.random() < self.lossy):
                    life.pushes.put(Letter(mail, user))
            return None
        queue = self.queues.get(mail.key)
        if queue is None:
            return NoSuchQueue(mail.key) if mail.must_arrive else None
        if len(queue.letters) >= queue.bound or self.refusing:
            self.refusing = max(0, self.refusing - 1)
            return Busy(mail.key)
        queue.letters.append(Letter(mail, user, tag=self._marks))
        if mail.durable:
            queue.unsafe.add(self._marks)
        self._pump(queue)
        return None

    def set_alarm(self, on: bool) -> None:
        self.alarm = on
        if not on:
            for life in list(self.lives):
                while life.held and not self.alarm:
                    self.arrived(life, life.held.popleft())

    # Consuming.

    def declare(self, actor: str) -> Queue:
        settings = self._settings
        self.queues.setdefault(topology.dead_letters(settings, actor), Queue(topology.DEAD_LETTERS))
        return self.queues.setdefault(topology.mailbox(settings, actor), Queue(settings.mailbox_bound))

    def consume(self, life: Life, actor: str) -> None:
        queue = self.declare(actor)
        queue.consumers.append(life)
        self._pump(queue)

    def _pump(self, queue: Queue) -> None:
        if not queue.consumers or not self.up:
            return
        active = queue.consumers[0]
        while queue.letters and len(active.unacknowledged) < PREFETCH:
            letter = queue.letters.popleft()
            active.unacknowledged.append(letter)
            active.deliveries.put(letter)

    def acknowledged(self, life: Life, count: int) -> None:
        """The first `count` deliveries of a life are done."""
        queue = next((one for one in self.queues.values() if life in one.consumers), None)
        if queue is None:
            return
        while life.unacknowledged and life.done < count:
            life.done += 1
            queue.acknowledged.append(life.unacknowledged.popleft())
            self._world.acknowledged(queue.acknowledged[-1])
        self._pump(queue)

    # Ends.

    def attach(self, life: Life) -> None:
        self.lives[life] = None

    def cut(self, life: Life) -> None:
        """Both connections of a life break. What was on its way up is taken, or not, or in a while."""
        if life.over:
            return
        life.over = True
        self._world.note(life.name, "cut")
        rng = self._rng
        flying = [*life.held, *life.publishing.cut()]
        taken = flying[: rng.randint(0, len(flying))] if self.up else []
        life.confirms.cut()
        life.deliveries.cut()
        life.pushes.cut()
        acknowledged = life.acknowledging.cut()
        for count in acknowledged[: rng.randint(0, len(acknowledged))]:
            self.acknowledged(life, count)
        late = rng.random() < 0.3
        after = rng.uniform(0.0, LINGER) if late else 0.0
        self._loop.call_later(after, self._read_on, life.link.user, [mail for mail, _ in taken])
        self._loop.call_later(rng.uniform(0.0, LINGER) if rng.random() < 0.3 else 0.0, self._detach, life)
        self.lives.pop(life, None)
        life.link.broken(life)

    def _read_on(self, user: str, taken: list[Outgoing]) -> None:
        for mail in taken:
            if self.up:
                self.take(mail, user)

    def _detach(self, life: Life) -> None:
        for queue in self.queues.values():
            if life in queue.consumers:
                queue.consumers.remove(life)
                while life.unacknowledged:
                    letter = life.unacknowledged.pop()
                    letter.redelivered = True
                    queue.letters.appendleft(letter)
                self._pump(queue)

    def delete(self, actor: str) -> None:
        """Somebody deletes a mailbox with all that is in it; its consumers are told."""
        self.deletions += 1
        queue = self.queues.pop(topology.mailbox(self._settings, actor), None)
        for life in queue.consumers if queue else ():
            self.cut(life)

    def go_down(self, *, killed: bool) -> None:
        """End, orderly or as if killed. What a killed node had not confirmed may be gone."""
        self.up = False
        for life in list(self.lives):
            self.cut(life)
        for queue in self.queues.values():
            for life in queue.consumers:
                queue.letters.extendleft(reversed(life.unacknowledged))
                life.unacknowledged.clear()
            queue.consumers.clear()
            if killed:
                self._forget(queue)
            queue.letters = deque(letter for letter in queue.letters if letter.mail.durable)
            for letter in queue.letters:
                letter.redelivered = letter.redelivered or self._rng.random() < 0.5
            queue.unsafe.clear()

    def _forget(self, queue: Queue) -> None:
        rng = self._rng
        lost = {mark for mark in sorted(queue.unsafe) if rng.random() < 0.5}
        queue.letters = deque(letter for letter in queue.letters if letter.tag not in lost)
        for _ in range(rng.randint(0, len(queue.acknowledged))):
            queue.letters.appendleft(queue.acknowledged.pop())
        queue.acknowledged.clear()

    def come_up(self) -> None:
        self.up = True


class Link(Broker):
    """A process's connections, made again for as long as it lives."""

    def __init__(self, world: "World", name: str, user: str, subscriptions: Subscriptions) -> None:
        self.world = world
        self.node: Node = world.node
        self.name: str = name
        self.user = user
        self.subscriptions = subscriptions
        self._loop = asyncio.get_running_loop()
        self._life: Life | None = None
        self._lives = 0
        self._up = asyncio.Event()
        self._ended = asyncio.Event()
        self._dead = False

    @property
    def reply_queue(self) -> str:
        return f"replies of {self._life.name}" if self._life else ""

    @property
    def life(self) -> Life | None:
        return self._life

    async def run(self) -> None:
        failures = 0
        rng = self.world.rng
        while True:
            await asyncio.sleep(self.world.network())
            if self.node.up:
                failures = 0
                await self._live()
            failures += 1
            await asyncio.sleep(rng.random() * min(BACKOFF_CAP, BACKOFF_BASE * 2 ** min(failures, 10)))

    async def _live(self) -> None:
        self._lives += 1
        life = Life(self, self._lives)
        self._ended.clear()
        self.node.attach(life)
        self._life = life
        self._up.set()
        self.world.note(life.name, "connected")
        if self.subscriptions.on_up:
            self.subscriptions.on_up(life.number)
        await asyncio.sleep(self.world.network())
        if self.subscriptions.mailbox is not None and not life.over:
            self.node.consume(life, self.subscriptions.mailbox)
            if self.subscriptions.on_reading:
                self.subscriptions.on_reading()
        await self._ended.wait()
        # Those who publish may hear of it before those who are told, and the other way round.
        await asyncio.sleep(self.world.network())
        self._up.clear()
        self._life = None
        if self.subscriptions.on_down:
            self.subscriptions.on_down()

    def broken(self, life: Life) -> None:
        for confirm in life.waiting:
            if not confirm.done():
                confirm.set_exception(Unreachable("the connection was lost"))
        life.waiting.clear()
        if life is self._life:
            self._ended.set()

    def die(self) -> None:
        """The process is gone: nothing that its code still does has an effect."""
        self._dead = True
        if self._life is not None:
            self.node.cut(self._life)

    def renew(self) -> None:
        """End this life and begin another."""
        if self._life is not None:
            self.node.cut(self._life)

    # As the process sees it.

    async def publish(self, mail: Outgoing) -> None:
        life = self._living()
        confirm: Confirm = self._loop.create_future()
        life.waiting[confirm] = None
        life.publishing.put((mail, confirm))
        self.world.point(self.name, "published")
        try:
            async with asyncio.timeout(CONFIRM_TIMEOUT):
                await confirm
        except TimeoutError as error:
            raise Unreachable("not confirmed in time") from error
        finally:
            life.waiting.pop(confirm, None)
        self.world.point(self.name, "confirmed")

    def confirmed(self, item: tuple[Confirm, Exception | None]) -> None:
        confirm, error = item
        if confirm.done():
            return
        if error is None:
            confirm.set_result(None)
        else:
            confirm.set_exception(error)

    async def acknowledge(self, delivery: Delivery) -> None:
        life = self._life
        if life is not None and life.number == delivery.life and not self._dead:
            if life.over:
                raise Unreachable("the connection was lost")
            life.acknowledging.put(delivery.tag)
            self.world.point(self.name, "acknowledged")

    async def declare_mailbox(self, actor: str) -> None:
        self._living()
        await asyncio.sleep(self.world.network())
        self._living()
        self.node.declare(actor)

    async def depth(self, actor: str) -> int:
        self._living()
        await asyncio.sleep(self.world.network())
        self._living()
        return len(self.node.declare(actor).letters)

    async def wait_up(self, within: float) -> bool:
        try:
            async with asyncio.timeout(within):
                await self._up.wait()
        except TimeoutError:
            return False
        return True

    def _living(self) -> Life:
        if self._life is None or self._life.over or self._dead:
            raise Unreachable("not connected")
        return self._life

    # What comes from the node.

    def delivered(self, life: Life, letter: Letter) -> None:
        if self._dead or self.subscriptions.on_delivery is None:
            return
        life.handed += 1
        delivery = Delivery(
            letter.mail.body, life.handed, letter.redelivered, letter.user, life.number, letter.mail.durable
        )
        self.subscriptions.on_delivery(delivery)
        self.world.point(self.name, "delivered")

    def pushed(self, _life: Life, letter: Letter) -> None:
        if not self._dead and self.subscriptions.on_push is not None:
            self.subscriptions.on_push(letter.mail.body, letter.user)
            self.world.point(self.name, "pushed")
