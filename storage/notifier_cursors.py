"""How far notifier has followed the logs of the others."""

import sqlite3
from typing import NamedTuple


class Place(NamedTuple):
    """A place in the log of one database, which `epoch` names."""

    epoch: str
    change: int


class Cursors:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def of(self, source: str) -> Place | None:
        """None when that log was never followed."""
        row = self._connection.execute("SELECT epoch, change FROM cursor WHERE source = ?", (source,)).fetchone()
        return None if row is None else Place(*row)

    def move(self, source: str, place: Place) -> None:
        self._connection.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?, ?)", (source, *place))
