"""One life of a process's connections.

Two of them (one to consume, one to publish, because a broker under a memory alarm stops reading from whoever
publishes, acknowledgements included) and their channels. The first fault of any of them ends the life as a whole,
and a new one begins: half a connection is worse than none.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import urlsplit

import aiormq
from aiormq.abc import AbstractChannel, AbstractConnection, DeliveredMessage
from aiormq.channel import Channel
from aiormq.exceptions import ChannelInvalidStateError, ChannelPreconditionFailed
from pamqp.common import FieldTable

from actors.runtime import topology
from actors.runtime.amqp.faults import Transport, as_unreachable
from actors.runtime.amqp.publishing import Publisher, acknowledgement
from actors.runtime.amqp.receiving import Incoming
from actors.runtime.broker import (
    Delivery,
    Outgoing,
    Subscriptions,
    Unreachable,
)
from settings import SettingsError
from settings.model import Broker as BrokerSettings

CONNECT_TIMEOUT = 5.0
CONFIRM_TIMEOUT = 10.0
CLOSE_TIMEOUT = 2.0
PREFETCH = 64
PUSH_PREFETCH = 256


class Life:
    """One life of the connections."""

    def __init__(self, settings: BrokerSettings, user: str, subscriptions: Subscriptions, number: int) -> None:
        self.number = number
        self.reply_queue = ""
        self._settings = settings
        self._user = user
        self._subscriptions = subscriptions
        self._connections: list[tuple[AbstractConnection, Transport]] = []
        self._channels: list[AbstractChannel] = []
        self._over = asyncio.Event()
        self._declaring = asyncio.Lock()
        self._declarations: set[asyncio.Task[int]] = set()

    async def begin(self, url: Callable[[str], str]) -> None:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            consuming = await self._connect(url("sub"))
            publishing = await self._connect(url("pub"))
            channel = cast("Channel", await self._open(publishing))
            transport = self._transport(publishing)
            self._publisher = Publisher(channel, self._user, transport.writer)
            transport.tap.publishers[channel.number] = self._publisher.settling
            # On the consuming connection, which the broker goes on reading under a memory alarm.
            self._declare_channel = await self._open(consuming)
            self._consume_channel = await self._open(consuming)
            await self._declare_channel.exchange_declare(
                topology.fronts(self._settings), exchange_type="fanout", durable=True
            )
            await self._subscribe_replies()
            await self._subscribe_pushes(consuming)
            self._consuming = self._transport(consuming)

    async def take_mail(self) -> None:
        """Begin to consume the mailbox, if there is one."""
        if self._subscriptions.mailbox is not None:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await self._subscribe_mailbox(self._subscriptions.mailbox)

    async def _connect(self, url: str) -> AbstractConnection:
        transport = Transport(urlsplit(url).scheme)
        connection = aiormq.Connection(url, transport_factory=transport)
        # Kept from here on: whatever comes of it is closed with the life.
        self._connections.append((connection, transport))
        await connection.connect()
        return connection

    async def _open(self, connection: AbstractConnection) -> AbstractChannel:
        channel = await connection.channel()
        channel.on_consumer_cancel_callbacks.add(self._on_cancel)
        self._channels.append(channel)
        return channel

    def _transport(self, connection: AbstractConnection) -> Transport:
        return next(transport for one, transport in self._connections if one is connection)

    async def _subscribe_mailbox(self, actor: str) -> None:
        on_delivery = self._subscriptions.on_delivery

        def arrived(mail: Incoming) -> None:
            if on_delivery:
                on_delivery(
                    Delivery(
                        body=mail.body,
                        tag=mail.tag,
                        redelivered=mail.redelivered,
                        user=mail.user,
                        life=self.number,
                        durable=mail.durable,
                    )
                )

        await self.declare_mailbox(actor)
        await self._consume_channel.basic_qos(prefetch_count=PREFETCH)
        await self._consume(self._consume_channel, topology.mailbox(self._settings, actor), arrived)

    async def _subscribe_replies(self) -> None:
        on_reply = self._subscriptions.on_reply
        if on_reply is None:
            return
        self.reply_queue = await self._own_queue(self._consume_channel)
        await self._consume(self._consume_channel, self.reply_queue, lambda mail: on_reply(mail.body), no_ack=True)

    async def _subscribe_pushes(self, connection: AbstractConnection) -> None:
        on_push = self._subscriptions.on_push
        if on_push is None:
            return
        channel = await self._open(connection)
        await channel.basic_qos(prefetch_count=PUSH_PREFETCH)

        def pushed(mail: Incoming) -> None:
            try:
                on_push(mail.body, mail.user)
            finally:
                # Acknowledged in bulk; without any acknowledgement a slow front would buffer without bound here
                # instead of at the broker, where the queue has one.
                if mail.tag % (PUSH_PREFETCH // 4) == 0 and not channel.is_closed:
                    transport.writer.write(acknowledgement(channel.number, mail.tag))

        transport = self._transport(connection)
        queue = await self._own_queue(channel)
        await channel.queue_bind(queue, topology.fronts(self._settings))
        await self._consume(channel, queue, pushed)

    async def _consume(
        self, channel: AbstractChannel, queue: str, arrived: Callable[[Incoming], None], *, no_ack: bool = False
    ) -> None:
        tag = f"parley.{len(self._transport(channel.connection).tap.consumers)}"
        self._transport(channel.connection).tap.consumers[channel.number, tag.encode()] = arrived
        await channel.basic_consume(queue, _not_called, no_ack=no_ack, consumer_tag=tag)

    async def _own_queue(self, channel: AbstractChannel) -> str:
        # Named by the server: a name of ours would stay locked while a half-dead predecessor lingers.
        declared = await channel.queue_declare(exclusive=True, auto_delete=True, arguments=topology.push_arguments())
        return str(declared.queue)

    async def declare_mailbox(self, actor: str) -> int:
        """Returns how many messages wait in it."""
        waiting = await self._declare(
            topology.mailbox(self._settings, actor), topology.mailbox_arguments(self._settings, actor)
        )
        await self._declare(topology.dead_letters(self._settings, actor), topology.dead_letter_arguments())
        return waiting

    async def depth(self, actor: str) -> int:
        # Declared, not asked for: to ask for a queue that is missing would end the channel and with it this life.
        return await self._declare(
            topology.mailbox(self._settings, actor), topology.mailbox_arguments(self._settings, actor)
        )

    async def _declare(self, queue: str, arguments: dict[str, Any]) -> int:
        # In a task of its own: aiormq closes the channel under a call whose caller is cancelled, as by the deadline
        # of somebody who asks, and that would end this life for everybody.
        task = asyncio.create_task(self._declare_in_turn(queue, arguments))
        self._declarations.add(task)
        task.add_done_callback(self._declared)
        return await asyncio.shield(task)

    async def _declare_in_turn(self, queue: str, arguments: dict[str, Any]) -> int:
        async with self._declaring:
            try:
                table: FieldTable = arguments
                declared = await self._declare_channel.queue_declare(
                    queue, durable=True, arguments=table, timeout=CONFIRM_TIMEOUT
                )
            except ChannelPreconditionFailed as error:
                raise SettingsError("broker.mailbox_type", f"queue {queue} exists with other properties") from error
            return int(declared.message_count or 0)

    def _declared(self, task: asyncio.Task[int]) -> None:
        self._declarations.discard(task)
        if not task.cancelled():
            # Nobody may be left to look at it.
            task.exception()

    async def publish(self, mail: Outgoing) -> None:
        async with as_unreachable():
            await self._publisher.publish(mail, CONFIRM_TIMEOUT)

    async def acknowledge(self, tag: int) -> None:
        writer = self._consuming.writer
        await writer.drain()
        if self._consume_channel.is_closed:
            raise ChannelInvalidStateError("the channel is closed")
        writer.write(acknowledgement(self._consume_channel.number, tag))

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
            async with as_unreachable():
                if away:
                    await self._consume_channel.basic_ack(tag)
                else:
                    await self._consume_channel.basic_nack(tag, requeue=True)

        return settle

    async def _on_cancel(self, *_: Any) -> None:
        # The queue was deleted. Only note it: a declaration here would deadlock the channel's reader.
        self.end()

    def end(self) -> None:
        """Let `ended` return."""
        self._over.set()

    async def ended(self) -> None:
        """Return at the first fault of any part, or after `end`."""
        over = asyncio.ensure_future(self._over.wait())
        faults = [*(one.closing for one, _ in self._connections), *(one.closing for one in self._channels)]
        try:
            await asyncio.wait([over, *faults], return_when=asyncio.FIRST_COMPLETED)
        finally:
            over.cancel()
            for fault in faults:
                if fault.done() and not fault.cancelled():
                    fault.exception()

    async def close(self) -> None:
        """Close both connections at the same time, and cut off a peer that does not answer."""

        async def close(connection: AbstractConnection, transport: Transport) -> None:
            try:
                with contextlib.suppress(Unreachable):
                    async with as_unreachable(), asyncio.timeout(CLOSE_TIMEOUT):
                        await connection.close()
            finally:
                transport.abort()

        for task in self._declarations:
            task.cancel()
        await asyncio.gather(*(close(*one) for one in self._connections))


async def _not_called(_: DeliveredMessage) -> None:
    raise RuntimeError("a delivery went past the tap")
