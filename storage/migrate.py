"""Bring a database to the code's schema: numbered SQL files that only add, each in one transaction."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from settings import SettingsError

FOLDER = Path(__file__).resolve().parent / "migrations"

LEDGER = "CREATE TABLE IF NOT EXISTS migration (name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID"


def migrations_of(schema: str) -> Sequence[str]:
    """The names, in order, of all that makes up a schema: the journal's, then its own."""
    return [
        f"{folder}/{path.stem}" for folder in ("journal", schema) for path in sorted((FOLDER / folder).glob("*.sql"))
    ]


def migrate(connection: sqlite3.Connection, schema: str, file: Path) -> None:
    """Apply what is missing. Raises SettingsError when the file was written by newer code."""
    known = migrations_of(schema)
    connection.execute(LEDGER)
    done = applied(connection)
    foreign = sorted(done - set(known))
    if foreign:
        raise SettingsError(
            str(file), f"was written by a newer version of this program ({foreign[-1]} is unknown here)"
        )
    for name in known:
        if name not in done:
            script = (FOLDER / f"{name}.sql").read_text(encoding="utf-8")
            # executescript commits whatever is open, so the transaction stands inside the script.
            try:
                connection.executescript(
                    f"BEGIN IMMEDIATE;\n{script}\nINSERT INTO migration VALUES ('{name}');\nCOMMIT;"
                )
            except sqlite3.Error:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise


def applied(connection: sqlite3.Connection) -> set[str]:
    """The names of the migrations that a database has. Raises sqlite3.OperationalError when it is none of ours."""
    return {name for (name,) in connection.execute("SELECT name FROM migration")}
