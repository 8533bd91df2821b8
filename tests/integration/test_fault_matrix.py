"""Each role that a process has towards the broker, under each fault of the network between the two.

Whatever the fault: what is told is done once and in order, an ask has its answer or `unavailable` by its deadline and
is done once however often it is asked, who listens hears everything or knows that it missed something, and all of it
goes on by itself. docs/reliability.md has the table.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import aiormq
import pytest

from actors.runtime import Environment
from actors.runtime.amqp import AmqpBroker, life
from actors.runtime.mailbox import Mailbox
from actors.runtime.outlet import Outlet
from actors.runtime.vitals import Notifier, Vitals
from protocols.errors import Refusal
from settings import Paths, Settings
from settings.endpoint import broker_url, broker_user
from storage import Database
from tests.support.mailing import Recorder, all_answered, ground, recording_front, tell_words, words
from tests.support.proxy import Proxy, Way, running_proxy
from tests.support.tally import SCHEMA, Tally, Write, Written
from tests.support.waiting import SCALE, eventually

pytestmark = pytest.mark.integration

RECOVERY: Final = 6.0
"""Seconds from the end of a fault until everything is as if it had not been."""

ASK_WITHIN: Final = 0.5
SOME: Final = 30

Fault = Callable[[Proxy, Callable[[], bool]], Coroutine[None, None, None]]
"""Lasts until `noticed` says that the connection was found to be lost, unless there is nothing to notice."""


async def _down(proxy: Proxy, noticed: Callable[[], bool]) -> None:
    proxy.refusing = True
    proxy.cut()
    await eventually(noticed)
    proxy.refusing = False


def _stalled(way: Way) -> Fault:
    async def stall(proxy: Proxy, noticed: Callable[[], bool]) -> None:
        proxy.stall(way)
        await eventually(noticed, within=15)
        proxy.resume()

    return stall


async def _slow(proxy: Proxy, _: Callable[[], bool]) -> None:
    for fault in proxy.faults.values():
        fault.delay = 0.1
    before = _passed(proxy)
    await eventually(lambda: _passed(proxy) > before + 1_000, within=15)
    for fault in proxy.faults.values():
        fault.delay = 0.0


def _passed(proxy: Proxy) -> int:
    return sum(fault.passed for fault in proxy.faults.values())


async def _cut_in_the_middle(proxy: Proxy, noticed: Callable[[], bool]) -> None:
    # Of a frame, wherever that is; heartbeats alone come to it in a while.
    proxy.faults["up"].left, proxy.faults["down"].left = 150, 400
    await eventually(lambda: proxy.faults["up"].left == 0 or proxy.faults["down"].left == 0, within=15)
    proxy.cut()
    for fault in proxy.faults.values():
        fault.left = None
    await eventually(lambda: noticed() or proxy.links)


FAULTS: Final[dict[str, Fault]] = {
    "down": _down,
    "stalled towards the broker": _stalled("up"),
    "stalled from the broker": _stalled("down"),
    "slow": _slow,
    "cut after some bytes": _cut_in_the_middle,
}


@dataclass
class Ground:
    """One installation with two ways to the broker: `behind` the proxy, and `direct`."""

    proxy: Proxy
    behind: Environment
    direct: Environment


@dataclass
class Owner:
    """The tally, in this process. `ups` and `downs` count its connections."""

    environment: Environment
    ups: list[int] = field(default_factory=list)
    downs: list[int] = field(default_factory=list)

    def lost(self) -> bool:
        return len(self.downs) >= len(self.ups) > 0


@pytest.fixture
async def ways(
    tmp_path: Path, broker_node: tuple[Settings, Paths], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Ground]:
    # A peer that is silent for two seconds is taken for dead, so that nobody waits for ten.
    monkeypatch.setattr(aiormq.Connection, "HEARTBEAT_GRACE_MULTIPLIER", 1)
    monkeypatch.setattr(life, "CONFIRM_TIMEOUT", 1.0)
    direct = ground(_folder(tmp_path, "direct"), broker_node, broker={"heartbeat": 1})

    def port() -> int:
        return int(broker_url(direct.settings, direct.paths, "front").rpartition(":")[2].partition("/")[0])

    async with running_proxy(port) as proxy:
        namespace = direct.settings.broker.namespace
        behind = ground(
            _folder(tmp_path, "behind"), broker_node, proxy.port, broker={"heartbeat": 1, "namespace": namespace}
        )
        yield Ground(proxy, behind, direct)


def _folder(parent: Path, name: str) -> Path:
    folder = parent / name
    folder.mkdir()
    return folder


@contextlib.asynccontextmanager
async def owning(environment: Environment) -> AsyncIterator[Owner]:
    """A tally that takes mail in this process."""
    settings, paths = environment.settings, environment.paths
    owner = Owner(environment)
    notifier = Notifier({})
    vitals = Vitals(notifier, settings.runtime.beat)
    database = await Database.open(SCHEMA, paths.databases)
    mailbox = Mailbox(Tally(environment), database, environment, vitals, frozenset({"front"}))
    told = mailbox.subscriptions()
    reading = asyncio.Event()

    def up(number: int) -> None:
        owner.ups.append(number)
        if told.on_up:
            told.on_up(number)

    def down() -> None:
        owner.downs.append(len(owner.ups))
        if told.on_down:
            told.on_down()

    broker = AmqpBroker(
        settings.broker,
        name="router",
        user=broker_user(settings, "router"),
        url=lambda: broker_url(settings, paths, "router"),
        subscriptions=replace(told, on_up=up, on_reading=reading.set, on_down=down),
        random=random.random,
    )
    outlet = Outlet(broker, settings.broker, "router", environment.new_id())
    tasks = [asyncio.create_task(broker.run()), asyncio.create_task(mailbox.run(broker, outlet))]
    try:
        async with asyncio.timeout(10 * SCALE):
            await reading.wait()
        owner.downs.clear()
        yield owner
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await database.close()
        notifier.close()


def lost(front: Recorder) -> Callable[[], bool]:
    """Whether a front has found its connection lost, be it that it has another one by now."""
    before = front.missed
    return lambda: not front.broker.reply_queue or front.missed > before


async def told_under(ways: Ground, fault: Fault, front: Recorder, owner: Owner, noticed: Callable[[], bool]) -> None:
    """Tell before, during and after a fault; all of it is done once and in order, and answered."""
    sent = [f"w{number}" for number in range(3 * SOME)]
    tell_words(front, sent[:SOME])
    work = asyncio.create_task(fault(ways.proxy, noticed))
    await asyncio.sleep(0)
    tell_words(front, sent[SOME : 2 * SOME])
    await work
    tell_words(front, sent[2 * SOME :])
    await all_answered(owner.environment, front, sent, within=RECOVERY)


async def asked_under(ways: Ground, fault: Fault, front: Recorder, owner: Owner, noticed: Callable[[], bool]) -> None:
    """Ask during a fault: an answer or `unavailable` by the deadline, and in the end each was done once."""
    work = asyncio.create_task(fault(ways.proxy, noticed))
    await asyncio.sleep(0)
    asked: list[str] = []
    while not work.done():
        names = [f"a{len(asked) + number}" for number in range(3)]
        asked += names
        began = time.monotonic()
        answers = await asyncio.gather(*(_ask(front, name) for name in names))
        # Half a second for a busy machine.
        assert time.monotonic() - began < ASK_WITHIN + 0.5 * SCALE
        assert all(isinstance(answer, Written) or answer == "unavailable" for answer in answers)
    await work
    ends = time.monotonic() + RECOVERY * SCALE
    places = []
    for name in asked:
        answer = await _ask(front, name)
        while not isinstance(answer, Written):
            assert time.monotonic() < ends, f"{name} is still {answer}"
            answer = await _ask(front, name)
        places.append(answer.place)
    assert len(set(places)) == len(asked)
    assert sorted(await words(owner.environment)) == sorted(asked)


async def _ask(front: Recorder, name: str) -> Written | str:
    try:
        return await front.post.ask("router", Write(word=name), within=ASK_WITHIN, id=name, person="ann")
    except Refusal as refusal:
        return refusal.code


async def listening_under(ways: Ground, fault: Fault, teller: Recorder, listener: Recorder) -> None:
    """Push during a fault: who listens hears all of it, or has another connection and so knows that it missed some."""
    noticed = lost(listener)
    before = listener.missed
    work = asyncio.create_task(fault(ways.proxy, noticed))
    sent = 0
    while not work.done():
        tell_words(teller, [f"w{sent}"])
        sent += 1
        await eventually(lambda: len(teller.outcomes) == sent)  # noqa: B023  (awaited at once)
    await work

    async def heard_or_known() -> bool:
        return listener.missed > before or [one.frame for one in listener.pushes] == [
            one.frame for one in teller.pushes
        ]

    await eventually(heard_or_known, within=RECOVERY)
    assert await listener.broker.wait_up(RECOVERY * SCALE)
    tell_words(teller, ["last"])
    await eventually(lambda: len(teller.outcomes) == sent + 1)
    await eventually(lambda: listener.pushes and listener.pushes[-1].frame == b"%d" % (sent + 1), within=RECOVERY)
    # Never the same twice, and never out of order.
    numbers = [batch.number for batch in listener.batches]
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_who_consumes(ways: Ground, fault: Fault) -> None:
    async with recording_front(ways.direct) as front, owning(ways.behind) as owner:
        await told_under(ways, fault, front, owner, owner.lost)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_who_publishes(ways: Ground, fault: Fault) -> None:
    async with owning(ways.direct) as owner, recording_front(ways.behind) as front:
        await told_under(ways, fault, front, owner, lost(front))


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_who_asks(ways: Ground, fault: Fault) -> None:
    async with owning(ways.direct) as owner, recording_front(ways.behind) as front:
        await asked_under(ways, fault, front, owner, lost(front))


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_who_replies(ways: Ground, fault: Fault) -> None:
    async with recording_front(ways.direct) as front, owning(ways.behind) as owner:
        await asked_under(ways, fault, front, owner, owner.lost)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_who_hears_pushes(ways: Ground, fault: Fault) -> None:
    async with (
        owning(ways.direct),
        recording_front(ways.direct) as teller,
        recording_front(ways.behind) as listener,
    ):
        await listening_under(ways, fault, teller, listener)
