"""The work loop under anything: cuts, crashes, stops, a broker that refuses, a database that cannot be used.

Whatever happens, in the end each command was done once and in its sender's order, nothing was acknowledged before its
outcome was out, and nobody was set aside who did no harm.
"""

import asyncio
import os
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from msgspec import Raw, msgpack

from actors.runtime import Environment
from actors.runtime.broker import Outgoing
from actors.runtime.mailbox import Mailbox
from actors.runtime.outlet import Outlet
from actors.runtime.topology import dead_letters, mailbox
from actors.runtime.vitals import Notifier, Vitals
from protocols.mail import (
    DeadLetter,
    Envelope,
    Item,
    Outcome,
    Push,
    PushBatch,
    decode_dead_letter,
    decode_envelope,
    decode_front_mail,
    encoder,
)
from settings import Paths, Settings
from settings.model import Runtime
from tests.support.memory_mail import FATES, Fate, Letter, MemoryBroker, MemoryDatabase, unavailable
from tests.support.tally import Tally, TallyUnit, Write
from tests.support.virtual_time import run_virtually

# Small batches, so that something always waits behind the one in hand.
CONFIGURATION = Settings(base="/nowhere", runtime=Runtime(batch_commands=2))
QUEUE = mailbox(CONFIGURATION.broker, "router")
PEOPLE = ("ann", "bob")

Op = (
    tuple[Literal["send"], str, int]
    | tuple[Literal["repeat"], int]
    | tuple[Literal["cut", "connect", "stop", "crash"]]
    | tuple[Literal["fates"], list[Fate]]
    | tuple[Literal["unavailable", "hop"], int]
)
CALM: st.SearchStrategy[Op] = st.one_of(
    st.tuples(st.just("send"), st.sampled_from(PEOPLE), st.integers(1, 3)),
    st.tuples(st.just("repeat"), st.integers(0, 20)),
    st.tuples(st.just("fates"), st.lists(st.sampled_from(FATES), max_size=4)),
    st.tuples(st.just("unavailable"), st.integers(1, 3)),
    st.tuples(st.just("hop"), st.integers(1, 20)),
    st.tuples(st.sampled_from(("cut", "connect", "stop"))),
)
WILD: st.SearchStrategy[Op] = st.one_of(CALM, st.tuples(st.just("crash")))


@dataclass
class Told:
    person: str
    word: str


class House:
    """An owner that can end in any way, its broker, its database, and what was told."""

    def __init__(self) -> None:
        self.database = MemoryDatabase()
        self.told: dict[str, Told] = {}
        self.envelopes: list[Outgoing] = []
        self.broker = MemoryBroker(mailbox=QUEUE, on_acknowledge=self._acknowledged)
        self.broker.connect()
        self.runs = 0
        self._start()

    def _start(self) -> None:
        loop = asyncio.get_running_loop()
        environment = Environment(
            CONFIGURATION,
            Paths(data=Path("nowhere"), run=Path("nowhere")),
            now=lambda: int(loop.time() * 1000),
            monotonic=loop.time,
            random_bytes=os.urandom,
        )
        self.runs += 1
        notifier = Notifier({})
        self.mailbox: Mailbox[TallyUnit] = Mailbox(
            Tally(environment), self.database, environment, Vitals(notifier, 1.0), frozenset({"front"})
        )
        notifier.close()
        outlet = Outlet(self.broker, CONFIGURATION.broker, "router", f"run {self.runs}")
        self.broker.cut()
        self.broker.subscriptions = self.mailbox.subscriptions()
        self.broker.connect()
        self.running = asyncio.create_task(self.mailbox.run(self.broker, outlet))

    async def end(self, *, orderly: bool) -> None:
        if orderly:
            self.mailbox.stop()
            await self.running
        else:
            self.running.cancel()
            await asyncio.gather(self.running, return_exceptions=True)
            self.broker.cut()

    async def restart(self, *, orderly: bool) -> None:
        await self.end(orderly=orderly)
        self._start()

    def send(self, person: str, count: int) -> None:
        items = []
        for _ in range(count):
            number = len(self.told)
            word = f"{person}{number}"
            self.told[str(number)] = Told(person, word)
            items.append(
                Item(
                    id=str(number),
                    command=Raw(msgpack.encode(Write(word=word))),
                    person=person,
                    correlation=str(number),
                )
            )
        body = encoder.encode(Envelope(sender="front.1:x", items=items))
        self.envelopes.append(Outgoing("", QUEUE, body, durable=True, must_arrive=True))
        self.broker.put(self.envelopes[-1])

    def repeat(self, which: int) -> None:
        if self.envelopes:
            self.broker.put(self.envelopes[which % len(self.envelopes)])

    def outcomes(self) -> list[Outcome]:
        return [item for batch in self.batches() for item in batch.items if isinstance(item, Outcome)]

    def batches(self) -> list[PushBatch]:
        taken = [decode_front_mail(mail.body) for mail in self.broker.taken if mail.exchange]
        return [one for one in taken if isinstance(one, PushBatch)]

    def letters(self) -> list[DeadLetter]:
        queue = self.broker.queue(dead_letters(CONFIGURATION.broker, "router"))
        return [decode_dead_letter(letter.mail.body) for letter in queue]

    def _acknowledged(self, letter: Letter) -> None:
        out = {outcome.correlation for outcome in self.outcomes()}
        pushed = {item.correlation for batch in self.batches() for item in batch.items if isinstance(item, Push)}
        for item in decode_envelope(letter.mail.body).items:
            assert item.correlation in out, "acknowledged before its outcome was out"
            buried = any(one.command_id == item.id for one in self.letters())
            assert item.correlation in pushed or buried, "acknowledged before its push was out"

    async def settle(self) -> None:
        """Heal everything, and wait until the mailbox is empty."""
        self.broker.fates.clear()
        self.database.troubles.clear()
        async with asyncio.timeout(120):
            while self.broker.queue(QUEUE) or self.broker.unacknowledged:
                if self.running.done():
                    self._start()
                self.broker.connect()
                await asyncio.sleep(0.1)


async def do(house: House, op: Op) -> None:
    match op:
        case ("send", person, count):
            house.send(person, count)
        case ("repeat", which):
            house.repeat(which)
        case ("fates", fates):
            house.broker.fates.extend(fates)
        case ("unavailable", times):
            house.database.troubles.extend(unavailable(times))
        case ("hop", times):
            for _ in range(times):
                await asyncio.sleep(0)
        case ("cut",):
            house.broker.cut()
        case ("connect",):
            house.broker.connect()
        case ("stop" | "crash" as how,):
            await house.restart(orderly=how == "stop")


async def lived(ops: Sequence[Op]) -> House:
    house = House()
    for op in ops:
        await do(house, op)
    await house.settle()
    await house.end(orderly=True)
    return house


def check(house: House) -> None:
    set_aside = {letter.command_id for letter in house.letters()}
    words = house.database.unit.words()
    assert Counter(words) == Counter(told.word for id_, told in house.told.items() if id_ not in set_aside)
    for person in PEOPLE:
        mine = [word for word in words if word.startswith(person)]
        assert mine == sorted(mine, key=lambda word: int(word.removeprefix(person)))
    last = {outcome.correlation: outcome for outcome in house.outcomes()}
    assert last.keys() == house.told.keys()
    assert {id_ for id_, outcome in last.items() if outcome.error} == set_aside
    numbers: dict[str, list[int]] = {}
    for batch in house.batches():
        numbers.setdefault(batch.incarnation, []).append(batch.number)
    # A late copy may come behind a newer one; whoever reads them drops what it has had.
    assert all(max(run) <= len(house.broker.attempts) for run in numbers.values())
    left = house.database.unit.connection.execute("SELECT count(*) FROM attempt").fetchone()
    assert left == (0,)


@hypothesis_settings(max_examples=150, deadline=None)
@given(st.lists(CALM, max_size=40))
def test_while_no_process_is_killed_everything_is_done_once_in_order_and_nobody_is_set_aside(ops: list[Op]) -> None:
    house = run_virtually(lived(ops))
    check(house)
    assert not house.letters()
    house.database.close()


@hypothesis_settings(max_examples=150, deadline=None)
@given(st.lists(WILD, max_size=40))
def test_whatever_is_killed_everything_is_done_once_in_order_or_set_aside_with_an_answer(ops: list[Op]) -> None:
    house = run_virtually(lived(ops))
    check(house)
    crashes = sum(op == ("crash",) for op in ops)
    assert not house.letters() or crashes > 2
    house.database.close()


@hypothesis_settings(max_examples=80, deadline=None)
@given(st.lists(CALM, max_size=20), st.integers(0, 8))
def test_a_commit_that_fails_without_a_reason_hits_one_command_at_most(ops: list[Op], when: int) -> None:
    async def failing() -> House:
        house = House()
        house.database.troubles = deque([*([None] * when), RuntimeError("told to")])
        for op in ops:
            if op[0] in {"send", "repeat", "hop"}:
                await do(house, op)
        await house.settle()
        await house.end(orderly=True)
        return house

    house = run_virtually(failing())
    check(house)
    assert len(house.letters()) <= 1
    house.database.close()
