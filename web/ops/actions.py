"""Start, stop, restart, kill: allowed, written down, then done, and each command once."""

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, Protocol

from protocols.errors import Refusal
from protocols.ops import Acted, Action
from web.ops.audit import Operator

WAIT: Final = 2.0
"""Seconds for which an answer waits; what takes longer goes on, and the table shows what comes of it."""

AT_ONCE: Final = 8
REMEMBERED: Final = 256
"""Actions under way, and commands that are recognised when they are repeated."""

log: Final = logging.getLogger(__name__)
security: Final = logging.getLogger("parley.security")


class Doer(Protocol):
    """Whoever carries actions out."""

    async def carry_out(self, action: Action, name: str) -> None: ...


class Scribe(Protocol):
    """Whoever writes down what was done."""

    async def write(self, who: Operator, what: str, outcome: str, id: str, /) -> None:  # noqa: A002  (Audit names it so)
        ...


@dataclass(frozen=True)
class _Begun:
    what: str
    task: asyncio.Task[None]


class Actions:
    """`why_not`: why nothing may be done here, or ""."""

    def __init__(self, doer: Doer, audit: Scribe, why_not: str) -> None:
        self._doer = doer
        self._audit = audit
        self._why_not = why_not
        self._begun: OrderedDict[tuple[str, str], _Begun] = OrderedDict()

    async def act(self, who: Operator, action: Action, name: str, command_id: str) -> Acted:
        """Do it, unless this very command was begun before. Raises Refusal."""
        if self._why_not:
            raise Refusal("forbidden", self._why_not)
        what = f"{action} {name}"
        begun = self._begun.get((who.id, command_id))
        if begun is None:
            begun = self._begin(who, what, action, name, command_id)
        elif begun.what != what:
            raise Refusal("conflict", "This Idempotency-Key was used for something else.")
        await asyncio.wait([begun.task], timeout=WAIT)
        if not begun.task.done() or begun.task.cancelled():
            return Acted("under_way")
        begun.task.result()
        return Acted("done")

    async def close(self) -> None:
        """Wait for nothing any more; the supervisor finishes what it was asked."""
        tasks = [begun.task for begun in self._begun.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, who: Operator, what: str, action: Action, name: str, command_id: str) -> _Begun:
        if sum(not begun.task.done() for begun in self._begun.values()) >= AT_ONCE:
            raise Refusal("rate_limited", "Too much is under way; wait until some of it is done.", retry_after=2)
        task = asyncio.create_task(self._do(who, what, action, name, command_id))
        # Nobody may be left to ask what became of it.
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        begun = self._begun[who.id, command_id] = _Begun(what, task)
        while len(self._begun) > REMEMBERED:
            # The oldest that has ended; at most AT_ONCE of them have not.
            self._begun.pop(next(key for key, one in self._begun.items() if one.task.done()))
        return begun

    async def _do(self, who: Operator, what: str, action: Action, name: str, command_id: str) -> None:
        await self._audit.write(who, what, "asked", command_id)
        outcome = "not known: this front ended first"
        try:
            await self._doer.carry_out(action, name)
            outcome = "done"
        except Refusal as refusal:
            outcome = f"refused: {refusal.body.message}"
            raise
        finally:
            security.warning("operator_acted", extra={"user": who.id, "what": what, "outcome": outcome})
            try:
                await self._audit.write(who, what, outcome, command_id)
            except Refusal:
                log.error("%s is done, and its outcome is not in the audit log", what)  # noqa: TRY400  (audit has logged why)
