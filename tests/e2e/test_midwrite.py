"""The soak's kills in the middle of a write, a few of them, and whether it would notice what it looks for."""

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from drill.installation import free_port
from drill.ledger import Sent, settle
from tests.soak import midwrite
from tests.soak.installation import make
from tests.support.fake_installation import Installation

pytestmark = pytest.mark.e2e

KILLS = 10
HI = Sent(client_id="ann-1", sender="ann", to="bob", body="hi", at=0.0, seq=1)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Installation]:
    one = make(tmp_path / "data", free_port(), whole=True)
    yield one
    one.clear()


def test_what_was_acknowledged_is_on_the_disk_whenever_router_is_killed(home: Installation) -> None:
    figure = midwrite.midwrite(home, 1, KILLS, lambda _text: None)
    assert figure.kept, figure
    assert figure.spreads["all is told"].count == KILLS


@pytest.fixture
def left(tmp_path: Path) -> Path:
    file = tmp_path / "router.db"
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE message (conversation, seq, client_id, sender, body)")
        rows = [("c", number, f"ann-{number}", "ann", "hi") for number in range(1, 500)]
        database.executemany("INSERT INTO message VALUES (?, ?, ?, ?, ?)", rows)
    database.close()
    return file


def test_a_look_finds_what_is_missing_and_what_is_damaged(left: Path) -> None:
    waiting = msgspec.structs.replace(HI, seq=0)
    found = midwrite.look(left, [HI, msgspec.structs.replace(waiting, client_id="ann-2"), waiting])
    assert found == midwrite.Look(damage="", missing=[], untold=2, unstored=0)
    elsewhere = msgspec.structs.replace(HI, seq=2)
    other = msgspec.structs.replace(HI, body="ho")
    gone = msgspec.structs.replace(HI, client_id="bob-1")
    found = midwrite.look(left, [elsewhere, other, gone, msgspec.structs.replace(gone, seq=0)])
    assert (found.missing, found.untold, found.unstored) == (["ann-1", "ann-1", "bob-1"], 0, 1)
    damaged = left.with_name("damaged.db")
    shutil.copyfile(left, damaged)
    with damaged.open("r+b") as file:
        file.seek(2 * 4096)
        file.write(b"\xff" * 1000)
    assert midwrite.look(damaged, []).damage


def test_a_figure_is_broken_by_what_was_lost_on_the_way_or_in_the_end() -> None:
    well = midwrite.Look(damage="", missing=[], untold=1, unstored=1)
    account = settle([HI], {"bob": []})
    assert account.lost == ["ann-1"]
    kept = settle([HI], {})
    assert midwrite.figure([well], [0.1], kept, 1).kept
    assert not midwrite.figure([well], [0.1], account, 1).kept
    assert not midwrite.figure([well], [0.1], kept, 2).kept
    assert not midwrite.figure([msgspec.structs.replace(well, missing=["ann-1"])], [0.1], kept, 1).kept
    assert not midwrite.figure([msgspec.structs.replace(well, damage="page 3")], [0.1], kept, 1).kept
