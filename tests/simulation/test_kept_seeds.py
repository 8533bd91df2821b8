"""Seeds that once showed something wrong, in the product or in the simulation itself."""

import pytest

from tests.simulation.sweep import verdicts

KEPT = {
    48: "a later message of a socket was stored before one that was lost with a deleted mailbox",
    90: "the same, with a wide window and router stopped in between",
    539: "sockets told the same again to a lane that had no room for it",
    4523: "mail was lost with a mailbox that was deleted before router had read it once",
    2603: "a copy of an answered send let later ones overtake one that was lost",
    5113: "several resyncs filled a lane with copies",
    23514: "the same, while pages were loaded anew",
    25476: "a receipt was still on its way through a stalled connection",
    31938: "a mailbox was deleted before its front had ever heard router",
}


@pytest.mark.parametrize("seed", KEPT)
def test_what_was_wrong_once_is_right(seed: int) -> None:
    assert not verdicts([seed])
