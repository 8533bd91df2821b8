"""One seed's world: a broker, router, fronts and devices in virtual time; it goes wrong for a while, then it heals."""

import asyncio
import atexit
import hashlib
import logging
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from msgspec import Struct, msgpack, structs

from actors.runtime import postroom, topology
from protocols.mail import Beat, decode_envelope
from settings import Paths, Settings
from settings.model import Broker, Limits, Runtime
from storage import Schema
from storage.auth import AUTH, AuthUnit
from storage.contacts import CONTACTS, ContactsUnit
from storage.migrate import migrate
from tests.simulation.checker import Ending, judge
from tests.simulation.device import Device
from tests.simulation.nemesis import Nemesis
from tests.simulation.node import Node
from tests.simulation.plan import MOST_BLOWS, Plan, plan
from tests.simulation.processes import FrontProcess, Process, RouterProcess, Wire, in_memory
from tests.simulation.store import empty_log
from tests.support.chat import CONTACT, NOW
from tests.support.memory_mail import Letter
from tests.support.people import ANN, BOB, CAT, add_people
from tests.support.virtual_time import run_virtually

PEOPLE = (ANN, BOB, CAT)
RECOVERY = 60.0
"""Seconds within which everything must be as it should be once nothing goes wrong any more."""

LOOK = 0.25
QUIET = 4.0
"""Seconds for what comes late: two beats."""

RESTART = 1.5


_DECIDED = """
SELECT 1 FROM message WHERE sender = ? AND client_id = ? UNION SELECT 1 FROM outcome WHERE person = ? AND command = ?
"""


class Result(Struct, frozen=True, kw_only=True):
    """What became of a seed. `broken` says in sentences what was promised and not kept.

    `recovery`: seconds from the last fault until everything was well; `stored`: commands that were done; `ended`: how
    many processes were.
    """

    seed: int
    broken: list[str]
    recovery: float
    stored: int
    ended: int
    trace: list[str]

    @property
    def mark(self) -> str:
        """Names what happened: the same seed gives the same, however often it is run."""
        return hashlib.blake2b("\n".join(self.trace).encode(), digest_size=8).hexdigest()


class World:
    """`plan` says how it is, `rng` decides the rest. `shift`: of the wall clock, in milliseconds."""

    def __init__(self, drawn: Plan, *, traced: bool) -> None:
        self.plan = drawn
        self.rng = random.Random(drawn.seed)  # noqa: S311  (a seed, not a secret)
        self.loop = asyncio.get_running_loop()
        self.settings = Settings(
            base="/nowhere",
            broker=Broker(mailbox_bound=drawn.mailbox_bound),
            runtime=Runtime(batch_commands=drawn.batch_commands),
            limits=Limits(in_flight=drawn.in_flight),
        )
        self._mailbox = topology.mailbox(self.settings.broker, "router")
        self.databases = siblings()
        self.paths = Paths(data=self.databases, run=self.databases)
        self.log = empty_log()
        self.complaints: list[str] = []
        self.claims: dict[tuple[str, str], tuple[int, int]] = {}
        self.healthy = False
        self.finished = False
        self.slowness = 0.0
        self.shift = 0
        self.deaths = 0
        self.trace: list[str] | None = [] if traced else None
        self._traps: dict[tuple[str, str], tuple[Callable[[Process], None], int]] = {}
        self._sockets = 0
        self._corpses: list[Process] = []
        self._wires: dict[Wire, None] = {}
        self.node = Node(self, self.settings.broker, self.rng)
        self.router: RouterProcess | None = RouterProcess(self)
        self.fronts: dict[str, FrontProcess | None] = {
            name: FrontProcess(self, name) for name in (f"front.{number + 1}" for number in range(drawn.fronts))
        }
        people = PEOPLE[: drawn.people]
        self.typists = [Device(self, person, person) for person in people]
        self.devices = [
            *self.typists,
            *(Device(self, person, f"{person}'s other") for person in people[: drawn.second_devices]),
        ]

    # Time and chance.

    def wall(self) -> int:
        return NOW + self.shift + int(self.loop.time() * 1000)

    def _delay(self, mean: float) -> float:
        spike = self.plan.spikes
        if spike and not self.healthy and self.rng.random() < spike:
            return self.rng.uniform(0.0, 2.0)
        return self.rng.expovariate(1 / mean)

    def network(self) -> float:
        return self._delay(self.plan.network)

    def wireless(self) -> float:
        return self._delay(self.plan.wireless)

    def disk(self) -> float:
        return self.slowness + self._delay(self.plan.disk)

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        self.loop.call_later(seconds, lambda: None if self.finished else call())

    # What happens.

    def note(self, who: str, what: str, more: bytes = b"") -> None:
        if self.trace is not None:
            self.trace.append(f"{self.loop.time() - 1_000:10.6f}  {who:<14}  {what} {more.decode()}".rstrip())

    def complain(self, sentence: str) -> None:
        self.note("checker", sentence)
        self.complaints.append(sentence)

    def set_trap(self, name: str, point: str, act: Callable[[Process], None], *, times: int) -> None:
        self.note("nemesis", f"waits for {name}: {point}")
        self._traps[name, point] = (act, times)

    def point(self, name: str, what: str) -> None:
        """A process is at a moment at which something may befall it."""
        if not self._traps:
            return
        act, times = self._traps.pop((name, what), (None, 0))
        process = self.router if name == "router" else self.fronts[name]
        if act is None or process is None:
            return
        if times > 1:
            self._traps[name, what] = (act, times - 1)
        self.note("nemesis", f"strikes {name}: {what}")
        act(process)

    def claimed(self, person: str, conversation: str, delivered: int, read: int) -> None:
        known = self.claims.get((person, conversation), (0, 0))
        self.claims[person, conversation] = (max(known[0], delivered), max(known[1], read))

    def acknowledged(self, letter: Letter) -> None:
        """Router says that it is done with this: then what it held is on disk, or was refused for good."""
        if letter.mail.key != self._mailbox:
            return
        for item in decode_envelope(letter.mail.body).items:
            # One that must not overtake another may be refused for now, which leaves nothing behind.
            if not item.after and msgpack.decode(item.command)["kind"] != "receipt":
                known = (item.person, item.id)
                if not self.log.execute(_DECIDED, known + known).fetchone():
                    self.complain(f"{item.id} was acknowledged before it was stored")

    # Processes.

    def pick_front(self) -> FrontProcess | None:
        return self.fronts[self.rng.choice(sorted(self.fronts))]

    def opened(self, wire: Wire) -> None:
        self._sockets += 1
        self._wires[wire] = None
        wire.front.serve(wire, self._sockets)

    def ended(self, process: Process) -> None:
        self.deaths += 1
        self._corpses.append(process)
        for wire in list(self._wires):
            if wire.front is process:
                wire.cut()
                del self._wires[wire]
        if process is self.router:
            self.router = None
        elif self.fronts.get(process.name) is process:
            self.fronts[process.name] = None
        self.later(self.rng.uniform(0.02, RESTART), lambda: self._restart(process.name))

    def _restart(self, name: str) -> None:
        self.note(name, "started")
        if name == "router":
            self.router = RouterProcess(self)
        else:
            self.fronts[name] = FrontProcess(self, name)

    # The course of it.

    async def live(self) -> Result:
        self._schedule()
        await asyncio.sleep(self.plan.seconds)
        self._heal()
        healed = self.loop.time()
        while not self._settled() and self.loop.time() - healed < RECOVERY:  # noqa: ASYNC110  (much must be so at once)
            await asyncio.sleep(LOOK)
        recovery = self.loop.time() - healed
        await asyncio.sleep(QUIET)
        self.finished = True
        ending = Ending(
            log=self.log,
            devices=self.devices,
            claims=self.claims,
            letters=[len(queue.letters) for queue in self.node.queues.values()],
            deaths=self.deaths,
            recovered=recovery < RECOVERY,
            deleted=self.node.deletions > 0,
        )
        broken = [*self.complaints, *judge(ending)]
        await self._tear_down()
        return Result(
            seed=self.plan.seed,
            broken=broken,
            recovery=recovery,
            stored=sum(1 for device in self.devices for one in device.typed.values() if one.version),
            ended=self.deaths,
            trace=self.trace or [],
        )

    def _schedule(self) -> None:
        rng, drawn = self.rng, self.plan
        nemesis = Nemesis(self, rng)

        def at(call: Callable[[], None]) -> None:
            # In bursts: what happens at once meets in one batch.
            moment = rng.choice((rng.uniform(0.0, drawn.seconds), bursts[0], bursts[1]))
            self.later(moment, call)

        bursts = [rng.uniform(0.0, drawn.seconds) for _ in range(2)]
        for number in range(drawn.messages):
            at(lambda number=number: self._say(number))  # type: ignore[misc]  # (lambda default)
        for number in range(drawn.changes):
            kind = "delete" if rng.random() < 0.3 else "edit"
            at(lambda kind=kind, number=number: rng.choice(self.typists).change(kind, f"changed {number}"))  # type: ignore[misc]
        for _ in range(drawn.repeats):
            at(self._repeat)
        for _ in range(rng.randint(0, 6)):
            at(lambda: rng.choice(self.devices).read())
        for number, part in enumerate(drawn.neighbours):
            self.later(part * drawn.seconds, lambda number=number: self._neighbour(number))  # type: ignore[misc]  # (lambda default)
        for _ in range(drawn.blows):
            self.later(rng.uniform(0.0, drawn.seconds), nemesis.strike)

    def _say(self, number: int) -> None:
        device = self.rng.choice(self.typists)
        others = [person for person in PEOPLE[: self.plan.people] if person != device.person]
        device.say(self.rng.choice(others), f"message {number}")

    def _repeat(self) -> None:
        device = self.rng.choice(self.devices)
        device.repeat(next(one for one in self.typists if one.person == device.person))

    def _neighbour(self, number: int) -> None:
        """Another owner begins anew: fronts may have missed what it pushed, and nothing of router's."""
        self.note("contacts", "started")
        for front in self.fronts.values():
            if front is not None and front.accepting:
                front.services.hub.receive(Beat(source="contacts", incarnation=str(number), number=1, state="running"))

    def _heal(self) -> None:
        self.note("nemesis", "leaves")
        self.healthy = True
        self._traps.clear()
        self.slowness = 0.0
        self.node.lossy = 0.0
        self.node.refusing = 0
        if self.node.alarm:
            self.node.set_alarm(False)
        self.node.up = True
        for process in (self.router, *self.fronts.values()):
            if process is not None:
                process.troubles.clear()

    def _settled(self) -> bool:
        if self.router is None or not all(self.fronts.values()):
            return False
        if any(device.unanswered or not device.settled for device in self.devices):
            return False
        mailbox = self.node.declare("router")
        if mailbox.letters or any(life.unacknowledged for life in mailbox.consumers):
            return False
        given_up = any(queue.letters for name, queue in self.node.queues.items() if name.endswith(".dead"))
        rows = self.log.execute(
            "SELECT id, version, low, low_delivered, low_read, high, high_delivered, high_read FROM conversation"
        ).fetchall()
        return all(
            device.screen.versions.get(conversation, 0) == version
            and device.receipts.get((conversation, low), (0, 0)) == low_at
            and device.receipts.get((conversation, high), (0, 0)) == high_at
            and (given_up or self._claim(device.person, conversation) == (low_at if device.person == low else high_at))
            for conversation, version, low, low_at, high, high_at in (
                (*row[:3], row[3:5], row[5], row[6:8]) for row in rows
            )
            for device in self.devices
            if device.person in {low, high}
        )

    def _claim(self, person: str, conversation: str) -> tuple[int, int]:
        delivered, read = self.claims.get((person, conversation), (0, 0))
        return max(delivered, read), read

    async def _tear_down(self) -> None:
        for process in (self.router, *self.fronts.values()):
            if process is not None:
                process.crash()
        async with asyncio.timeout(60):
            while not all(process.gone for process in self._corpses):  # noqa: ASYNC110  (no event says so)
                await asyncio.sleep(LOOK)
        self.log.close()


@cache
def siblings() -> Path:
    """A folder with the databases of contacts and accounts: everybody knows everybody. Nobody writes them again."""
    folder = Path(tempfile.mkdtemp(prefix="parley-simulation-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)

    def fill(schema: Schema[Any], work: Callable[[Any], None]) -> None:
        file = folder / f"{schema.name}.db"
        connection = sqlite3.connect(file, isolation_level=None)
        migrate(connection, schema.name, file)
        work(schema.unit(connection, folder))
        connection.close()

    def know(tx: ContactsUnit) -> None:
        for one in PEOPLE:
            for other in PEOPLE:
                if one < other:
                    tx.relations.put(one, other, CONTACT)

    def people(tx: AuthUnit) -> None:
        add_people(tx, PEOPLE)

    fill(AUTH, people)
    fill(CONTACTS, know)
    return folder


def run(
    seed: int,
    *,
    traced: bool = False,
    faults: Sequence[str] = (),
    prepare: Callable[[World], None] = lambda _: None,
) -> Result:
    """Live one seed from its beginning to its end, in no time.

    `faults` stand in for those that the seed draws, `prepare` may bend the world before it begins.
    """
    drawn = plan(seed)
    if faults:
        drawn = structs.replace(drawn, faults=dict.fromkeys(faults, 1.0), blows=MOST_BLOWS)

    async def live() -> Result:
        world = World(drawn, traced=traced)
        prepare(world)
        return await world.live()

    # The product's jitter is drawn from the module's own generator.
    state = random.getstate()
    bound = postroom.LANE_COMMANDS
    random.seed(seed)
    postroom.LANE_COMMANDS = drawn.lane_commands
    logging.disable(logging.CRITICAL)
    try:
        with in_memory():
            return run_virtually(live())
    finally:
        logging.disable(logging.NOTSET)
        postroom.LANE_COMMANDS = bound
        random.setstate(state)
