"""What an owner does by itself, between two batches: its timers, housekeeping, and what its own tasks want written."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

from actors.runtime.declaration import Actor, DatabasePort, Effect, JournaledUnit, Timer
from actors.runtime.environment import Environment
from actors.runtime.errands import Errand
from actors.runtime.hints import Hints

HOUSEKEEPING = 600.0
HOUSEKEEPING_PAUSE = 1.0
DAY_MS = 86_400_000

U = TypeVar("U", bound=JournaledUnit)
T = TypeVar("T")

log = logging.getLogger(__name__)


class Chores(Generic[U]):
    """Nothing of it comes again: `say` tries to let effects out, and what is given up is seen as a gap."""

    def __init__(
        self,
        actor: Actor[U],
        database: DatabasePort[U],
        environment: Environment,
        say: Callable[[Sequence[Effect]], Awaitable[None]],
    ) -> None:
        self._actor = actor
        self._database = database
        self._environment = environment
        self._say = say
        now = environment.monotonic()
        self._timers = [(timer, now + timer.seconds) for timer in actor.timers()]
        self._housekeeping = now + HOUSEKEEPING

    def due(self) -> float:
        """When the next of it is to be done, on the environment's monotonic clock."""
        return min([self._housekeeping, *(at for _, at in self._timers)])

    async def do(self, hints: Hints | None) -> None:
        """Everything that is due. `hints` tell those who follow this owner of what errands changed."""
        await self._ring()
        await self._keep_house()
        for errand in self._actor.errands.take():
            await self._run(errand, hints)

    async def _ring(self) -> None:
        now = self._environment.monotonic()
        for index, (timer, at) in enumerate(self._timers):
            if at <= now:
                self._timers[index] = (timer, now + timer.seconds)
                await self._say(await self._by_itself(partial(self._tick, timer)) or ())

    async def _keep_house(self) -> None:
        now = self._environment.monotonic()
        if self._housekeeping <= now:
            self._housekeeping = now + HOUSEKEEPING
            days = self._environment.settings.runtime.outcomes_days
            before = self._environment.now() - int(days * DAY_MS)
            if await self._by_itself(lambda tx: tx.journal.forget_outcomes(before)):
                # It forgets some at a time; there may be more.
                self._housekeeping = now + HOUSEKEEPING_PAUSE

    async def _run(self, errand: Errand[U], hints: Hints | None) -> None:
        now = self._environment.now()

        def whole(tx: U) -> tuple[Any, Sequence[Effect], int]:
            result, effects = errand.work(tx, now)
            return result, effects, tx.journal.change() if hints is not None else 0

        try:
            result, effects, change = await self._database.run(whole)
        except Exception as error:  # noqa: BLE001  (whoever waits for it is told)
            if not errand.done.done():
                errand.done.set_exception(error)
            return
        if not errand.done.done():
            errand.done.set_result(result)
        await self._say(effects)
        if hints is not None:
            hints.changed(change)

    def _tick(self, timer: Timer, tx: U) -> list[Effect]:
        return list(timer.function(self._actor, tx, self._environment.now()) or ())

    async def _by_itself(self, work: Callable[[U], T]) -> T | None:
        try:
            return await self._database.run(work)
        except Exception:
            log.exception("a timer's work failed; it is tried again when it is due next")
            return None
