"""`parley demo tour`: what it tells of each actor is so."""

import asyncio
import io
from pathlib import Path

import pytest

from drill import demos
from drill.show import Bill, perform
from drill.stage import Cast
from tests.support.waiting import SCALE

pytestmark = pytest.mark.e2e

SECONDS = 120.0 * SCALE


async def test_the_tour_shows_what_it_tells(tmp_path: Path) -> None:
    """It stops, kills and restarts each actor, and tries out what it says of it; the words need not be read here."""
    told = io.StringIO()
    bill = Bill("tour", "parley demo tour --seed 7", Cast(pairs=3, rate=10.0, seed=7))
    async with asyncio.timeout(SECONDS):
        report = await perform(bill, demos.tour(), tmp_path / "data", told, stop=asyncio.Event(), pace=0.2)
    assert report.broken == [], told.getvalue()
    assert {(blow.verb, blow.name) for blow in report.blows} >= {
        ("stop", "contacts"),
        ("start", "contacts"),
        ("stop", "auth"),
        ("start", "auth"),
        ("kill", "router"),
        ("kill", "broker"),
        ("restart", "front.2"),
    }
    for sentence in ("chat: works", 'new contacts: pauses ("', 'sign in: pauses ("', "came back by itself after"):
        assert sentence in told.getvalue()
