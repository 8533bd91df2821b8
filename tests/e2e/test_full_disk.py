"""The disk is full for a while: senders wait, the page is told, nothing is lost or doubled, and nobody restarts."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from drill.installation import running_installation
from drill.ledger import Logged, settle
from drill.person import HttpError, Person
from protocols.values import conversation_of
from tests.support.needs import is_root, lacking
from tests.support.patience import PATIENT
from tests.support.small_disk import SmallDisk, why_not
from tests.support.waiting import SCALE, eventually

pytestmark = pytest.mark.e2e

MIB = 16
BEFORE, MEANWHILE = 30, 30


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """Where an installation in tmp_path/data has its databases."""
    if reason := why_not():
        lacking(reason, excused=not is_root())
    one = SmallDisk(tmp_path / "data" / "db", MIB)
    one.mount()
    yield one
    one.unmount()


async def test_a_full_disk_holds_senders_up_and_loses_nothing(disk: SmallDisk, tmp_path: Path) -> None:
    async with (
        running_installation(tmp_path / "data", **PATIENT) as installation,
        Person(installation.base, "ann") as ann,
        Person(installation.base, "bob") as bob,
    ):
        await ann.register()
        await bob.register()
        await ann.befriend(bob)
        conversation = conversation_of(ann.id, bob.id)

        async def router() -> str:
            """How it is, as whoever asks a front is told."""
            async with aiohttp.request("GET", f"{installation.base}/readyz") as answer:
                rows = (await answer.json())["actors"]
            return str(next(row["state"] for row in rows if row["name"] == "router"))

        async def is_degraded() -> bool:
            return await router() == "degraded"

        async def is_well() -> bool:
            return await router() == "running"

        lines = [asyncio.create_task(person.run()) for person in (ann, bob)]
        try:
            for number in range(BEFORE):
                ann.say(bob.id, f"before {number}")
            async with asyncio.timeout(20 * SCALE):
                await ann.until(lambda: not ann.unanswered)
            disk.shorten_logs()
            disk.fill()
            # The first few may still find room in pages that are there.
            for number in range(MEANWHILE):
                ann.say(bob.id, f"meanwhile {number}")
            await eventually(is_degraded, 10.0)
            assert ann.unanswered
            # What only reads goes on, and what would write is told that it cannot be now.
            page = await ann.call("GET", f"/conversations/{conversation}/messages")
            assert len(page["messages"]) >= BEFORE
            with pytest.raises(HttpError) as caught:
                await ann.call("PATCH", "/me", {"display_name": "Ann"})
            assert (caught.value.status, caught.value.code) == (503, "unavailable")
            assert not any(sent.refused for sent in ann.sent.values())
            disk.free_again()
            await eventually(lambda: not ann.unanswered and len(bob.screen.shown) == BEFORE + MEANWHILE, 20.0)
            await eventually(is_well, 10.0)
        finally:
            for line in lines:
                line.cancel()
            await asyncio.gather(*lines, return_exceptions=True)
        page = await bob.call("GET", f"/conversations/{conversation}/messages?limit=200")
        log = [Logged(one["seq"], one["client_id"], one["sender"], one["body"]) for one in page["messages"]]
        account = settle(list(ann.sent.values()), {bob.id: bob.screen.shown}, log)
        assert account.kept, account
        assert (account.stored, len(log)) == (BEFORE + MEANWHILE, BEFORE + MEANWHILE)
        assert all(row["restarts"] == 0 for row in (await installation.actors()).values())
