"""file_chunker on real databases and a real folder."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.filing import Desk, open_desk


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(tmp_path, largest_mib=2, quota_mib=4, transfers=2) as opened:
        yield opened
