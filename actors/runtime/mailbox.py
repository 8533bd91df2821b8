"""The work loop of an owner: take what has gathered, do it in one transaction, let the effects out, acknowledge.

Acknowledged last, so that whatever is killed, the broker delivers the mail again; done once, because the outcome is
stored with the id in the same transaction. Nothing waits on a timer: while one batch is committed the next gathers.
"""

import asyncio
import contextlib
import logging
import math
import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Generic, TypeVar

from actors.runtime.broker import Broker, BrokerError, Delivery, Subscriptions
from actors.runtime.chores import Chores
from actors.runtime.declaration import Actor, DatabasePort, Effect, JournaledUnit
from actors.runtime.dispatch import (
    TRIES,
    Key,
    Result,
    Work,
    begin_attempts,
    dispatch,
    end_attempts,
    recalled,
    set_aside,
)
from actors.runtime.entry import GARBAGE, Entry, Understanding, expired
from actors.runtime.environment import Environment
from actors.runtime.hints import Hints
from actors.runtime.outlet import Outlet
from actors.runtime.vitals import Vitals
from protocols.errors import TABLE, ErrorBody, Refusal
from protocols.mail import Changed, Command, DeadLetter, Envelope, FrontItem, Outcome, decode_envelope, encoder

RETRY_BASE = 0.05
RETRY_CAP = 5.0
FINISH = 4.0

U = TypeVar("U", bound=JournaledUnit)
T = TypeVar("T")

log = logging.getLogger(__name__)


class _Undone(Exception):  # noqa: N818  (not an error: the mail stays where it is)
    """The batch in hand is given up: it stays in the mailbox and will be delivered again."""


class _Overdue(Exception):  # noqa: N818  (not an error: somebody has stopped waiting)
    """For something of the batch in hand nobody waits any more, and it was not done yet."""


class Mailbox(Generic[U]):
    """Reads one actor's mail until told to stop. `subscriptions` is what the broker is to call it with.

    `senders` are the broker users whose mail is taken, and `operator` the one of them that is the command line.
    `follows` maps other owners to their broker users: of those, hints in their own name are taken, and nothing else.
    """

    def __init__(
        self,
        actor: Actor[U],
        database: DatabasePort[U],
        environment: Environment,
        vitals: Vitals,
        senders: frozenset[str],
        *,
        operator: str = "cli",
        follows: Mapping[str, str] | None = None,
    ) -> None:
        self._actor = actor
        self._database = database
        self._environment = environment
        self._vitals = vitals
        self._senders = senders
        self._operator = operator
        self._follows = follows or {}
        self._publishers = senders.union(self._follows.values())
        self._understand = Understanding(actor.handlers())
        self._chores = Chores(actor, database, environment, self._say)
        self._life = 0
        self._arrived: deque[Delivery] = deque()
        self._unacknowledged: deque[Delivery] = deque()
        self._ready: deque[Entry] = deque()
        self._preparing: set[asyncio.Task[None]] = set()
        self._letting_out: asyncio.Task[None] | None = None
        self._begun: dict[Key, int] = {}
        self._change = 0
        self._wake = asyncio.Event()
        self._give_up = math.inf
        self._stopping = False
        self._outlet: Outlet
        self._broker: Broker
        self._hints: Hints | None = None
        actor.errands.wake = self._wake.set

    def subscriptions(self) -> Subscriptions:
        return Subscriptions(
            mailbox=self._actor.name, on_delivery=self._deliver, on_up=self._on_up, on_down=self._on_down
        )

    def stop(self) -> None:
        """Finish the batch in hand within 4 s, and leave the rest in the mailbox, in order."""
        self._stopping = True
        self._give_up = self._environment.monotonic() + FINISH
        self._wake.set()

    async def run(self, broker: Broker, outlet: Outlet, hints: Hints | None = None) -> None:
        """Work until `stop`. Sends a sign of life from this very loop, so that a loop that hangs is noticed."""
        self._broker, self._outlet, self._hints = broker, outlet, hints
        try:
            while not self._stopping:
                self._vitals.alive()
                self._wake.clear()
                with contextlib.suppress(_Undone):
                    await self._intake()
                    await self._chores.do(self._hints)
                    batch = self._next_batch()
                    if batch:
                        await self._handle(batch)
                        continue
                    if self._letting_out is None or self._letting_out.done():
                        await self._let_out_before()
                        await self._acknowledge()
                    await self._idle()
            await self._let_out_before()
            await self._leave()
        finally:
            for task in self._preparing:
                task.cancel()
            if self._letting_out is not None:
                self._letting_out.cancel()

    async def _leave(self) -> None:
        """Take back what was noted of commands that were begun and not done: they have not ended this process."""
        if not self._begun:
            return
        begun = list(self._begun)
        try:
            await self._database.run(lambda tx: end_attempts(tx, begun))
        except Refusal as refusal:
            log.warning("begun commands stay noted: %s", refusal)

    def _deliver(self, delivery: Delivery) -> None:
        if delivery.life == self._life:
            self._arrived.append(delivery)
            self._wake.set()

    def _on_up(self, life: int) -> None:
        self._forget()
        self._life = life

    def _on_down(self) -> None:
        self._life = 0
        self._forget()
        self._wake.set()

    def _forget(self) -> None:
        # The broker delivers all of it again, in order; keeping it would do it twice and out of order.
        self._arrived.clear()
        self._unacknowledged.clear()
        self._ready.clear()
        for task in self._preparing:
            task.cancel()

    async def _idle(self) -> None:
        due = self._chores.due() - self._environment.monotonic()
        try:
            async with asyncio.timeout(max(0.0, min(self._vitals.interval, due))):
                await self._wake.wait()
        except TimeoutError:
            return

    # Taking mail in.

    async def _intake(self) -> None:
        while self._arrived:
            delivery = self._arrived.popleft()
            self._unacknowledged.append(delivery)
            # Held while it is looked at: a batch that is let out meanwhile must not have it acknowledged before what
            # is to be buried of it is. Given up, it stays held.
            delivery.open += 1
            await self._look_into(delivery)
            delivery.open -= 1

    async def _look_into(self, delivery: Delivery) -> None:
        if delivery.user not in self._publishers:
            await self._bury(delivery.body, "forged", f"published by broker user {delivery.user!r}", delivery)
            return
        try:
            envelope = decode_envelope(delivery.body)
        except GARBAGE as error:
            await self._bury(delivery.body, "undecodable", str(error), delivery)
            return
        now = self._environment.now()
        for item in envelope.items:
            if not expired(item, now):
                delivery.open += 1
                await self._admit(Entry(item, delivery, envelope.sender, envelope.reply_to), now)

    async def _admit(self, entry: Entry, now: int) -> None:
        try:
            work = entry.work = self._understand(entry.item, now)
        except GARBAGE as error:
            await self._bury_item(entry, "not understood", str(error))
            entry.result = Result(error=ErrorBody("invalid", TABLE["invalid"].message))
            self._ready.append(entry)
            return
        if not self._may(entry.delivery.user, work.mail.command):
            await self._bury_item(entry, "forged", f"published by broker user {entry.delivery.user!r}")
            entry.result = Result(error=ErrorBody("forbidden", TABLE["forbidden"].message))
        if work.handler.command.operator and entry.delivery.user != self._operator:
            # A front that somebody took over must not be able to reset passwords.
            log.error("an operator's command came from broker user %r", entry.delivery.user)
            entry.result = Result(error=ErrorBody("forbidden", TABLE["forbidden"].message))
        if work.handler.prepare is None or entry.result is not None:
            self._ready.append(entry)
            return
        task = asyncio.create_task(self._prepare(entry, work, work.handler.prepare))
        self._preparing.add(task)
        task.add_done_callback(self._preparing.discard)

    def _may(self, user: str, command: Command[Any]) -> bool:
        if isinstance(command, Changed):
            return self._follows.get(command.source) == user
        return user in self._senders

    async def _prepare(self, entry: Entry, work: Work, prepare: Callable[..., Any]) -> None:
        try:
            work.mail = replace(work.mail, prepared=await prepare(self._actor, work.mail))
        except Refusal as refusal:
            entry.result = Result(error=refusal.body)
        except Exception:
            log.exception("preparing %s failed", type(work.mail.command).__name__)
            entry.result = Result(error=ErrorBody("internal", TABLE["internal"].message))
        if entry.delivery.life == self._life:
            self._ready.append(entry)
            self._wake.set()

    def _next_batch(self) -> list[Entry]:
        """What to do in one transaction: all that is ready within the bounds, suspects apart from the others."""
        limits = self._environment.settings.runtime
        now = self._environment.now()
        batch: list[Entry] = []
        size = 0
        while self._ready and len(batch) < limits.batch_commands:
            entry = self._ready[0]
            if expired(entry.item, now):
                # It was waiting for its turn, and nobody waits for it any more.
                self._ready.popleft().delivery.open -= 1
                continue
            size += _weight(entry)
            if batch and (size > limits.batch_bytes or entry.suspect != batch[0].suspect):
                break
            batch.append(self._ready.popleft())
        return batch

    # Doing it.

    async def _handle(self, batch: list[Entry]) -> None:
        if batch[0].suspect:
            batch = await self._try(batch)
        else:
            await self._commit([entry for entry in batch if entry.result is None])
        items: list[FrontItem] = []
        replies: dict[str, list[Outcome]] = {}
        for entry in batch:
            result = entry.result
            if result is None:
                raise RuntimeError("a command left the transaction without a result")
            if entry.item.correlation:
                outcome = Outcome(correlation=entry.item.correlation, value=result.value, error=result.error)
                if entry.reply_to:
                    replies.setdefault(entry.reply_to, []).append(outcome)
                else:
                    items.append(outcome)
            items.extend(result.effects)
        await self._let_out_before()
        # While the broker takes them, the next batch is committed; they are on their way before it is even decoded.
        self._letting_out = asyncio.create_task(self._see_out(batch, items, replies, self._change))
        self._letting_out.add_done_callback(lambda _: self._wake.set())
        await asyncio.sleep(0)

    async def _see_out(
        self, batch: list[Entry], items: list[FrontItem], replies: dict[str, list[Outcome]], change: int
    ) -> None:
        """Let the effects of a committed batch out, and acknowledge it. What is given up will be delivered again."""
        life = batch[0].delivery.life
        if not await self._outlet.let_out(items, replies, lambda: self._wanted(life)):
            # Not all of it comes again: what was not durable has gone with the broker, and with it this trouble.
            self._vitals.well()
            return
        if self._hints is not None:
            # After the push: people come before those who follow.
            self._hints.changed(change)
        self._vitals.well()
        self._vitals.handled(len(batch))
        for entry in batch:
            entry.delivery.open -= 1
        await self._acknowledge()

    async def _let_out_before(self) -> None:
        """Wait until what was committed before is out: effects leave in the order of the commits."""
        if self._letting_out is not None:
            # Here and not beside the work: a handler that hangs meanwhile is to be noticed.
            with self._vitals.patience():
                await self._letting_out
            self._letting_out = None

    async def _commit(self, entries: Sequence[Entry]) -> None:
        works = [entry.work for entry in entries if entry.work is not None]
        if not works:
            return
        begun = [work.key for work in works if work.key in self._begun]

        hinting = self._hints is not None

        def whole(tx: U) -> tuple[list[Result], int]:
            results = dispatch(self._actor, tx, works)
            end_attempts(tx, begun)
            return results, tx.journal.change() if hinting else 0

        try:
            results, self._change = await self._transact(whole, entries[0].delivery.life, entries)
        except _Undone:
            raise
        except _Overdue:
            await self._commit(self._refuse_overdue(entries))
            return
        except Exception as error:
            if len(entries) > 1:
                log.exception("a batch of %d failed; doing its commands one at a time", len(entries))
                # Only the culprit is to suffer.
                for entry in entries:
                    # The one before it may have waited.
                    await self._commit(self._refuse_overdue([entry]))
                return
            log.exception("a command failed")
            await self._set_aside(entries[0], works[0], f"{type(error).__name__}: {error}")
            return
        for entry, result in zip(entries, results, strict=True):
            entry.result = result
        for key in begun:
            # Twice the same command may have been among them.
            self._begun.pop(key, None)

    async def _try(self, batch: list[Entry]) -> list[Entry]:
        """Do those commands, any of which may be what ended this process before; returns what was done.

        That they are being tried is committed before the try. Those that were never tried before are tried together;
        if that ends the process, the next one finds the notes and tries them one at a time. So a harmless
        redelivery, however long, costs one more commit a batch, and the culprit is found at its third try.
        """
        works = [entry.work for entry in batch if entry.work is not None]
        life = batch[0].delivery.life
        times = await self._transact(lambda tx: begin_attempts(tx, works, self._begun), life)
        self._begun.update(zip((work.key for work in works), times, strict=False))
        batch, rest = batch[: len(times)], batch[len(times) :]
        if self._wanted(life):
            self._ready.extendleft(reversed(rest))
        if times[0] >= TRIES:
            reason = f"the process ended each of the {TRIES} times that this was handled"
            await self._set_aside(batch[0], works[0], reason)
        else:
            await self._commit(self._refuse_overdue(batch))
        return batch

    def _refuse_overdue(self, entries: Sequence[Entry]) -> list[Entry]:
        """Those that are to be done still. Who was told that something failed must not find it done later."""
        now = self._environment.now()
        for entry in entries:
            if expired(entry.item, now):
                entry.result = Result(error=ErrorBody("unavailable", TABLE["unavailable"].message))
        return [entry for entry in entries if entry.result is None]

    async def _transact(self, function: Callable[[U], T], life: int, entries: Sequence[Entry] = ()) -> T:
        """Run it, and while something that it needs cannot be used, again: in place, so that order holds.

        Raises _Overdue when nobody waits any more for one of `entries`, after a wait.
        """
        delay = RETRY_BASE
        while True:
            try:
                result = await self._database.run(function)
            except Refusal as refusal:
                if refusal.code != "unavailable":
                    raise
                self._vitals.degraded(refusal.body.message)
                self._vitals.alive()
                with self._vitals.patience():
                    await asyncio.sleep(delay * random.random())  # noqa: S311  (jitter, not a secret)
                delay = min(RETRY_CAP, delay * 2)
                if self._stopping or not self._wanted(life):
                    raise _Undone from refusal
                now = self._environment.now()
                if any(expired(entry.item, now) for entry in entries):
                    raise _Overdue from refusal
            else:
                self._vitals.well()
                return result

    async def _set_aside(self, entry: Entry, work: Work, reason: str) -> None:
        life = entry.delivery.life
        # Done before, it has not ended the process: what did so hit a copy of it, and nothing is to be buried.
        done = await self._transact(lambda tx: recalled(tx, work), life)
        if done is None and not work.handler.command.secret:
            await self._bury_item(entry, "poison", reason)
        error = ErrorBody("internal", TABLE["internal"].message)
        entry.result = await self._transact(lambda tx: set_aside(tx, work, error), life)
        self._begun.pop(work.key, None)

    async def _bury_item(self, entry: Entry, kind: str, reason: str) -> None:
        raw = encoder.encode(Envelope(sender=entry.sender, items=[entry.item], reply_to=""))
        await self._bury(raw, kind, reason, entry.delivery, command_id=entry.item.id, sender=entry.sender)

    async def _bury(
        self, raw: bytes, kind: str, reason: str, delivery: Delivery, *, command_id: str = "", sender: str = ""
    ) -> None:
        if not delivery.durable:
            # It may hold a password, and whoever sent it does not wait for long.
            log.error("transient mail was dropped (%s): %s", kind, reason)
            return
        log.error("dead letter (%s): %s", kind, reason)
        letter = DeadLetter(
            actor=self._actor.name,
            reason=f"{kind}: {reason}",
            at=self._environment.now(),
            raw=raw,
            command_id=command_id,
            sender=sender or delivery.user,
        )
        life = delivery.life
        with self._vitals.patience():
            buried = await self._outlet.bury(letter, lambda: self._wanted(life))
        # Given up or not: it may have been deleted at the broker, and never come again.
        self._vitals.well()
        # With its connection gone, what it came with must not be done after all, ahead of what comes again.
        if not buried or not self._wanted(life):
            raise _Undone

    def _wanted(self, life: int) -> bool:
        """Whether what came by that connection is still to be seen through: else it will be delivered again."""
        return life == self._life and self._environment.monotonic() < self._give_up

    async def _acknowledge(self) -> None:
        last: Delivery | None = None
        while self._unacknowledged and self._unacknowledged[0].open == 0:
            last = self._unacknowledged.popleft()
        if last is not None:
            try:
                with self._vitals.patience():
                    await self._broker.acknowledge(last)
            except BrokerError as error:
                # The connection is going: the mail will come again, and be recognised.
                log.info("an acknowledgement was lost: %s", error)

    async def _say(self, effects: Sequence[Effect]) -> None:
        """Let out what no mail asked for, after what was committed before it; without a connection, nothing."""
        life = self._life
        await self._let_out_before()
        if not effects:
            return
        with self._vitals.patience():
            # What cannot be said now is seen from the gap in the numbers.
            await self._outlet.let_out(effects, {}, lambda: bool(life) and self._wanted(life))
        # Also when it was given up: nothing waits for the broker any more, and nobody else would take the word back.
        self._vitals.well()


def _weight(entry: Entry) -> int:
    """Bytes that it brings into a transaction. What a hot command carried has been dealt with in its preparation."""
    handler = entry.work.handler if entry.work is not None else None
    return 0 if handler is not None and handler.batch and handler.prepare else len(entry.item.command)
