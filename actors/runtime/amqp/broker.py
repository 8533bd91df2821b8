"""A process's way to the broker: one life of connections after the other, for as long as it takes."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from actors.runtime.amqp.faults import as_unreachable
from actors.runtime.amqp.life import Life
from actors.runtime.broker import Broker, Delivery, Outgoing, Subscriptions, Unreachable
from settings import SettingsError
from settings.model import Broker as BrokerSettings

BACKOFF_BASE = 0.1
BACKOFF_CAP = 1.0
STABLE = 30.0

log = logging.getLogger(__name__)


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
        self._life: Life | None = None
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
            # Numbered by attempt: what a half-made connection delivered must never be taken for the next one's.
            self._lives += 1
            life = Life(self._settings, self._user, self._subscriptions, self._lives)
            try:
                async with as_unreachable():
                    await self._live(life)
                log.warning("broker was lost")
            except (Unreachable, SettingsError) as error:
                if isinstance(error, SettingsError) and error.key != "broker.url":
                    raise
                # Once: while it is away there is nothing new to say.
                log.log(logging.DEBUG if failures else logging.WARNING, "broker is away: %s", error)
            finally:
                self._up.clear()
                self._life = None
                if self._subscriptions.on_down:
                    self._subscriptions.on_down()
                await life.close()
            failures = 0 if loop.time() - began > STABLE else failures + 1
            await asyncio.sleep(self._random() * min(BACKOFF_CAP, BACKOFF_BASE * 2 ** min(failures, 10)))

    async def _live(self, life: Life) -> None:
        await life.begin(self._url_for)
        self._life = life
        self._up.set()
        log.info("broker is there")
        if self._subscriptions.on_up:
            self._subscriptions.on_up(life.number)
        # Only now: mail that came before could not be acknowledged.
        await life.take_mail()
        if self._subscriptions.mailbox is not None and self._subscriptions.on_reading:
            self._subscriptions.on_reading()
        await life.ended()

    def renew(self) -> None:
        """End these connections and make new ones: something of theirs at the broker is not as it was made."""
        if self._life is not None:
            self._life.end()

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
            async with as_unreachable():
                await life.acknowledge(delivery.tag)

    async def declare_mailbox(self, actor: str) -> None:
        async with as_unreachable():
            await self._living().declare_mailbox(actor)

    async def depth(self, actor: str) -> int:
        async with as_unreachable():
            return await self._living().depth(actor)

    async def take_dead_letters(self, actor: str, most: int) -> "list[tuple[bytes, Callable[[bool], Any]]]":
        """Up to `most` dead letters of an actor, each with a function that takes it away (True) or puts it back.

        The actor's queues must have been declared.
        """
        async with as_unreachable():
            return await self._living().take_dead_letters(actor, most)

    def _living(self) -> Life:
        if self._life is None:
            raise Unreachable("not connected")
        return self._life

    def _url_for(self, role: str) -> str:
        url = self._url()
        query = urlencode({"heartbeat": self._settings.heartbeat, "name": f"{self._name}.{role}"})
        return f"{url}{'&' if '?' in url else '?'}{query}"
