"""router on real databases."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.chat import House


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    opened = await House.open(tmp_path)
    yield opened
    await opened.close()
