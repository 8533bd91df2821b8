"""Bring a database to the code's schema: numbered SQL files that only add, each in one transaction."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from settings import SettingsError

FOLDER = Path(__file__).resolve().parent / "migrations"

LEDGER = "CREATE TABLE IF NOT EXISTS migration (name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID"


def scripts(schema: str, folder: Path | None = None) -> dict[str, Path]:
    """All that makes up a schema, in order: the journal's migrations, then its own, which lie in `folder`.

    A migration is known by its schema's name and its file's: "router/0001".
    """
    folders = {"journal": FOLDER / "journal", schema: folder or FOLDER / schema}
    return {f"{name}/{path.stem}": path for name, place in folders.items() for path in sorted(place.glob("*.sql"))}


def migrations_of(schema: str, folder: Path | None = None) -> Sequence[str]:
    """The names, in order, of all that makes up a schema."""
    return tuple(scripts(schema, folder))


def migrate(connection: sqlite3.Connection, schema: str, file: Path, folder: Path | None = None) -> None:
    """Apply what is missing. Raises SettingsError when the file was written by newer code."""
    known = scripts(schema, folder)
    connection.execute(LEDGER)
    done = applied(connection)
    foreign = sorted(done - set(known))
    if foreign:
        raise SettingsError(
            str(file), f"was written by a newer version of this program ({foreign[-1]} is unknown here)"
        )
    for name, path in known.items():
        if name not in done:
            script = path.read_text(encoding="utf-8")
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
