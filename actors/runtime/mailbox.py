"""The work loop of an owner: take what has gathered, do it in one transaction, let the effects out, acknowledge.

Acknowledged last, so that whatever is killed, the broker delivers the mail again; done once, because the outcome is
stored with the id in the same transaction. Nothing waits on a timer: while one batch is committed the next gathers.
"""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from actors.runtime.broker import Broker, BrokerError, Delivery, Subscriptions
from actors.runtime.declaration import Actor, Effect, Handler, JournaledUnit, Mail
from actors.runtime.dispatch import TRIES, Result, Work, begin_attempt, dispatch, end_attempt, set_aside
from actors.runtime.environment import Environment
from actors.runtime.outlet import Outlet
from actors.runtime.vitals import Vitals
from protocols.errors import TABLE, ErrorBody, Refusal
from protocols.mail import DeadLetter, Envelope, FrontItem, Item, Outcome, decode_envelope, encoder

RETRY_BASE = 0.05
RETRY_CAP = 5.0
HOUSEKEEPING = 600.0
DAY_MS = 86_400_000

U = TypeVar("U", bound=JournaledUnit)
U_co = TypeVar("U_co", bound=JournaledUnit, covariant=True)
T = TypeVar("T")

log = logging.getLogger(__name__)


class DatabasePort(Protocol[U_co]):
    """What the runtime needs of a database; storage.Database is one."""

    async def run(self, work: Callable[[U_co], T], /) -> T:
        """Run `work` in one transaction, committed when this returns."""


@dataclass(slots=True, eq=False)
class _Entry:
    """A command in hand. `tries` counts the begun attempts in suspect mode, 0 when none was begun yet.

    `result` is set when it needs no transaction any more.
    """

    item: Item
    delivery: Delivery
    sender: str
    reply_to: str
    work: Work | None = None
    tries: int = 0
    result: Result | None = None


class _Undone(Exception):  # noqa: N818  (not an error: the mail stays where it is)
    """The batch in hand is given up: it stays in the mailbox and will be delivered again."""


class Mailbox(Generic[U]):
    """Reads one actor's mail until told to stop. `subscriptions` is what the broker is to call it with."""

    def __init__(
        self,
        actor: Actor[U],
        database: DatabasePort[U],
        environment: Environment,
        vitals: Vitals,
        senders: frozenset[str],
    ) -> None:
        self._actor = actor
        self._database = database
        self._environment = environment
        self._vitals = vitals
        self._senders = senders
        self._handlers: dict[Any, Handler] = dict(actor.handlers())
        union: Any = None
        for command in self._handlers:
            union = command if union is None else union | command
        self._decoder = msgspec.msgpack.Decoder(union) if union is not None else None
        self._timers = [(timer, environment.monotonic() + timer.seconds) for timer in actor.timers()]
        self._housekeeping = environment.monotonic() + HOUSEKEEPING
        self._life = 0
        self._arrived: deque[Delivery] = deque()
        self._unacknowledged: deque[Delivery] = deque()
        self._ready: deque[_Entry] = deque()
        self._preparing: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._stopping = False
        self._outlet: Outlet
        self._broker: Broker

    def subscriptions(self) -> Subscriptions:
        return Subscriptions(mailbox=self._actor.name, on_delivery=self._deliver, on_down=self._on_down)

    def stop(self) -> None:
        """Finish the batch in hand, and leave the rest in the mailbox, in order."""
        self._stopping = True
        self._wake.set()

    async def run(self, broker: Broker, outlet: Outlet) -> None:
        """Work until `stop`. Sends a sign of life from this very loop, so that a loop that hangs is noticed."""
        self._broker, self._outlet = broker, outlet
        try:
            while not self._stopping:
                self._vitals.alive()
                self._wake.clear()
                try:
                    await self._intake()
                    await self._due_timers()
                    batch = self._next_batch()
                    if batch:
                        await self._handle(batch)
                        continue
                except _Undone:
                    continue
                await self._idle()
        finally:
            for task in self._preparing:
                task.cancel()

    def _deliver(self, delivery: Delivery) -> None:
        # The first mail of a new connection may come before anybody was told that it is up.
        if delivery.life != self._life:
            self._forget()
            self._life = delivery.life
        self._arrived.append(delivery)
        self._wake.set()

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
        now = self._environment.monotonic()
        due = min([self._vitals.interval, self._housekeeping - now, *(at - now for _, at in self._timers)])
        try:
            async with asyncio.timeout(max(0.0, due)):
                await self._wake.wait()
        except TimeoutError:
            return

    # Taking mail in.

    async def _intake(self) -> None:
        while self._arrived:
            delivery = self._arrived.popleft()
            self._unacknowledged.append(delivery)
            if delivery.user not in self._senders:
                await self._bury(delivery.body, "forged", f"published by broker user {delivery.user!r}", delivery)
                continue
            try:
                envelope = decode_envelope(delivery.body)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                await self._bury(delivery.body, "undecodable", str(error), delivery)
                continue
            now = self._environment.now()
            for item in envelope.items:
                if item.expires and item.expires < now:
                    continue
                delivery.open += 1
                self._admit(_Entry(item, delivery, envelope.sender, envelope.reply_to), now)
        await self._acknowledge()

    def _admit(self, entry: _Entry, now: int) -> None:
        item = entry.item
        try:
            if self._decoder is None:
                raise msgspec.ValidationError("this actor takes no commands")
            command = self._decoder.decode(item.command)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            log.warning("a command of %s is not understood: %s", entry.sender, error)
            entry.result = Result(error=ErrorBody("invalid", TABLE["invalid"].message))
            self._ready.append(entry)
            return
        mail = Mail(item.id, item.person, command, now, item.correlation)
        handler = self._handlers[type(command)]
        entry.work = Work(handler, mail, bytes(item.command), item.expires)
        if handler.prepare is None:
            self._ready.append(entry)
            return
        task = asyncio.create_task(self._prepare(entry, entry.work, handler.prepare))
        self._preparing.add(task)
        task.add_done_callback(self._preparing.discard)

    async def _prepare(self, entry: _Entry, work: Work, prepare: Callable[..., Any]) -> None:
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

    def _next_batch(self) -> list[_Entry]:
        """What to do in one transaction: all that is ready within the bounds, or one command under suspicion."""
        limits = self._environment.settings.runtime
        batch: list[_Entry] = []
        size = 0
        while self._ready and len(batch) < limits.batch_commands:
            entry = self._ready[0]
            size += len(entry.item.command)
            if batch and (size > limits.batch_bytes or entry.delivery.redelivered):
                break
            batch.append(self._ready.popleft())
            if entry.delivery.redelivered:
                break
        return batch

    # Doing it.

    async def _handle(self, batch: list[_Entry]) -> None:
        life = batch[0].delivery.life
        if batch[0].delivery.redelivered and batch[0].work is not None and batch[0].result is None:
            await self._handle_suspect(batch[0], batch[0].work)
        else:
            await self._commit([entry for entry in batch if entry.result is None])
        items: list[FrontItem] = []
        replies: dict[str, list[Outcome]] = {}
        for entry in batch:
            result = entry.result
            if result is None:
                raise RuntimeError("a command left the transaction without a result")
            if entry.item.correlation:
                outcome = Outcome(
                    correlation=entry.item.correlation,
                    value=result.value,
                    error=result.error,
                )
                if entry.reply_to:
                    replies.setdefault(entry.reply_to, []).append(outcome)
                else:
                    items.append(outcome)
            items.extend(result.effects)
        await self._outlet.let_out(items, replies, lambda: self._wanted(life))
        self._vitals.handled(len(batch))
        for entry in batch:
            entry.delivery.open -= 1
        await self._acknowledge()

    async def _commit(self, entries: Sequence[_Entry], after: Callable[[U], None] | None = None) -> None:
        works = [entry.work for entry in entries if entry.work is not None]
        if not works:
            return

        def whole(tx: U) -> list[Result]:
            results = dispatch(self._actor, tx, works)
            if after is not None:
                after(tx)
            return results

        try:
            results = await self._transact(whole, entries[0].delivery.life)
        except _Undone:
            raise
        except Exception as error:
            if len(entries) > 1:
                log.exception("a batch of %d failed; doing its commands one at a time", len(entries))
                # Only the culprit is to suffer.
                for entry in entries:
                    await self._commit([entry])
                return
            log.exception("a command failed")
            await self._set_aside(entries[0], works[0], f"{type(error).__name__}: {error}")
            return
        for entry, result in zip(entries, results, strict=True):
            entry.result = result

    async def _handle_suspect(self, entry: _Entry, work: Work) -> None:
        """Do one command that may be what ended this process before.

        That it is being tried is committed before the try; the next one's mark goes into the same commit as this
        one's work, so that a harmless redelivery costs one sync a command.
        """
        life = entry.delivery.life
        if not entry.tries:
            entry.tries = await self._transact(lambda tx: begin_attempt(tx, work), life)
        if entry.tries >= TRIES:
            await self._set_aside(entry, work, f"the process ended each of the {TRIES} times that this was handled")
            return
        following = self._ready[0] if self._ready else None

        def after(tx: U) -> None:
            end_attempt(tx, work)
            if following is not None and following.work is not None and following.delivery.redelivered:
                following.tries = begin_attempt(tx, following.work)

        await self._commit([entry], after)

    async def _transact(self, function: Callable[[U], T], life: int) -> T:
        """Run it, and while something that it needs cannot be used, again: in place, so that order holds."""
        delay = RETRY_BASE
        while True:
            try:
                result = await self._database.run(function)
            except Refusal as refusal:
                if refusal.code != "unavailable":
                    raise
                self._vitals.degraded(refusal.body.message)
                self._vitals.alive()
                await asyncio.sleep(delay * random.random())  # noqa: S311  (jitter, not a secret)
                delay = min(RETRY_CAP, delay * 2)
                if self._stopping or not self._wanted(life):
                    raise _Undone from refusal
            else:
                self._vitals.well()
                return result

    async def _set_aside(self, entry: _Entry, work: Work, reason: str) -> None:
        single = Envelope(sender=entry.sender, items=[entry.item], reply_to="")
        if not work.handler.command.secret:
            raw = encoder.encode(single)
            await self._bury(raw, "poison", reason, entry.delivery, command_id=entry.item.id, sender=entry.sender)
        error = ErrorBody("internal", TABLE["internal"].message)
        entry.result = await self._transact(lambda tx: set_aside(tx, work, error), entry.delivery.life)

    async def _bury(
        self, raw: bytes, kind: str, reason: str, delivery: Delivery, *, command_id: str = "", sender: str = ""
    ) -> None:
        log.error("dead letter (%s): %s", kind, reason)
        letter = DeadLetter(
            actor=self._actor.name,
            reason=f"{kind}: {reason}",
            at=self._environment.now(),
            raw=raw,
            command_id=command_id,
            sender=sender or delivery.user,
        )
        if not await self._outlet.bury(letter, lambda: self._wanted(delivery.life)):
            raise _Undone

    def _wanted(self, life: int) -> bool:
        return life == self._life

    async def _acknowledge(self) -> None:
        last: Delivery | None = None
        while self._unacknowledged and self._unacknowledged[0].open == 0:
            last = self._unacknowledged.popleft()
        if last is not None:
            try:
                await self._broker.acknowledge(last)
            except BrokerError as error:
                # The connection is going: the mail will come again, and be recognised.
                log.info("an acknowledgement was lost: %s", error)

    # Timers.

    async def _due_timers(self) -> None:
        now = self._environment.monotonic()
        for index, (timer, at) in enumerate(self._timers):
            if at <= now:
                self._timers[index] = (timer, now + timer.seconds)
                await self._by_itself(lambda tx, timer=timer: timer.function(self._actor, tx, self._environment.now()))
        if self._housekeeping <= now:
            self._housekeeping = now + HOUSEKEEPING
            days = self._environment.settings.runtime.outcomes_days
            before = self._environment.now() - int(days * DAY_MS)
            await self._by_itself(lambda tx: tx.journal.forget_outcomes(before) and None)

    async def _by_itself(self, work: Callable[..., Any]) -> None:
        try:
            effects: Sequence[Effect] | None = await self._database.run(work)
        except Exception:
            log.exception("a timer's work failed; it is tried again when it is due next")
            return
        if effects:
            life = self._life
            await self._outlet.let_out(list(effects), {}, lambda: bool(life) and self._wanted(life))
