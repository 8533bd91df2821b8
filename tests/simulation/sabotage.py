"""Mistakes made on purpose, each in one place, so that the checker can be seen to notice them."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from actors.runtime.broker import Broker, BrokerError, Delivery, Outgoing
from actors.runtime.mailbox import Mailbox
from actors.runtime.postroom import Lane
from drill.screen import Shown
from storage.messages import Messages
from tests.simulation.device import Device
from tests.simulation.processes import Process
from tests.simulation.store import Store
from tests.simulation.world import World
from web.hub import Hub


@dataclass(frozen=True)
class Sabotage:
    """`patched` holds while a seed is lived; `prepare` bends its world before it begins; `faults` bring it out."""

    patched: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext
    prepare: Callable[[World], None] = lambda _: None
    faults: Sequence[str] = ()


@contextlib.contextmanager
def _acknowledged_on_arrival() -> Iterator[None]:
    deliver = Mailbox._deliver

    async def acknowledge(broker: Broker, delivery: Delivery) -> None:
        with contextlib.suppress(BrokerError):
            await broker.acknowledge(delivery)

    def hasty(owner: Mailbox[Any], delivery: Delivery) -> None:
        deliver(owner, delivery)
        hasty.tasks.append(asyncio.ensure_future(acknowledge(owner._broker, delivery)))  # type: ignore[attr-defined]

    hasty.tasks = []  # type: ignore[attr-defined]
    with patch.object(Mailbox, "_deliver", hasty):
        yield


@contextlib.contextmanager
def _gaps_not_noticed_by_fronts() -> Iterator[None]:
    with patch.object(Hub, "missed", lambda *_: None):
        yield


@contextlib.contextmanager
def _gaps_not_noticed_by_devices() -> Iterator[None]:
    def live(device: Device, shown: Shown, *, deleted: bool) -> bool:
        device._show(shown, deleted=deleted)
        return True

    with patch.object(Device, "_live", live):
        yield


@contextlib.contextmanager
def _copies_not_recognised() -> Iterator[None]:
    with patch.object(Messages, "sent", lambda *_: None):
        yield


def _without_the_index(world: World) -> None:
    world.log.execute("DROP INDEX message_by_client_id")


def _forgetting_the_outbox(world: World) -> None:
    for device in world.devices:
        device.forgetful = True


@contextlib.contextmanager
def _commits_that_do_not_last() -> Iterator[None]:
    at_once, end = Store._at_once, Process._end
    before: dict[World, sqlite3.Connection] = {}

    def remembering(store: Store, work: Callable[[Any], Any]) -> Any:
        if store._process.name == "router":
            world = store._world
            store._log.backup(before.setdefault(world, sqlite3.connect(":memory:")))
        return at_once(store, work)

    def forgetting(process: Process) -> None:
        world = process.world
        if process.name == "router" and world in before and not world.log.in_transaction:
            before[world].backup(world.log)
        end(process)

    with patch.object(Store, "_at_once", remembering), patch.object(Process, "_end", forgetting):
        yield
    for connection in before.values():
        connection.close()


@contextlib.contextmanager
def _giving_up_what_was_not_confirmed() -> Iterator[None]:
    async def once(_: Lane, broker: Broker, mail: Outgoing) -> None:
        with contextlib.suppress(BrokerError):
            await broker.publish(mail)

    with patch.object(Lane, "_until_confirmed", once):
        yield


SABOTAGES = {
    "mail is acknowledged before its commit": Sabotage(_acknowledged_on_arrival),
    "a commit does not last": Sabotage(_commits_that_do_not_last, faults=("kill router", "kill router at")),
    "the outbox is forgotten on reconnect": Sabotage(prepare=_forgetting_the_outbox),
    "fronts do not notice lost pushes": Sabotage(_gaps_not_noticed_by_fronts, faults=("lose pushes",)),
    "devices do not notice missing versions": Sabotage(
        _gaps_not_noticed_by_devices, faults=("lose pushes", "cut socket")
    ),
    "copies are not recognised by their client_id": Sabotage(_copies_not_recognised, _without_the_index),
    "what was not confirmed is given up": Sabotage(
        _giving_up_what_was_not_confirmed, faults=("cut link", "cut front at", "refuse")
    ),
}
