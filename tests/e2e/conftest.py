"""One whole installation for all tests that leave it whole; those that do not start their own."""

from collections.abc import Iterator

import pytest

from drill.installation import Installation, running_installation
from tests.support.patience import PATIENT
from tests.support.standing import standing


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A running installation: supervisor, private broker, every actor, two fronts.

    Whoever freezes a process lets it go on by itself: on a slow machine its watchdog would be before that.
    """
    folder = tmp_path_factory.mktemp("installation") / "data"
    with standing(running_installation(folder, **PATIENT)) as one:
        yield one
