"""A schedule is a function of its seed, is read back as it was written, and does what it is asked for."""

from collections import Counter
from pathlib import Path

import pytest
from msgspec import structs

from tests.chaos.__main__ import again
from tests.chaos.delivery import RELEASE, SMALL, finished, orders
from tests.chaos.record import Journal, Settled, read
from tests.chaos.report import figures, outcome
from tests.chaos.run import ACTORS, order
from tests.chaos.schedule import BAD_NETWORK, PLACES, Size, plan

SIZE = Size(kills=25, broker_kills=2, supervisor_kills=1, freezes=3, network=12, faults=2, pace=1.0, longest=4.0)


def test_the_same_seed_gives_the_same_schedule_and_another_one_another() -> None:
    assert plan(7, SIZE, ACTORS, ["disk"]) == plan(7, SIZE, ACTORS, ["disk"])
    assert plan(7, SIZE, ACTORS, ["disk"]) != plan(8, SIZE, ACTORS, ["disk"])


@pytest.mark.parametrize("seed", range(20))
def test_everything_asked_for_is_in_it(seed: int) -> None:
    steps = plan(seed, SIZE, ACTORS, ["disk", "memory"])
    done = Counter((step.verb, step.target) for step in steps)
    shares = [done["kill", name] for name in ACTORS]
    assert sum(shares) == 25
    assert max(shares) - min(shares) <= 1
    assert (done["kill", "broker"], done["kill", "supervisor"]) == (2, 1)
    assert (done["fault", "disk"], done["fault", "memory"]) == (2, 2)
    assert all(done[verb, place] == 1 for verb in BAD_NETWORK for place in PLACES)
    frozen = [step for step in steps if step.verb == "freeze"]
    assert len({step.target for step in frozen}) == len(frozen) == 3
    assert all(1.0 <= step.length <= 4.0 for step in frozen)
    assert all(step.wait >= 0 for step in steps)


def test_nobody_to_kill_is_said() -> None:
    with pytest.raises(ValueError, match="nobody"):
        plan(1, SIZE, [])


def test_pieces_add_up_and_have_seeds_of_their_own() -> None:
    pieces = orders(structs.replace(RELEASE, seed=3, pieces=7), ["disk"])
    assert len({one.seed for one in pieces}) == 7
    assert sum(one.messages for one in pieces) == RELEASE.messages
    for name in ("kills", "broker_kills", "supervisor_kills", "freezes", "network", "faults"):
        assert sum(getattr(one.size, name) for one in pieces) == getattr(RELEASE.size, name)
    others = orders(structs.replace(RELEASE, seed=4, pieces=7), ["disk"])
    assert not {one.seed for one in pieces} & {one.seed for one in others}


def test_what_make_test_runs_is_what_was_promised() -> None:
    assert SMALL.messages >= 2_000
    assert (SMALL.size.kills, SMALL.size.broker_kills, SMALL.size.freezes) >= (25, 1, 3)
    assert (RELEASE.messages, RELEASE.size.kills, RELEASE.size.broker_kills) >= (100_000, 500, 15)


def test_a_log_of_the_same_run_that_came_to_its_end_is_not_run_again(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    wanted = order(1, SIZE, pairs=2, rate=9.0, messages=5)
    assert finished(wanted, log) is None
    end = Settled(at=1.0, calm=True, queues={}, damaged=(), zombies=(), orphans=(), troubles=(), memory={})
    for records, done in (((), False), ((wanted,), False), ((wanted, end), True)):
        with log.open("wb") as file:
            journal = Journal(file)
            for record in records:
                journal.write(record)
        assert (finished(wanted, log) is not None) is done
    assert next(iter(read(log))) == wanted
    assert finished(structs.replace(wanted, seed=2), log) is None
    log.write_bytes(b"nonsense\n")
    assert finished(wanted, log) is None
    with pytest.raises(ValueError, match=r"a\.log:1"):
        list(read(log))


def test_a_log_gives_the_very_same_run_again(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    wanted = order(1, SIZE, pairs=2, rate=9.0, messages=5, faults=["disk"])
    with log.open("wb") as file:
        Journal(file).write(structs.replace(wanted, began="2026-01-01T00:00:00Z"))
    assert again(log) == wanted


def test_nothing_acknowledged_is_no_promise_kept() -> None:
    end = Settled(at=1.0, calm=True, queues={}, damaged=(), zombies=(), orphans=(), troubles=(), memory={})
    shown = figures([outcome([order(1, SIZE, pairs=2, rate=9.0, messages=5), end])], alone=False)
    assert not shown[0].kept
