"""An owner in memory, the tally, that can end in any way; its broker, its database, and what it was told."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from msgspec import Raw, msgpack

from actors.runtime import Mail, handles
from actors.runtime.broker import Outgoing
from actors.runtime.hints import Hints
from actors.runtime.mailbox import Mailbox
from actors.runtime.outlet import Outlet
from actors.runtime.topology import dead_letters, mailbox
from actors.runtime.vitals import Notifier, Vitals
from protocols.errors import Refusal
from protocols.mail import (
    Command,
    DeadLetter,
    Envelope,
    Item,
    Outcome,
    Push,
    PushBatch,
    decode_dead_letter,
    decode_envelope,
    decode_front_mail,
    decode_replies,
    encoder,
)
from settings import Settings
from settings.model import Runtime
from tests.support.memory_mail import Letter, MemoryBroker, MemoryDatabase
from tests.support.tally import DEADLY, Tally, TallyUnit, Write, Written
from tests.support.virtual_time import virtual_environment

# Small batches, so that something always waits behind the one in hand.
CONFIGURATION = Settings(base="/nowhere", runtime=Runtime(batch_commands=2))
QUEUE = mailbox(CONFIGURATION.broker, "router")


class Died(BaseException):
    """The process ended in the middle of a transaction."""


class Mortal(Tally):
    """Dies of a deadly word without taking the test along, and cannot write while `refusing` says so."""

    refusing: Callable[[], bool] = staticmethod(lambda: False)

    @handles(Write, tells=Tally.told)
    def write(self, tx: TallyUnit, mail: Mail[Write]) -> Written:
        if mail.command.word.startswith(DEADLY):
            raise Died
        if self.refusing():
            raise Refusal("unavailable", "told to wait")
        return super().write(tx, mail)


class Signs(Vitals):
    """Counts the signs of life, and knows the longest silence in seconds."""

    def __init__(self) -> None:
        notifier = Notifier({})
        super().__init__(notifier, 1.0)
        notifier.close()
        self.count = 0
        self.last = 0.0
        self.silence = 0.0

    def alive(self) -> None:
        now = asyncio.get_running_loop().time()
        self.silence = max(self.silence, now - (self.last or now))
        self.last = now
        self.count += 1


@dataclass
class Told:
    person: str
    word: str


class House:
    """`told`: the writes by id. Mail that is acknowledged before it is answered, or kept, fails the test."""

    def __init__(self, kind: type[Mortal] = Mortal) -> None:
        self.kind = kind
        self.signs = Signs()
        self.deaths = 0
        self.refusing = False
        self.database = MemoryDatabase()
        self.told: dict[str, Told] = {}
        self.envelopes: list[Outgoing] = []
        self.garbage: set[bytes] = set()
        self.count = 0
        self.broker = MemoryBroker(mailbox=QUEUE, on_acknowledge=self._acknowledged)
        self.broker.connect()
        self.runs = 0
        self.start()

    def start(self) -> None:
        environment = virtual_environment(CONFIGURATION)
        self.runs += 1
        self.signs.last = 0.0
        actor = self.kind(environment)
        actor.refusing = lambda: self.refusing
        self.mailbox: Mailbox[TallyUnit] = Mailbox(
            actor,
            self.database,
            environment,
            self.signs,
            frozenset({"front", "cli"}),
            follows={name: name for name in actor.follows},
        )
        self.hints = Hints(self.broker, CONFIGURATION.broker, "router", actor.hints, environment.now)
        outlet = Outlet(self.broker, CONFIGURATION.broker, "router", f"run {self.runs}", self.signs.degraded)
        self.broker.cut()
        self.broker.subscriptions = self.mailbox.subscriptions()
        self.broker.connect()
        self.running = asyncio.create_task(self._run(self.mailbox, outlet))

    async def _run(self, one: Mailbox[TallyUnit], outlet: Outlet) -> None:
        try:
            await one.run(self.broker, outlet, self.hints if self.kind.hints else None)
        except Died:
            self.deaths += 1
            self.broker.cut()

    async def end(self, *, orderly: bool) -> None:
        if orderly:
            self.mailbox.stop()
            # At most the time for the batch in hand and a publish that is not answered.
            async with asyncio.timeout(30):
                await self.running
        else:
            self.running.cancel()
            await asyncio.gather(self.running, return_exceptions=True)
            self.broker.cut()

    async def restart(self, *, orderly: bool) -> None:
        await self.end(orderly=orderly)
        self.start()

    def send(self, person: str, count: int, word: str = "") -> None:
        """An envelope of so many writes; their words end in a number that rises."""
        self.put([self.item(Write(word=self._word(person, word)), person) for _ in range(count)])

    def item(self, command: Command[Any], person: str = "ann", expires: int = 0) -> Item:
        self.count += 1
        id_ = str(self.count)
        if isinstance(command, Write):
            self.told[id_] = Told(person, command.word)
        return Item(id=id_, command=Raw(msgpack.encode(command)), person=person, correlation=id_, expires=expires)

    def put(self, items: list[Item], reply_to: str = "") -> None:
        body = encoder.encode(Envelope(sender="front.1:x", items=items, reply_to=reply_to))
        self.envelopes.append(Outgoing("", QUEUE, body, durable=True, must_arrive=True))
        self.broker.put(self.envelopes[-1])

    def put_garbage(self) -> None:
        """Mail that nobody can decode."""
        self.count += 1
        body = b"\xc1%d" % self.count
        self.garbage.add(body)
        self.broker.put(Outgoing("", QUEUE, body, durable=True))

    def _word(self, person: str, word: str) -> str:
        return f"{word or person}{self.count + 1}"

    def repeat(self, which: int) -> None:
        if self.envelopes:
            self.broker.put(self.envelopes[which % len(self.envelopes)])

    def outcomes(self) -> list[Outcome]:
        return [item for batch in self.batches() for item in batch.items if isinstance(item, Outcome)]

    def replies(self, queue: str) -> list[Outcome]:
        return [outcome for letter in self.broker.queue(queue) for outcome in decode_replies(letter.mail.body).outcomes]

    def batches(self) -> list[PushBatch]:
        taken = [decode_front_mail(mail.body) for mail in self.broker.taken if mail.exchange]
        return [one for one in taken if isinstance(one, PushBatch)]

    def letters(self) -> list[DeadLetter]:
        queue = self.broker.queue(dead_letters(CONFIGURATION.broker, "router"))
        return [decode_dead_letter(letter.mail.body) for letter in queue]

    def reasons(self) -> list[str]:
        """Why each dead letter is one, in a word or two."""
        return [letter.reason.partition(":")[0] for letter in self.letters()]

    def _acknowledged(self, letter: Letter) -> None:
        if letter.mail.body in self.garbage:
            assert any(one.raw == letter.mail.body for one in self.letters()), "acknowledged before it was kept"
        envelope = _decoded(letter)
        out = {outcome.correlation for outcome in (*self.outcomes(), *self.replies(envelope.reply_to))}
        pushed = {item.correlation for batch in self.batches() for item in batch.items if isinstance(item, Push)}
        for item in envelope.items:
            if item.id in self.told:
                buried = any(one.command_id == item.id for one in self.letters())
                assert item.correlation in out, "acknowledged before its outcome was out"
                assert item.correlation in pushed or buried, "acknowledged before its push was out"

    async def settle(self) -> None:
        """Heal everything, and wait until the mailbox is empty; whoever died is started again."""
        self.broker.fates.clear()
        self.database.troubles.clear()
        async with asyncio.timeout(120):
            while self.broker.queue(QUEUE) or self.broker.unacknowledged:
                if self.running.done():
                    self.start()
                self.broker.connect()
                await asyncio.sleep(0.1)

    async def ended(self) -> "House":
        """Settled, stopped in an orderly way, and with nothing left of begun tries."""
        await self.settle()
        await self.end(orderly=True)
        left = self.database.unit.connection.execute("SELECT count(*) FROM attempt").fetchone()
        assert left == (0,)
        return self


def _decoded(letter: Letter) -> Envelope:
    try:
        return decode_envelope(letter.mail.body)
    except (ValueError, RecursionError):
        return Envelope(sender="", items=[])
