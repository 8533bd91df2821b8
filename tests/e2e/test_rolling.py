"""Fronts roll and are scaled, and every actor is restarted, while people chat: they see reconnects and nothing else."""

from collections.abc import AsyncIterator

import pytest

from drill.installation import Installation
from drill.scene import Scene
from supervision.control import Request
from tests.support.waiting import SCALE, eventually

pytestmark = pytest.mark.e2e

PATIENCE = 120.0


async def do(installation: Installation, request: Request) -> dict[str, int]:
    """One request of `parley`; the pids of all that run then."""
    await installation.ask(request, PATIENCE)
    rows = await installation.actors()
    assert {row["state"] for row in rows.values()} == {"running"}, rows
    return {name: row["pid"] for name, row in rows.items()}


@pytest.fixture
async def scene(installation: Installation) -> AsyncIterator[Scene]:
    """People who type all the while; at the end each of their messages is accounted for."""
    async with Scene(installation.base, pairs=4, rate=40.0, seed=20_261) as scene:
        scene.type_on()
        yield scene
        typed = len(scene.sent)
        await eventually(lambda: len(scene.sent) > typed + 20)
        await scene.be_quiet()
        assert await scene.quiesce(60.0 * SCALE)
        account = await scene.account()
        assert account.kept, account
        assert not account.refused
        assert account.stored == account.sent > 0
        assert not scene.casualties()


async def test_rolling_and_scaling_lose_nobody(installation: Installation, scene: Scene) -> None:
    before = await do(installation, Request("status"))
    rolled = await do(installation, Request("restart", "front"))
    assert rolled["front.1"] != before["front.1"]
    assert rolled["front.2"] != before["front.2"]
    four = await do(installation, Request("scale", "front", 4))
    assert [name for name in four if name.startswith("front")] == [f"front.{number}" for number in range(1, 5)]
    again = await do(installation, Request("scale", "front", 2))
    assert set(again) == set(before)
    # Scaling touches nobody else: who was there before is the same process.
    assert {name: again[name] for name in before} == rolled
    actors = [name for name in before if name != "broker"]
    for name in actors:
        again = await do(installation, Request("restart", name))
    assert all(again[name] != before[name] for name in actors)
    assert scene.reconnects >= len(scene.people)
