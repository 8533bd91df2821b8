"""One SQLite file an actor: a writer that holds it for life, and readers that cannot change it.

Work on a database is a plain function of a unit (its repositories on one connection). The function runs whole on
the connection's own thread, inside one transaction, so that a caller who is cancelled leaves no transaction open.
"""

import asyncio
import contextlib
import errno
import fcntl
import os
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Self, TypeVar

import aiosqlite

from protocols.errors import Refusal
from storage.journal import Journal
from storage.migrate import applied, migrate, migrations_of

LOCK_POLL = 0.2
BUSY_MS = 5_000

Result = TypeVar("Result")


class Unit:
    """The repositories of one database on one connection. Subclasses add theirs; used on one thread only.

    `databases` is the folder that holds the other actors' files, for what must be read inside a transaction.
    """

    def __init__(self, connection: sqlite3.Connection, databases: Path) -> None:
        self.connection = connection
        self.databases = databases
        self.journal = Journal(connection)

    @contextlib.contextmanager
    def savepoint(self) -> Iterator[None]:
        """What is done inside stands or falls together, while the transaction around it goes on."""
        self.connection.execute("SAVEPOINT inner")
        try:
            yield
        except BaseException:
            # SQLITE_FULL and its like have rolled back the whole transaction already.
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK TO inner")
                self.connection.execute("RELEASE inner")
            self.forget()
            raise
        self.connection.execute("RELEASE inner")

    def forget(self) -> None:
        """Drop what is kept of rows in memory: it was rolled back, or others may write before the next look."""

    def close(self) -> None:
        """Release what the unit opened besides its connection."""


U = TypeVar("U", bound=Unit)


@dataclass(frozen=True)
class Schema(Generic[U]):
    """A kind of database: the file's name, its unit, and where its migrations lie if not in storage/migrations."""

    name: str
    unit: Callable[[sqlite3.Connection, Path], U]
    migrations: Path | None = None


class _Connection(Generic[U]):
    _sole_writer = False

    def __init__(self, schema: Schema[U], file: Path, connection: aiosqlite.Connection) -> None:
        self._schema = schema
        self._file = file
        self._connection = connection
        self._unit: U | None = None

    async def _on_thread(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        # The one place that uses aiosqlite's private way to run a function on its thread: a hop costs as much as
        # thirty statements, so a whole transaction must be one hop. tests/unit/storage pins the method.
        execute: Callable[[Callable[[], Result]], Awaitable[Result]] = self._connection._execute  # noqa: SLF001
        return await execute(lambda: work(self._connection._conn))  # noqa: SLF001

    async def _transaction(self, begin: str, work: Callable[[U], Result]) -> Result:
        def whole(connection: sqlite3.Connection) -> Result:
            if self._unit is None:
                self._unit = self._schema.unit(connection, self._file.parent)
            try:
                connection.execute(begin)
                result = work(self._unit)
                connection.execute("COMMIT")
            except BaseException:
                # SQLITE_FULL and its like have rolled back already.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                self._unit.forget()
                raise
            if not self._sole_writer:
                self._unit.forget()
            return result

        try:
            return await self._on_thread(whole)
        except sqlite3.OperationalError as error:
            if _transient(error):
                raise Refusal("unavailable", f"The database {self._file.name} cannot be used now: {error}") from error
            raise

    async def _close(self) -> None:
        def release(_: sqlite3.Connection) -> None:
            if self._unit is not None:
                self._unit.close()

        # A connection that is not closed leaves its thread, and the thread keeps the process from ending.
        try:
            await asyncio.shield(self._on_thread(release))
        finally:
            await asyncio.shield(self._connection.close())


class Database(_Connection[U]):
    """The one writer of a file, from `open` to `close`."""

    _sole_writer = True
    _lock: int = -1

    @classmethod
    async def open(cls, schema: Schema[U], databases: Path) -> Self:
        """Wait until no other process holds the file, then migrate it.

        Raises SettingsError when newer code wrote it.
        """
        file = databases / f"{schema.name}.db"
        lock = await _lock(file.with_suffix(".lock"))
        try:
            connection = await aiosqlite.connect(file, isolation_level=None)
            database = cls(schema, file, connection)
            database._lock = lock
            try:
                await database._on_thread(lambda raw: _prepare_writer(raw, schema, file))
            except BaseException:
                await database._close()
                raise
        except BaseException:
            os.close(lock)
            raise
        return database

    async def run(self, work: Callable[[U], Result]) -> Result:
        """Run `work` in one transaction, committed and synced to disk when this returns.

        Whatever `work` raises rolls back and is raised here. A full, busy or failing disk raises Refusal
        ("unavailable"), after which the same work may be tried again.
        """
        return await self._transaction("BEGIN IMMEDIATE", work)

    async def read(self, work: Callable[[U], Result]) -> Result:
        """Run `work`, which only reads, on one snapshot."""
        return await self._transaction("BEGIN", work)

    async def checkpoint(self) -> None:
        """Move the write-ahead log into the file as far as readers allow."""
        await self._on_thread(lambda raw: raw.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone())

    async def close(self) -> None:
        try:
            await self._close()
        finally:
            os.close(self._lock)


class Reader(Generic[U]):
    """Another actor's database, read-only. Opened at the first read, and again when it was damaged or replaced."""

    def __init__(self, schema: Schema[U], databases: Path) -> None:
        self._schema = schema
        self._file = databases / f"{schema.name}.db"
        self._opened: _Connection[U] | None = None
        self._inode: int | None = None
        self._opening = asyncio.Lock()

    async def read(self, work: Callable[[U], Result]) -> Result:
        """Run `work` on one snapshot.

        Raises Refusal("unavailable") when the file is missing, damaged or of another version, or cannot be read now.
        """
        async with self._opening:
            # A file restored from a backup takes the name, while our connection would read the old one for ever.
            if self._opened is not None and self._named() != self._inode:
                await self.close()
            if self._opened is None:
                self._inode = self._named()
                self._opened = await self._open()
            opened = self._opened
        try:
            return await opened._transaction("BEGIN", work)  # noqa: SLF001  (the same module)
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
                if self._opened is opened:
                    # What it has mapped may belong to files that are not there any more.
                    await self.close()
                # Of a reader it is somebody else's trouble: what else its callers show must not end with it.
                raise Refusal("unavailable", f"The database {self._file.name} is damaged: {error}") from error
            raise

    async def close(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened._close()  # noqa: SLF001  (the same module)

    @property
    def missing(self) -> bool:
        """Whether there is no such database: then nothing is in it, while of one that cannot be read nobody knows."""
        try:
            self._file.stat()
        except OSError as error:
            return isinstance(error, FileNotFoundError)
        return False

    def _named(self) -> int | None:
        """What has the file's name now: its inode, or None."""
        try:
            return self._file.stat().st_ino
        except OSError:
            return None

    async def _open(self) -> _Connection[U]:
        unavailable = Refusal("unavailable", f"The database {self._file.name} is not there yet.")
        # A connection that fails to open ends its thread, which may report to a loop that is closed by then.
        if self._inode is None:
            raise unavailable
        try:
            connection = await aiosqlite.connect(read_only_uri(self._file), uri=True, isolation_level=None)
        except sqlite3.OperationalError as error:
            raise unavailable from error
        opened = _Connection(self._schema, self._file, connection)
        try:
            await opened._on_thread(lambda raw: check_reader(raw, self._schema))  # noqa: SLF001
        except BaseException as error:
            await opened._close()  # noqa: SLF001
            if isinstance(error, sqlite3.Error):
                raise unavailable from error
            raise
        return opened


def read_only_uri(file: Path) -> str:
    """The name by which SQLite opens a file without ever creating or changing it."""
    return f"{file.resolve().as_uri()}?mode=ro"


def check_reader(connection: sqlite3.Connection, schema: Schema[U]) -> None:
    """Ready a read-only connection. Raises sqlite3.OperationalError unless the file has exactly our schema."""
    _pragmas(connection)
    connection.execute("PRAGMA query_only=ON")
    if applied(connection) != set(migrations_of(schema.name, schema.migrations)):
        raise sqlite3.OperationalError(f"{schema.name} has another version than this program")


def _prepare_writer(connection: sqlite3.Connection, schema: Schema[U], file: Path) -> None:
    _pragmas(connection)
    connection.execute("PRAGMA journal_mode=WAL")
    # FULL: a tick on somebody's screen stands for a commit that survives the loss of power.
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA journal_size_limit=67108864")
    # What somebody took back must not lie on in freed pages; SQLite's own default differs between builds.
    connection.execute("PRAGMA secure_delete=ON")
    migrate(connection, schema.name, file, schema.migrations)
    file.chmod(0o600)


def _pragmas(connection: sqlite3.Connection) -> None:
    for pragma in (
        f"busy_timeout={BUSY_MS}",
        "foreign_keys=ON",
        "trusted_schema=OFF",
        "cell_size_check=ON",
        "temp_store=MEMORY",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _transient(error: sqlite3.OperationalError) -> bool:
    # An extended code's low byte is the primary one.
    return error.sqlite_errorcode & 0xFF in {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_NOMEM,
        # A reader that lost its race with writers who come and go a hundred times over.
        sqlite3.SQLITE_PROTOCOL,
    }


async def _lock(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno != errno.EWOULDBLOCK:
                    raise
            else:
                return descriptor
            # A lock's release cannot be waited for without a thread that would keep this process from ending.
            await asyncio.sleep(LOCK_POLL)
    except BaseException:
        with contextlib.suppress(OSError):
            os.close(descriptor)
        raise
