"""Everything is killed, frozen and cut while people chat: every message is accounted for, and the account has zeros."""

import asyncio
from pathlib import Path

import pytest
from msgspec import structs

from tests.chaos import delivery, run
from tests.chaos.record import read
from tests.chaos.report import outcome
from tests.support.waiting import SCALE

pytestmark = pytest.mark.e2e

SECONDS = 200.0 * SCALE


async def test_nothing_is_lost_doubled_or_out_of_order_whatever_is_killed(tmp_path: Path) -> None:
    told: list[str] = []
    # Of a seed in which router does not die three times within moments: a command that is in hand each time would be
    # taken for what ended it, and set aside.
    (order,) = delivery.orders(structs.replace(delivery.SMALL, seed=38), ())
    log = tmp_path / "run.log"
    async with asyncio.timeout(SECONDS):
        verdict = await run.run(order, tmp_path / "data", log, (), told.append)
    assert verdict.kept, (verdict, told)
    assert verdict.acknowledged >= 2_000
    done = outcome(read(log)).done
    assert sum(done[f"kill {name}"] for name in run.ACTORS) == 25
    assert min(done[f"kill {name}"] for name in run.ACTORS) >= 25 // len(run.ACTORS)
    assert done["kill broker"] == 1
    assert sum(count for what, count in done.items() if what.startswith("freeze ")) == 3
