"""A quarter of the thousand seeds, in a file of its own, so that the workers share them."""

import pytest

from tests.simulation.sweep import chunks, verdicts


@pytest.mark.parametrize("seeds", chunks(750, 1000), ids=str)
def test_whatever_goes_wrong_every_promise_is_kept(seeds: range) -> None:
    assert not verdicts(seeds)
