"""How everything is: what the supervisor tells, what this front hears by itself, and what was."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, get_args

import msgspec

from protocols.errors import Refusal
from protocols.ops import Action, ActorRow, History, Overview
from protocols.values import rfc3339
from settings import Settings
from settings.owners import OWNERS
from web.hub import Hub
from web.ops.installation import Status
from web.ops.past import STEP, Past

FRESH: Final = 0.5
"""Seconds for which an overview is good for the next one who looks."""

DEPTH_WITHIN: Final = 0.5
"""Seconds for the broker to count: the page waits for it."""

EXPOSED: Final = (
    "Actions are off, because others than this machine can reach this page; "
    'ops.actions = "always" in config.toml switches them on.'
)
NEVER: Final = "Actions are switched off by ops.actions in config.toml."
ALONE: Final = "No supervisor answers. What follows is what the actors' own signs of life tell."

log: Final = logging.getLogger(__name__)


Depth = Callable[[str, float], Awaitable[int]]
"""`depth(actor, within)`: how much mail waits for an owner. Raises Refusal("unavailable")."""


class Source(Protocol):
    """Whoever knows the children."""

    async def status(self, *, memory: bool) -> Status | None: ...


class Board:
    """`run` takes a sample now and then, also while nobody looks."""

    def __init__(
        self,
        settings: Settings,
        source: Source,
        hub: Hub,
        depth: Depth,
        *,
        monotonic: Callable[[], float],
        now: Callable[[], int],
    ) -> None:
        self._source = source
        self._hub = hub
        self._depth = depth
        self._monotonic = monotonic
        self._now = now
        self._forbidden = forbidden(settings)
        self._past = Past()
        self._looking = asyncio.Lock()
        self._at = float("-inf")
        self._overview: Overview | None = None

    @property
    def forbidden(self) -> str:
        """Why nothing may be done from the page, or ""."""
        return self._forbidden

    async def overview(self) -> Overview:
        """How everything is now; several who look at once share one answer."""
        async with self._looking:
            if self._overview is None or self._monotonic() - self._at > FRESH:
                self._overview = await self._look(memory=True)
                self._at = self._monotonic()
            return self._overview

    def history(self) -> History:
        return self._past.told(self._monotonic())

    async def run(self) -> None:
        """Look every few seconds until cancelled."""
        while True:
            try:
                async with self._looking:
                    if self._past.due(self._monotonic()):
                        await self._look(memory=False)
            except Exception:
                # The page's past must not end with one answer that nobody foresaw.
                log.exception("looking at the actors failed")
            await asyncio.sleep(STEP)

    async def _look(self, *, memory: bool) -> Overview:
        status = await self._source.status(memory=memory)
        rows = await asyncio.gather(*map(self._counted, self._rows(status)))
        now = self._monotonic()
        if self._past.due(now):
            self._past.note(now, rows)
        why_not = self._forbidden if status else ALONE
        return Overview(
            at=rfc3339(self._now()),
            supervisor=status.supervisor if status else None,
            actors=list(rows),
            actions=[] if why_not else list(get_args(Action)),
            why_not=why_not,
        )

    def _rows(self, status: Status | None) -> list[ActorRow]:
        sources = self._hub.sources
        heard = {state.name: state.state for state in self._hub.states()}
        notes = {name: source.note for name, source in sources.items()}
        depths = {name: source.depth for name, source in sources.items()}
        if status is None:
            return [
                ActorRow(name=name, state=state, heard=state, note=notes.get(name, ""), depth=depths.get(name))
                for name, state in heard.items()
            ]
        return [
            msgspec.structs.replace(
                row,
                heard=heard.get(row.name, ""),
                note=notes.get(row.name, ""),
                depth=depths.get(row.name) if row.depth is None else row.depth,
            )
            for row in status.actors
        ]

    async def _counted(self, row: ActorRow) -> ActorRow:
        """With the mail that waits for an owner which is away: it cannot tell, and its last word may be old."""
        if row.name not in OWNERS or (row.state == "running" and row.heard == "running"):
            return row
        try:
            waiting = await self._depth(row.name, DEPTH_WITHIN)
        except Refusal:
            return msgspec.structs.replace(row, depth=None)
        return msgspec.structs.replace(row, depth=waiting)


def forbidden(settings: Settings) -> str:
    """Why operators may not act from the page, in a sentence; "" when they may. Pure."""
    match settings.ops.actions:
        case "always":
            return ""
        case "never":
            return NEVER
        case _:
            return "" if settings.web.local else EXPOSED
