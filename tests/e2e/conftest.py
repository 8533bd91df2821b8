"""One whole installation for all tests that leave it whole; those that do not start their own."""

from collections.abc import Iterator

import pytest

from drill.installation import Installation, running_installation
from tests.support.standing import standing


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A running installation: supervisor, private broker, every actor, two fronts."""
    with standing(running_installation(tmp_path_factory.mktemp("installation") / "data")) as one:
        yield one
