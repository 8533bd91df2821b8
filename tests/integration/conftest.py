"""A house a test: a front over real owners. Ann and Bob are in contact there."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.house import House, Person, open_house


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as opened:
        yield opened


@pytest.fixture
async def ann(house: House) -> Person:
    return await house.person("ann")


@pytest.fixture
async def bob(house: House, ann: Person) -> Person:
    bob = await house.person("bob")
    await house.befriend(ann, bob)
    return bob
