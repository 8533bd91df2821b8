"""router's real storage in memory, with a commit that takes its time, fails, or is the last thing a process does.

A transaction runs whole at one moment, as it does on the thread of its connection: a crash comes before it, in its
middle or after it, and loses everything that was not committed and nothing that was.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

import aiosqlite

from storage import Database
from storage.migrate import migrate
from storage.router import ROUTER, RouterUnit

if TYPE_CHECKING:
    from tests.simulation.processes import Process

T = TypeVar("T")

Trouble = Literal["busy", "full", "failing"]


class Died(BaseException):
    """The process ended in the middle of a transaction."""


class Log(sqlite3.Connection):
    """The database itself, which outlives every process. `at_commit` is called once, just before the next commit."""

    at_commit: Callable[[], None] | None = None

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        if sql == "COMMIT" and self.at_commit is not None:
            call, self.at_commit = self.at_commit, None
            call()
        return super().execute(sql, parameters)


@cache
def _empty() -> bytes:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, ROUTER.name, Path("memory"))
    # A random one would make two runs of a seed differ.
    connection.execute("UPDATE log SET epoch = '51'")
    image = connection.serialize()
    connection.close()
    return image


def empty_log() -> Log:
    """The database of router, migrated and with nothing in it."""
    log = sqlite3.connect(":memory:", isolation_level=None, factory=Log)
    log.deserialize(_empty())
    log.execute("PRAGMA foreign_keys=ON")
    return log


class Store(Database[RouterUnit]):
    """One process's way to the log. Each transaction takes the next of `troubles`."""

    def __init__(self, process: "Process", log: Log, databases: Path) -> None:
        # The parent hands everything to this connection through `_on_thread`, which is here instead of the thread.
        super().__init__(ROUTER, databases / "router.db", cast("aiosqlite.Connection", None))
        self._process = process
        self._log = log
        self._world = process.world

    async def _on_thread(self, work: Callable[[sqlite3.Connection], T]) -> T:
        world, process = self._world, self._process
        await asyncio.sleep(world.disk())
        world.point(process.name, "before the transaction")
        if not process.alive:
            await asyncio.Event().wait()
        try:
            with_trouble = process.troubles.popleft() if process.troubles else None
            result = self._troubled(work, with_trouble) if with_trouble else self._at_once(work)
        finally:
            self._log.at_commit = None
        world.point(process.name, "after the transaction")
        await asyncio.sleep(world.disk())
        return result

    def _at_once(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def commit() -> None:
            self._world.point(self._process.name, "in the transaction")
            if not self._process.alive:
                raise Died

        self._log.at_commit = commit
        return work(self._log)

    def _troubled(self, work: Callable[[sqlite3.Connection], T], trouble: Trouble) -> T:
        self._world.note(self._process.name, f"the disk is {trouble}")
        if trouble == "busy":
            raise _error(sqlite3.SQLITE_BUSY, "database is locked")
        if trouble == "failing":

            def fail() -> None:
                raise _error(sqlite3.SQLITE_IOERR, "disk I/O error")

            self._log.at_commit = fail
            return work(self._log)
        pages = self._log.execute("PRAGMA page_count").fetchone()[0]
        self._log.execute(f"PRAGMA max_page_count={pages}")
        try:
            # SQLite's own error, with its own rollback; none when there is room in the pages that it has.
            return work(self._log)
        finally:
            self._log.execute("PRAGMA max_page_count=1000000")

    async def close(self) -> None:
        """The log stays: it is everybody's here."""

    def drop(self) -> None:
        """The process is gone, and what it had open with it."""
        if self._unit is not None:
            self._unit.close()
            self._unit = None


def _error(code: int, text: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error
