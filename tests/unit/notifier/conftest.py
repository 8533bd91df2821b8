"""notifier on real databases."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.notices import Office


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    opened = await Office.open(tmp_path)
    yield opened
    await opened.close()
