"""One run: an installation, people who type, a schedule carried out meanwhile, and the evidence in the end."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from drill.waiting import until
from settings.owners import OWNERS
from tests.chaos import evidence
from tests.chaos.checker import Verdict, judge
from tests.chaos.client import receipts
from tests.chaos.crowd import Crowd
from tests.chaos.fault import Fault
from tests.chaos.nemesis import Nemesis
from tests.chaos.record import Begun, Did, Journal, Record, Settled, Told, read
from tests.chaos.schedule import Size, plan
from tests.chaos.world import GONE_WITHIN, Arena, running_world
from tests.support.waiting import SCALE

ACTORS = (*OWNERS, "front.1", "front.2")
RUNNING_WITHIN = 60.0
SETTLED_WITHIN = 60.0
EMPTY_WITHIN = 20.0
TAIL = 2.0
ENOUGH_WITHIN = 300.0
"""Seconds after the last step for the number of messages to be reached."""

Tell = Callable[[str], None]


def order(
    seed: int,
    size: Size,
    *,
    pairs: int,
    rate: float,
    messages: int,
    faults: Sequence[str] = (),
    actors: Sequence[str] = ACTORS,
) -> Begun:
    """What is to be run: people type until the schedule, made from the seed, is over and so many have a tick."""
    steps = plan(seed, size, actors, faults)
    return Begun(seed=seed, size=size, pairs=pairs, rate=rate, messages=messages, began="", steps=steps)


async def run(order: Begun, folder: Path, log: Path, faults: Sequence[Fault], tell: Tell) -> Verdict:
    """Carry it out in an empty folder, write the log, judge it. Raises DrillError when it cannot even begin."""
    named = {step.target for step in order.steps if step.verb == "fault"}
    began = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    with log.open("wb") as file:
        journal = Journal(file)
        journal.write(msgspec.structs.replace(order, began=began))
        await _Run(order, journal, tell).play(folder, [fault for fault in faults if fault.name in named])
    return judge(read(log))


class _Run:
    def __init__(self, order: Begun, journal: Journal, tell: Tell) -> None:
        self._order = order
        self._journal = journal
        self._tell = tell
        self._began = time.monotonic()

    def _clock(self) -> float:
        return round(time.monotonic() - self._began, 4)

    def _write(self, record: Record) -> None:
        self._journal.write(record)
        if isinstance(record, Did):
            self._tell(f"{record.at:7.1f} s  step {record.number}: {record.text}")

    def _told(self, about: str, fields: dict[str, Any]) -> None:
        self._write(Told(self._clock(), about, fields))

    async def play(self, folder: Path, faults: Sequence[Fault]) -> None:
        async with running_world(folder, faults, self._told) as world:
            sampling = asyncio.create_task(world.watch_memory())
            crowd = Crowd(
                world.base,
                pairs=self._order.pairs,
                rate=self._order.rate,
                seed=self._order.seed,
                clock=self._clock,
                write=self._write,
            )
            try:
                async with crowd:
                    world.clients = crowd.devices
                    nemesis = Nemesis(
                        world, faults, tell=self._write, clock=self._clock, answered=lambda: crowd.acknowledged
                    )
                    await self._chat(crowd, nemesis)
                    await self._settle(world, crowd, nemesis, sampling)
            finally:
                sampling.cancel()
                await asyncio.gather(sampling, return_exceptions=True)

    async def _chat(self, crowd: Crowd, nemesis: Nemesis) -> None:
        self._tell(f"{len(crowd.devices)} devices are connected after {self._clock():.1f} s")
        crowd.type_on()
        await nemesis.run(self._order.steps)
        # So that the last blow is seen to be survived, too.
        await asyncio.sleep(TAIL)
        wanted = self._order.messages
        await until(lambda: crowd.acknowledged >= wanted, ENOUGH_WITHIN * SCALE)
        await crowd.be_quiet()

    async def _settle(self, world: Arena, crowd: Crowd, nemesis: Nemesis, sampling: "asyncio.Task[None]") -> None:
        """Wait until all is calm, look at everything, stop the installation, and read what it leaves."""
        self._tell(f"{crowd.typed} messages typed after {self._clock():.1f} s; settling")
        troubles = list(nemesis.troubles)
        if crowd.acknowledged < self._order.messages:
            troubles.append(f"only {crowd.acknowledged} messages were acknowledged, of {self._order.messages}")
        for name in [*(await world.installation.actors())]:
            try:
                await world.back(name, within=RUNNING_WITHIN)
            except TimeoutError:
                troubles.append(f"{name} does not run in the end")
        calm = await crowd.settled(SETTLED_WITHIN * SCALE)
        queues = await self._empty(world)
        pid = world.installation.supervisor_pid
        # One that is being reaped right now is none.
        await until(lambda: not evidence.zombies(pid), GONE_WITHIN)
        zombies = evidence.zombies(pid)
        for device in crowd.devices:
            for receipt in receipts(device):
                self._write(receipt)
        troubles += crowd.casualties()
        if sampling.done():
            troubles.append(f"nobody watched the memory: {sampling.exception()!r}")
        sampling.cancel()
        await asyncio.gather(sampling, return_exceptions=True)
        self._told("crowd", {"reconnects": crowd.reconnects})
        code = await world.installation.stop()
        if code != 0:
            troubles.append(f"the supervisor ended with {code}")
        await until(lambda: not world.survivors(), GONE_WITHIN)
        self._leave(world, calm=calm, queues=queues, zombies=zombies, troubles=troubles)

    async def _empty(self, world: Arena) -> dict[str, int]:
        """The queues as soon as all are empty, or as they are when that takes too long."""
        queues: dict[str, int] = {"unknown": 1}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(EMPTY_WITHIN * SCALE):
                while any(queues.values()):
                    queues = await evidence.queues(world.installation.paths)
        return queues

    def _leave(
        self, world: Arena, *, calm: bool, queues: dict[str, int], zombies: list[str], troubles: list[str]
    ) -> None:
        paths = world.installation.paths
        for row in evidence.stored(paths.database("router")):
            self._write(row)
        for receipt in evidence.receipts(paths.database("router")):
            self._write(receipt)
        self._write(
            Settled(
                at=self._clock(),
                calm=calm,
                queues=queues,
                damaged=evidence.damaged(paths.databases),
                zombies=zombies,
                orphans=[str(pid) for pid in world.survivors()],
                troubles=troubles,
                memory=dict(world.memory),
            )
        )
