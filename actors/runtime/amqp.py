"""The one place that speaks AMQP: aiormq, which never reconnects by itself, made to last.

A life is two connections (one to consume, one to publish, because a broker under a memory alarm stops reading from
whoever publishes, acknowledgements included) and their channels. The first fault of any of them ends the life as a
whole, and a new one begins: half a connection is worse than none.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import aiormq
from aiormq.abc import AbstractChannel, AbstractConnection, DeliveredMessage
from aiormq.exceptions import (
    AMQPError,
    ChannelInvalidStateError,
    ChannelPreconditionFailed,
    DeliveryError,
    PublishError,
)
from pamqp.commands import Basic
from pamqp.common import FieldTable

from actors.runtime import topology
from actors.runtime.broker import (
    PERSISTENT,
    TRANSIENT,
    Broker,
    Busy,
    Delivery,
    NoSuchQueue,
    Outgoing,
    Subscriptions,
    Unreachable,
)
from settings import SettingsError
from settings.model import Broker as BrokerSettings

CONNECT_TIMEOUT = 5.0
CONFIRM_TIMEOUT = 10.0
CLOSE_TIMEOUT = 3.0
BACKOFF_BASE = 0.1
BACKOFF_CAP = 5.0
STABLE = 30.0
PREFETCH = 64
PUSH_PREFETCH = 256

log = logging.getLogger(__name__)


@asynccontextmanager
async def _as_unreachable() -> AsyncIterator[None]:
    """Turn every way in which aiormq reports a lost connection into Unreachable.

    When a heartbeat expires it cancels the waiting future, so CancelledError surfaces in a task that nobody
    cancelled; taken for a shutdown it would silently end that task.
    """
    try:
        yield
    except asyncio.CancelledError as error:
        if _being_cancelled():
            raise
        raise Unreachable("the connection was lost") from error
    except (AMQPError, ChannelInvalidStateError, OSError, TimeoutError) as error:
        # A call that is cancelled closes its channel, and may come out as that instead.
        if _being_cancelled():
            raise asyncio.CancelledError from error
        raise Unreachable(f"{type(error).__name__}: {error}") from error


def _being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class AmqpBroker(Broker):
    """This process's connections. `run` keeps them; everything else may be called at any time.

    `url` is called at each attempt, because a private node may move to another port. `random` gives a number in
    [0, 1) for the jitter of the backoff.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        *,
        name: str,
        user: str,
        url: Callable[[], str],
        subscriptions: Subscriptions,
        random: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._name = name
        self._user = user
        self._url = url
        self._subscriptions = subscriptions
        self._random = random
        self._life: _Life | None = None
        self._lives = 0
        self._up = asyncio.Event()

    @property
    def reply_queue(self) -> str:
        return self._life.reply_queue if self._life else ""

    async def run(self) -> None:
        """Connect, again and again, until cancelled.

        Raises SettingsError when the broker has a queue of our name with other arguments: no restart mends that.
        """
        failures = 0
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            life = _Life(self._settings, self._user, self._subscriptions, self._lives + 1)
            try:
                async with _as_unreachable():
                    await life.begin(self._url_for)
            except (Unreachable, SettingsError) as error:
                if isinstance(error, SettingsError) and error.key != "broker.url":
                    raise
                log.warning("broker is away: %s", error)
            else:
                self._lives += 1
                self._life = life
                self._up.set()
                log.info("broker is there")
                if self._subscriptions.on_up:
                    self._subscriptions.on_up(life.number)
                try:
                    await life.ended()
                finally:
                    self._up.clear()
                    self._life = None
                    if self._subscriptions.on_down:
                        self._subscriptions.on_down()
                log.warning("broker was lost")
            finally:
                await life.close()
            failures = 0 if loop.time() - began > STABLE else failures + 1
            await asyncio.sleep(self._random() * min(BACKOFF_CAP, BACKOFF_BASE * 2 ** min(failures, 10)))

    async def wait_up(self, within: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._up.wait()
        return self._up.is_set()

    async def publish(self, mail: Outgoing) -> None:
        await self._living().publish(mail)

    async def acknowledge(self, delivery: Delivery) -> None:
        life = self._life
        if life is not None and life.number == delivery.life:
            async with _as_unreachable():
                await life.acknowledge(delivery.tag)

    async def declare_mailbox(self, actor: str) -> None:
        async with _as_unreachable():
            await self._living().declare_mailbox(actor)

    async def depth(self, actor: str) -> int:
        async with _as_unreachable():
            return await self._living().depth(actor)

    async def take_dead_letters(self, actor: str, most: int) -> "list[tuple[bytes, Callable[[bool], Any]]]":
        """Up to `most` dead letters of an actor, each with a function that takes it away (True) or puts it back."""
        async with _as_unreachable():
            return await self._living().take_dead_letters(actor, most)

    def _living(self) -> "_Life":
        if self._life is None:
            raise Unreachable("not connected")
        return self._life

    def _url_for(self, role: str) -> str:
        url = self._url()
        query = urlencode({"heartbeat": self._settings.heartbeat, "name": f"{self._name}.{role}"})
        return f"{url}{'&' if '?' in url else '?'}{query}"


class _Life:
    """One life of the connections."""

    def __init__(self, settings: BrokerSettings, user: str, subscriptions: Subscriptions, number: int) -> None:
        self.number = number
        self.reply_queue = ""
        self._settings = settings
        self._user = user
        self._subscriptions = subscriptions
        self._connections: list[AbstractConnection] = []
        self._channels: list[AbstractChannel] = []
        self._cancelled = asyncio.Event()
        self._declaring = asyncio.Lock()

    async def begin(self, url: Callable[[str], str]) -> None:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            consuming = await self._connect(url("sub"))
            publishing = await self._connect(url("pub"))
            self._publish_channel = await self._open(publishing)
            self._declare_channel = await self._open(publishing)
            self._consume_channel = await self._open(consuming)
            self._consume_channel.on_consumer_cancel_callbacks.add(self._on_cancel)
            await self._declare_channel.exchange_declare(
                topology.fronts(self._settings), exchange_type="fanout", durable=True
            )
            await self._subscribe_replies_and_pushes(consuming)
            if self._subscriptions.mailbox is not None:
                await self._subscribe_mailbox(self._subscriptions.mailbox)

    async def _connect(self, url: str) -> AbstractConnection:
        connection = await aiormq.connect(url)
        self._connections.append(connection)
        return connection

    async def _open(self, connection: AbstractConnection) -> AbstractChannel:
        channel = await connection.channel()
        self._channels.append(channel)
        return channel

    async def _subscribe_mailbox(self, actor: str) -> None:
        subscriptions = self._subscriptions

        # One task a delivery runs this; they start in order, and since it never waits they finish in order.
        async def arrived(message: DeliveredMessage) -> None:
            if subscriptions.on_delivery:
                subscriptions.on_delivery(
                    Delivery(
                        body=message.body,
                        tag=message.delivery_tag or 0,
                        redelivered=bool(message.redelivered),
                        user=message.header.properties.user_id or "",
                        life=self.number,
                    )
                )

        await self.declare_mailbox(actor)
        await self._consume_channel.basic_qos(prefetch_count=PREFETCH)
        await self._consume_channel.basic_consume(topology.mailbox(self._settings, actor), arrived)

    async def _subscribe_replies_and_pushes(self, connection: AbstractConnection) -> None:
        subscriptions = self._subscriptions
        if subscriptions.on_reply:
            on_reply = subscriptions.on_reply

            async def replied(message: DeliveredMessage) -> None:
                on_reply(message.body)

            self.reply_queue = await self._own_queue(self._consume_channel)
            await self._consume_channel.basic_consume(self.reply_queue, replied, no_ack=True)
        if subscriptions.on_push:
            on_push = subscriptions.on_push
            channel = await self._open(connection)
            await channel.basic_qos(prefetch_count=PUSH_PREFETCH)

            async def pushed(message: DeliveredMessage) -> None:
                on_push(message.body, message.header.properties.user_id or "")
                tag = message.delivery_tag or 0
                # Acknowledged in bulk; without any acknowledgement a slow front would buffer without bound here
                # instead of at the broker, where the queue has one.
                if tag % (PUSH_PREFETCH // 4) == 0:
                    with contextlib.suppress(AMQPError, ChannelInvalidStateError):
                        await channel.basic_ack(tag, multiple=True, wait=False)

            queue = await self._own_queue(channel)
            await channel.queue_bind(queue, topology.fronts(self._settings))
            await channel.basic_consume(queue, pushed)

    async def _own_queue(self, channel: AbstractChannel) -> str:
        # Named by the server: a name of ours would stay locked while a half-dead predecessor lingers.
        declared = await channel.queue_declare(exclusive=True, auto_delete=True, arguments=topology.push_arguments())
        return str(declared.queue)

    async def declare_mailbox(self, actor: str) -> None:
        await self._declare(topology.mailbox(self._settings, actor), topology.mailbox_arguments(self._settings))
        await self._declare(topology.dead_letters(self._settings, actor), topology.dead_letter_arguments())

    async def _declare(self, queue: str, arguments: dict[str, Any]) -> None:
        async with self._declaring:
            try:
                table: FieldTable = arguments
                await self._declare_channel.queue_declare(queue, durable=True, arguments=table, timeout=CONFIRM_TIMEOUT)
            except ChannelPreconditionFailed as error:
                raise SettingsError("broker.mailbox_type", f"queue {queue} exists with other properties") from error

    async def depth(self, actor: str) -> int:
        async with self._declaring:
            declared = await self._declare_channel.queue_declare(
                topology.mailbox(self._settings, actor), passive=True, durable=True, timeout=CONFIRM_TIMEOUT
            )
        return int(declared.message_count or 0)

    async def publish(self, mail: Outgoing) -> None:
        properties = Basic.Properties(
            delivery_mode=PERSISTENT if mail.durable else TRANSIENT,
            user_id=self._user,
            expiration=None if mail.expires_ms is None else str(max(1, mail.expires_ms)),
            # message_id stays the library's own, fresh for each attempt: it matches returned mail by it, and with
            # two of the same a lost one would be reported as taken.
        )
        async with _as_unreachable():
            try:
                await self._publish_channel.basic_publish(
                    mail.body,
                    exchange=mail.exchange,
                    routing_key=mail.key,
                    properties=properties,
                    mandatory=mail.must_arrive,
                    timeout=CONFIRM_TIMEOUT,
                )
            except PublishError as error:
                raise NoSuchQueue(mail.key) from error
            except DeliveryError as error:
                raise Busy(mail.key) from error

    async def acknowledge(self, tag: int) -> None:
        await self._consume_channel.basic_ack(tag, multiple=True, wait=False)

    async def take_dead_letters(self, actor: str, most: int) -> list[tuple[bytes, Callable[[bool], Any]]]:
        queue = topology.dead_letters(self._settings, actor)
        taken: list[tuple[bytes, Callable[[bool], Any]]] = []
        while len(taken) < most:
            message = await self._consume_channel.basic_get(queue, timeout=CONFIRM_TIMEOUT)
            tag = message.delivery_tag
            if tag is None:
                break
            taken.append((message.body, self._settler(tag)))
        return taken

    def _settler(self, tag: int) -> Callable[[bool], Any]:
        async def settle(away: bool) -> None:
            if away:
                await self._consume_channel.basic_ack(tag)
            else:
                await self._consume_channel.basic_nack(tag, requeue=True)

        return settle

    async def _on_cancel(self, *_: Any) -> None:
        # The queue was deleted. Only note it: a declaration here would deadlock the channel's reader.
        self._cancelled.set()

    async def ended(self) -> None:
        """Return at the first fault of any part."""
        cancelled = asyncio.ensure_future(self._cancelled.wait())
        faults = [*(one.closing for one in self._connections), *(one.closing for one in self._channels)]
        try:
            await asyncio.wait([cancelled, *faults], return_when=asyncio.FIRST_COMPLETED)
        finally:
            cancelled.cancel()
            for fault in faults:
                if fault.done() and not fault.cancelled():
                    fault.exception()

    async def close(self) -> None:
        """Close both connections at the same time, and give up on a peer that does not answer."""

        async def close(connection: AbstractConnection) -> None:
            with contextlib.suppress(Unreachable):
                async with _as_unreachable(), asyncio.timeout(CLOSE_TIMEOUT):
                    await connection.close()

        await asyncio.gather(*(close(connection) for connection in self._connections))
