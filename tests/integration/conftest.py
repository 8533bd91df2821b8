"""What many share: a house a test, where Ann and Bob are in contact, or a front of one's own at a real broker."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actors.runtime import Environment
from settings import Paths, Settings
from tests.support.house import House, Person, open_house
from tests.support.mailing import Recorder, ground, recording_front


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


@pytest.fixture
def environment(tmp_path: Path, broker_node: tuple[Settings, Paths]) -> Environment:
    return ground(tmp_path, broker_node)


@pytest.fixture
async def front(environment: Environment) -> AsyncIterator[Recorder]:
    async with recording_front(environment) as recorder:
        yield recorder
