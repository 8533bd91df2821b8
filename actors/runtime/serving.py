"""Run an owner, or a front, from its start to its drain."""

import asyncio
import contextlib
import logging
import os
import random
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar

import msgspec

from actors.runtime import topology
from actors.runtime.amqp import AmqpBroker
from actors.runtime.broker import BrokerError, Outgoing, Subscriptions
from actors.runtime.bulk import Bulk
from actors.runtime.declaration import Actor, DatabasePort, JournaledUnit, U_co
from actors.runtime.environment import Environment
from actors.runtime.hearing import Hearing
from actors.runtime.hints import Hints
from actors.runtime.mailbox import Mailbox
from actors.runtime.outlet import Outlet
from actors.runtime.postroom import PostRoom
from actors.runtime.process import on_stop
from actors.runtime.vitals import Notifier, Vitals
from protocols.mail import FrontBeat, FrontMail, decode_front_mail, encoder
from settings.endpoint import broker_url, broker_user

DRAIN = 5.0
BEAT_WITHIN = 1.0
FLUSH = 1.5
CANCEL_AGAIN = 4.0
SENDERS = ("front", "cli")
"""Whose mail owners take: those who act for a signed-in person, or for the operator."""

U = TypeVar("U", bound=JournaledUnit)

log = logging.getLogger(__name__)


class OpenDatabase(DatabasePort[U_co], Protocol):
    """A database that was opened for one owner."""

    async def read(self, work: Callable[[U_co], Any], /) -> Any: ...
    async def close(self) -> None: ...


class Front(Protocol):
    """What a process without a database offers the runtime; web's is the one there is."""

    async def start(self, sockets: Sequence[socket.socket]) -> None:
        """Serve on these listening sockets, or on the configured address when there are none."""

    def receive(self, mail: FrontMail) -> None:
        """Called in order for every push batch and beat; must not block."""

    def figures(self) -> dict[str, int]:
        """What this front counts, for the others to tell."""

    def missed(self) -> None:
        """Called when pushes may have been missed: everything is to be read again from the logs."""

    async def drain(self) -> None:
        """Accept nobody new, send those who are there away to come back, finish what is in hand."""


async def serve_owner(
    actor: Actor[U], open_database: Callable[[], Awaitable[OpenDatabase[U]]], environment: Environment
) -> None:
    """Run the owner of a database and a mailbox until SIGTERM."""
    settings = environment.settings
    notifier = Notifier(os.environ)
    vitals = Vitals(notifier, settings.runtime.beat)
    stopping = asyncio.Event()
    on_stop(stopping.set)
    database = await _opened(open_database(), stopping, vitals)
    if database is None:
        return
    try:
        actor.read = database.read
        await actor.started()
        senders = frozenset(broker_user(settings, name) for name in SENDERS)
        operator = broker_user(settings, "cli")
        follows = {name: broker_user(settings, name) for name in actor.follows}
        mailbox = Mailbox(actor, database, environment, vitals, senders, operator=operator, follows=follows)

        def renew() -> None:
            # What was in the mailbox may be gone, confirmed though it was, because it was deleted before this
            # connection read it, the first one too; only those whose commands they are can send them again.
            outlet.renew(environment.new_id())
            # At once: fronts have taken the silence for an end. Not sooner, or they would hear of two beginnings.
            vitals.beat_soon()

        subscriptions = replace(mailbox.subscriptions(), on_reading=renew)
        broker = _broker(environment, actor.name, actor.name, subscriptions)
        outlet = Outlet(broker, settings.broker, actor.name, environment.new_id(), vitals.degraded)

        hints = Hints(broker, settings.broker, actor.name, actor.hints, environment.now) if actor.hints else None

        async def depth() -> int:
            with contextlib.suppress(BrokerError):
                return await broker.depth(actor.name)
            return 0

        async def beat(state: str, note: str, waiting: int) -> None:
            # A beat that comes late says nothing; the next one does.
            with contextlib.suppress(BrokerError, TimeoutError):
                async with asyncio.timeout(BEAT_WITHIN):
                    await outlet.beat(state, note, waiting)

        work = asyncio.create_task(mailbox.run(broker, outlet, hints))
        others = [asyncio.create_task(broker.run()), asyncio.create_task(vitals.beats(depth, beat))]
        if hints is not None:
            others.append(asyncio.create_task(hints.run()))
        vitals.ready()
        log.info("%s is ready", actor.name)
        try:
            await _first_end([work, *others], stopping)
            vitals.stopping()
            mailbox.stop()
            await _drained(work, "stopped in the middle of a batch; its mail will come again")
            await beat("stopping", "", 0)
        finally:
            await _cancel([work, *others])
        await actor.stopped()
    finally:
        await database.close()
        notifier.close()


async def serve_front(build: Callable[[PostRoom], Front], environment: Environment, instance: str) -> None:
    """Run a front until SIGTERM. `instance` tells several of them apart: "front.1"."""
    settings = environment.settings
    notifier = Notifier(os.environ)
    vitals = Vitals(notifier, settings.runtime.beat)
    stopping = asyncio.Event()
    on_stop(stopping.set)
    post = PostRoom(environment, instance)
    front = build(post)
    allowed = _sources(environment)

    def pushed(body: bytes, user: str) -> None:
        try:
            mail = decode_front_mail(body)
        except msgspec.DecodeError:
            log.exception("a push is not understood")
            front.missed()
            return
        if not allowed(user, mail.source):
            log.error("a push in the name of %s came from broker user %r", mail.source, user)
            return
        try:
            front.receive(mail)
        except Exception:
            log.exception("a push was not passed on")
            front.missed()

    subscriptions = Subscriptions(
        on_push=pushed, on_reply=post.replied, on_up=lambda _: front.missed(), on_down=post.lost
    )
    hearing = Hearing()
    broker = _broker(environment, instance, "front", hearing.through(subscriptions))
    bulk = Bulk(environment, instance, lambda replies: _broker(environment, f"{instance}.bulk", "front", replies))
    post.attach(broker, bulk)

    async def nothing_waits() -> int:
        vitals.alive()
        return 0

    async def beat(_state: str, _note: str, _depth: int) -> None:
        told = FrontBeat(source=instance, figures=front.figures())
        # One that comes late says nothing; the next one does.
        with contextlib.suppress(BrokerError, TimeoutError):
            async with asyncio.timeout(BEAT_WITHIN):
                await broker.publish(Outgoing(topology.fronts(settings.broker), "", encoder.encode(told)))
                hearing.spoke(broker.renew)

    tasks = [
        asyncio.create_task(broker.run()),
        asyncio.create_task(post.run()),
        asyncio.create_task(bulk.run()),
        asyncio.create_task(vitals.beats(nothing_waits, beat)),
    ]
    try:
        await front.start(_listening_sockets())
        vitals.ready()
        log.info("%s is ready", instance)
        await _first_end(tasks, stopping)
        vitals.stopping()
        await _drained(front.drain(), "stopped before every socket was closed")
        if not await post.flush(FLUSH):
            # Those who sent it have no answer yet, so their clients will send it again.
            log.warning("stopped with mail that the broker has not taken")
    finally:
        await _cancel(tasks)
        notifier.close()


def _broker(environment: Environment, instance: str, actor: str, subscriptions: Subscriptions) -> AmqpBroker:
    settings, paths = environment.settings, environment.paths
    return AmqpBroker(
        settings.broker,
        name=f"{instance}.{os.getpid()}",
        user=broker_user(settings, actor),
        url=lambda: broker_url(settings, paths, actor),
        subscriptions=subscriptions,
        random=random.random,
    )


def _sources(environment: Environment) -> Callable[[str, str], bool]:
    def allowed(user: str, source: str) -> bool:
        # A front names itself with its number, and the broker knows it without.
        return user == broker_user(environment.settings, source.partition(".")[0])

    return allowed


def _listening_sockets() -> list[socket.socket]:
    """What the supervisor or systemd handed down by the LISTEN_FDS protocol (sd_listen_fds): from descriptor 3 on."""
    if os.environ.get("LISTEN_PID", "") != str(os.getpid()):
        return []
    count = int(os.environ.get("LISTEN_FDS", "0"))
    return [socket.socket(fileno=3 + number) for number in range(count)]


async def _drained(work: Awaitable[None], otherwise: str) -> None:
    """Wait for it within the bound of a stop; what is left then is safe, and is said in the log."""
    try:
        async with asyncio.timeout(DRAIN):
            await work
    except TimeoutError:
        log.warning(otherwise)


async def _opened(opening: Awaitable[Any], stopping: asyncio.Event, vitals: Vitals) -> Any:
    """Another copy may hold the database still; it is waited for, and a stop ends the waiting."""
    vitals.waiting("waiting for the database")
    # A migration of a long log takes minutes: replaced for its silence, it would begin again each time.
    with vitals.patience():
        return await _unless_stopped(opening, stopping)


async def _unless_stopped(opening: Awaitable[Any], stopping: asyncio.Event) -> Any:
    work = asyncio.ensure_future(opening)
    stop = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait([work, stop], return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            return work.result()
        work.cancel()
        await asyncio.wait([work])
        if not work.cancelled() and work.exception() is None:
            # Opened just then after all; left open, its thread would keep this process from ending.
            await work.result().close()
        return None
    finally:
        stop.cancel()


async def _first_end(tasks: Sequence[asyncio.Task[None]], stopping: asyncio.Event) -> None:
    """Return when told to stop. A task that ends before that has failed: what it raised is raised here."""
    stop = asyncio.create_task(stopping.wait())
    try:
        done, _ = await asyncio.wait([*tasks, stop], return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop.cancel()
    for task in done:
        if task is not stop:
            task.result()
            raise RuntimeError("a part of the runtime ended by itself")


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    waiting = set(tasks)
    while waiting:
        # More than once: before Python 3.12 wait_for loses a cancellation that comes in the same round of the loop as
        # the result. Not sooner than a broker that does not answer is cut off.
        for task in waiting:
            task.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=CANCEL_AGAIN)
    await asyncio.gather(*tasks, return_exceptions=True)
