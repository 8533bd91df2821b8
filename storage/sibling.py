"""Another actor's database, read in the middle of one's own transaction, on one's own thread.

A handler cannot await a Reader. What it must know at its commit (consent, accounts), it reads here: a second
connection, opened read-only at the first use and again after it could not be used.
"""

import contextlib
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from protocols.errors import Refusal
from storage.database import Schema, Unit, check_reader, read_only_uri
from storage.migrate import applied, migrations_of

U = TypeVar("U", bound=Unit)
Result = TypeVar("Result")

Version = tuple[int, int]
"""Equal to the last one as long as nobody has changed the database in between."""


@dataclass
class _Opened(Generic[U]):
    connection: sqlite3.Connection
    unit: U
    inode: int
    number: int
    checked: int = -1

    def close(self) -> None:
        self.unit.close()
        self.connection.close()


class Sibling(Generic[U]):
    """Made anywhere, then used and closed on one thread. `databases` is the folder of the file."""

    def __init__(self, schema: Schema[U], databases: Path) -> None:
        self._schema = schema
        self._file = databases / f"{schema.name}.db"
        self._known = set(migrations_of(schema.name, schema.migrations))
        self._opened: _Opened[U] | None = None
        self._openings = 0

    def version(self) -> Version:
        """What a cache of this database's answers is good for: one pragma. Raises Refusal("unavailable").

        Ask it before the reads that fill the cache: a change in between then only empties it once too often.
        """
        return self._guarded(self._version)

    def read(self, work: Callable[[U], Result]) -> Result:
        """Run `work` on one snapshot, as of now. Raises Refusal("unavailable")."""
        return self._guarded(lambda: self._snapshot(work))

    def close(self) -> None:
        if self._opened is not None:
            opened, self._opened = self._opened, None
            opened.close()

    def _guarded(self, step: Callable[[], Result]) -> Result:
        try:
            return step()
        except (sqlite3.DatabaseError, OSError) as error:
            # Missing, of another version, replaced or unreadable: look at it afresh next time.
            with contextlib.suppress(sqlite3.Error):
                self.close()
            raise Refusal("unavailable", f"The database {self._file.name} cannot be used now: {error}") from error

    def _version(self) -> Version:
        opened = self._fresh()
        return opened.number, opened.checked

    def _snapshot(self, work: Callable[[U], Result]) -> Result:
        opened = self._fresh()
        opened.connection.execute("BEGIN")
        try:
            return work(opened.unit)
        finally:
            # Reads only: nothing to commit, and a snapshot kept open would hold back the owner's checkpoints.
            if opened.connection.in_transaction:
                opened.connection.execute("ROLLBACK")
            opened.unit.forget()

    def _fresh(self) -> _Opened[U]:
        # A file restored from a backup takes the name, while our connection would read the old one for ever.
        if self._opened is not None and self._file.stat().st_ino != self._opened.inode:
            self.close()
        if self._opened is None:
            self._opened = self._open()
        opened = self._opened
        now = int(opened.connection.execute("PRAGMA data_version").fetchone()[0])
        if now != opened.checked:
            # Its owner may have been restarted with newer code, which migrated it under us.
            if applied(opened.connection) != self._known:
                raise sqlite3.OperationalError(f"{self._schema.name} has another version than this program")
            opened.checked = now
        return opened

    def _open(self) -> _Opened[U]:
        inode = self._file.stat().st_ino
        connection = sqlite3.connect(read_only_uri(self._file), uri=True, isolation_level=None)
        try:
            check_reader(connection, self._schema)
            unit = self._schema.unit(connection, self._file.parent)
        except BaseException:
            connection.close()
            raise
        self._openings += 1
        return _Opened(connection, unit, inode, self._openings)
