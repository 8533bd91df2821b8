"""Data that newer code wrote is not touched by older code: each owner says so and ends, for good."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from settings import Paths, load
from storage import Database, Schema
from storage.auth import AUTH
from storage.contacts import CONTACTS
from storage.router import ROUTER
from tests.support.waiting import SCALE

ROOT = Path(__file__).resolve().parent.parent.parent
CONFIGURATION = 78


@pytest.mark.parametrize("schema", [AUTH, CONTACTS, ROUTER], ids=lambda schema: schema.name)
async def test_an_owner_refuses_a_newer_database_and_leaves_it_as_it_is(tmp_path: Path, schema: Schema[Any]) -> None:
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("PARLEY_")},
        "PARLEY_DATA__DIR": str(tmp_path),
        "PARLEY_BROKER__URL": "amqp://nobody@127.0.0.1:1/none",
    }
    paths = Paths.of(load(environ=environment))
    paths.make()
    database = await Database.open(schema, paths.databases)
    await database.close()
    file = paths.databases / f"{schema.name}.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("INSERT INTO migration VALUES (?)", (f"{schema.name}/9999",))
        connection.commit()
    before = contents(file)
    try:
        ended = subprocess.run(  # noqa: ASYNC221, S603  (nothing else runs meanwhile; our own program)
            [sys.executable, "-m", "actors", schema.name],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=20 * SCALE,
            check=False,
        )
    finally:
        # It lies outside the test's own folder, which pytest removes.
        paths.run.rmdir()
    assert ended.returncode == CONFIGURATION
    assert f"{schema.name}.db" in ended.stderr
    assert "newer version" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert contents(file) == before


def contents(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as connection:
        return list(connection.iterdump())
