"""The schedule of blows: reproducible, complete, and within what a supervisor is to put up with."""

import itertools
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drill.nemesis import CYCLE, HEAD, TAIL, Deed, crash, read, rolling, write

VICTIMS = ("broker", "auth", "contacts", "router", "front.1", "front.2")
ACTORS = VICTIMS[1:]

seeds = st.integers(0, 2**63)
lengths = st.floats(HEAD + TAIL + 1, 1800)


@given(seeds, lengths)
def test_the_same_seed_makes_the_same_schedule(seed: int, seconds: float) -> None:
    assert crash(seed, seconds, VICTIMS, freezable=ACTORS) == crash(seed, seconds, VICTIMS, freezable=ACTORS)


def test_another_seed_makes_another_schedule() -> None:
    assert crash(1, 60, VICTIMS) != crash(2, 60, VICTIMS)


@given(seeds, lengths)
def test_everybody_is_killed_and_nobody_at_the_very_end(seed: int, seconds: float) -> None:
    deeds = crash(seed, seconds, VICTIMS, freezable=ACTORS)
    assert {deed.name for deed in deeds if deed.verb == "kill"} == set(VICTIMS)
    assert all(HEAD <= deed.at <= seconds - TAIL + 0.3 for deed in deeds)
    assert list(deeds) == sorted(deeds, key=lambda deed: deed.at)


@given(seeds, st.floats(3 * CYCLE, 1800))
def test_long_drills_freeze_too_and_hit_two_at_once(seed: int, seconds: float) -> None:
    deeds = crash(seed, seconds, VICTIMS, freezable=ACTORS)
    verbs = Counter(deed.verb for deed in deeds)
    assert verbs["freeze"] >= 2
    assert "broker" not in {deed.name for deed in deeds if deed.verb == "freeze"}
    assert any(later.at - deed.at <= 0.3 for deed, later in itertools.pairwise(deeds))


@given(seeds, st.floats(CYCLE, 1800))
def test_nobody_is_hit_so_often_that_the_supervisor_gives_up(seed: int, seconds: float) -> None:
    """More than 5 restarts in 60 s would make a child failing, by the default settings."""
    deeds = crash(seed, seconds, VICTIMS, freezable=ACTORS)
    for name in VICTIMS:
        times = [deed.at for deed in deeds if deed.name == name]
        assert all(sum(1 for other in times if at <= other < at + 60) <= 5 for at in times)


@pytest.mark.parametrize(("seconds", "victims"), [(HEAD + TAIL, VICTIMS), (0, VICTIMS), (60, ())])
def test_a_drill_without_time_or_victims_is_refused(seconds: float, victims: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="too short"):
        crash(1, seconds, victims)


def test_a_single_victim_is_enough() -> None:
    assert {deed.name for deed in crash(1, 180, ["router"], freezable=["router"])} == {"router"}


@given(seeds, lengths)
def test_a_log_is_read_as_it_was_written(seed: int, seconds: float) -> None:
    deeds = crash(seed, seconds, VICTIMS)
    assert read(write(deeds)) == deeds


def test_a_log_may_be_in_any_order_and_have_empty_lines() -> None:
    one, other = Deed(2, "kill", "auth"), Deed(1, "stop", "router")
    assert read(f"{write([one])}\n{write([other])}") == (other, one)


@pytest.mark.parametrize(
    "line", ["nonsense", "{}", '{"at":1,"verb":"love","name":"auth"}', '{"at":-1,"verb":"kill","name":"auth"}']
)
def test_a_line_that_is_no_deed_is_named(line: str) -> None:
    with pytest.raises(ValueError, match="line 2"):
        read(f'{{"at":1,"verb":"kill","name":"auth"}}\n{line}\n')


def test_a_roll_takes_one_after_the_other() -> None:
    assert [(deed.at, deed.verb, deed.name) for deed in rolling(1.0, ["auth", "router"], gap=2.0)] == [
        (1.0, "restart", "auth"),
        (3.0, "restart", "router"),
    ]
