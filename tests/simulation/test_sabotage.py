"""The checker can fail: each mistake of tests.simulation.sabotage is found within a few seeds."""

import pytest

from tests.simulation.sabotage import SABOTAGES
from tests.simulation.world import run

WITHIN = 20
"""Seeds."""


@pytest.mark.parametrize("name", SABOTAGES)
def test_a_mistake_is_found_within_a_few_seeds(name: str) -> None:
    sabotage = SABOTAGES[name]
    with sabotage.patched():
        assert any(run(seed, faults=sabotage.faults, prepare=sabotage.prepare).broken for seed in range(WITHIN))
