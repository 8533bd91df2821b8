"""What the operator's page has at hand."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Protocol

from actors.runtime import Environment, Post
from protocols.errors import Refusal
from protocols.ops import LetterBody, Letters
from web.hub import Hub
from web.ops.actions import Actions
from web.ops.audit import Audit
from web.ops.board import Board
from web.ops.installation import Installation
from web.ops.letters import LetterRoom

WATCHERS: Final = 16
"""Open pages at one front: each is told everything every second."""


class Watcher(Protocol):
    """One open page."""

    def restart(self) -> None:
        """This front goes away; come back to another one. It neither waits nor raises."""


class Room(Protocol):
    """Where the dead letters are."""

    async def all_of(self, actor: str) -> Letters: ...
    async def body(self, actor: str, mark: str) -> LetterBody: ...


class Desk:
    """One for each front. `logs`: the folder in which the logs are."""

    def __init__(self, board: Board, actions: Actions, audit: Audit, letters: Room, logs: Path) -> None:
        self.board = board
        self.actions = actions
        self.audit = audit
        self.letters = letters
        self.logs = logs
        self._watchers: set[Watcher] = set()

    @asynccontextmanager
    async def watched_by(self, watcher: Watcher) -> AsyncIterator[None]:
        """Count an open page. Raises Refusal("rate_limited") when there are too many."""
        if len(self._watchers) >= WATCHERS:
            raise Refusal("rate_limited", "Too many of these pages are open.", retry_after=5)
        self._watchers.add(watcher)
        try:
            yield
        finally:
            self._watchers.discard(watcher)

    async def close(self) -> None:
        """Send the pages away to come back, and wait for no action any more."""
        for watcher in tuple(self._watchers):
            watcher.restart()
        await self.actions.close()


def make_desk(environment: Environment, hub: Hub, post: Post) -> Desk:
    """The desk of a front."""
    settings, paths = environment.settings, environment.paths
    installation = Installation(settings, paths)
    board = Board(settings, installation, hub, post.depth, monotonic=environment.monotonic, now=environment.now)
    audit = Audit(paths.logs / "audit.log", environment.now)
    actions = Actions(installation, audit, board.forbidden)
    return Desk(board, actions, audit, LetterRoom(environment), paths.logs)
