"""The restart policy: examples first, then a state machine that compares it with a naive account of the past."""

import itertools
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from supervision.policy import Decision, History, Limits, Rest, Restart, after_exit
from supervision.spec import RestartType

LIMITS = Limits(burst=5, window=60.0, base=0.2, cap=30.0)


def exit_at(
    now: float,
    history: History | None = None,
    *,
    kind: RestartType = "permanent",
    code: int | None = 1,
    ran_since: float | None = None,
    random: Callable[[], float] = lambda: 1.0,
) -> Decision:
    return after_exit(history or History(), LIMITS, kind, code=code, ran_since=ran_since, now=now, random=random)


def test_the_first_restart_is_at_once() -> None:
    decision = exit_at(100.0)
    assert isinstance(decision, Restart)
    assert (decision.at, decision.state) == (100.0, "backoff")


def test_the_pauses_double_up_to_failing_and_then_stay_at_the_cap() -> None:
    now, history, pauses, states = 0.0, History(), [], []
    for _ in range(8):
        decision = exit_at(now, history)
        assert isinstance(decision, Restart)
        pauses.append(round(decision.at - now, 6))
        states.append(decision.state)
        now, history = decision.at, decision.history
    assert pauses == [0.0, 0.2, 0.4, 0.8, 1.6, 30.0, 30.0, 30.0]
    assert states == ["backoff"] * 5 + ["failing"] * 3


def test_a_stable_while_clears_the_past() -> None:
    worn = History(restarts=(1.0, 2.0, 3.0, 4.0, 5.0), attempt=9)
    decision = exit_at(66.0, worn, ran_since=5.5)
    assert decision == Restart(at=66.0, state="backoff", history=History(restarts=(66.0,), attempt=1))
    decision = exit_at(20.0, worn, ran_since=5.5)
    assert isinstance(decision, Restart)
    assert decision.state == "failing"


@pytest.mark.parametrize("kind", ["permanent", "transient", "temporary"])
def test_a_wrong_configuration_is_not_tried_again(kind: RestartType) -> None:
    assert exit_at(0.0, kind=kind, code=78) == Rest("failing")


@pytest.mark.parametrize(
    ("kind", "code", "back"),
    [
        ("permanent", 0, True),
        ("permanent", None, True),
        ("transient", 0, False),
        ("transient", 1, True),
        ("transient", None, True),
        ("temporary", 1, False),
        ("temporary", None, False),
    ],
)
def test_restart_types_are_those_of_otp(kind: RestartType, code: int | None, back: bool) -> None:
    assert isinstance(exit_at(0.0, kind=kind, code=code), Restart) is back


def test_five_minutes_of_a_crash_loop_are_at_most_twenty_starts() -> None:
    dice = random.Random(7)  # noqa: S311  (a reproducible example, not a secret)
    now, history, starts = 0.0, History(), 1
    while True:
        decision = exit_at(now, history, random=dice.random)
        assert isinstance(decision, Restart)
        now, history = decision.at, decision.history
        if now > 300.0:
            break
        starts += 1
    assert 10 < starts <= 20


def test_limits_whose_backoff_disarms_the_window_are_refused() -> None:
    with pytest.raises(ValueError, match="make window longer"):
        Limits(burst=5, window=5.0, base=1.0, cap=30.0)


@given(
    burst=st.integers(1, 8),
    window=st.floats(1, 300),
    base=st.floats(0.01, 10),
    cap=st.floats(0.01, 60),
    dice=st.randoms(use_true_random=False),
)
def test_a_crash_loop_is_found_out_under_any_accepted_limits(
    burst: int, window: float, base: float, cap: float, dice: random.Random
) -> None:
    try:
        limits = Limits(burst=burst, window=window, base=base, cap=cap)
    except ValueError:
        return
    now, history = 1000.0, History()
    for restart in itertools.count(1):
        decision = after_exit(history, limits, "permanent", code=1, ran_since=None, now=now, random=dice.random)
        assert isinstance(decision, Restart)
        if decision.state == "failing":
            assert restart == burst + 1
            break
        assert restart <= burst
        now, history = decision.at, decision.history


class OneChild(RuleBasedStateMachine):
    """A child that lives, crashes, ends well and is started by hand, on a clock of its own. `steps` of all examples."""

    steps = 0

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.history = History()
        self.up = True
        self.ready_since: float | None = None
        self.failed_in_a_row = 0
        self.restarts: list[float] = []
        self.failing = False

    @precondition(lambda self: self.up and self.ready_since is None)
    @rule()
    def becomes_ready(self) -> None:
        self.ready_since = self.now

    @rule(seconds=st.floats(0, 100))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.up)
    @rule(code=st.sampled_from([0, 1, None]), dice=st.floats(0, 1))
    def ends(self, code: int | None, dice: float) -> None:
        stable = self.ready_since is not None and self.now - self.ready_since >= LIMITS.window
        if stable:
            self.failed_in_a_row, self.restarts, self.failing = 0, [], False
        decision = exit_at(self.now, self.history, code=code, ran_since=self.ready_since, random=lambda: dice)
        assert isinstance(decision, Restart)
        recent = [at for at in self.restarts if at > self.now - LIMITS.window]
        self.failing = self.failing or len(recent) >= LIMITS.burst
        assert decision.state == ("failing" if self.failing else "backoff")
        pause = decision.at - self.now
        assert 0 <= pause <= LIMITS.cap + 1e-6
        if self.failed_in_a_row == 0:
            assert pause == 0
        if decision.state == "backoff":
            assert pause <= LIMITS.base * 2**self.failed_in_a_row
        self.failed_in_a_row += 1
        self.restarts.append(decision.at)
        self.now, self.history, self.ready_since = decision.at, decision.history, None

    @precondition(lambda self: self.up)
    @rule()
    def is_wrongly_configured(self) -> None:
        assert exit_at(self.now, self.history, code=78, ran_since=self.ready_since) == Rest("failing")
        self.up = False

    @precondition(lambda self: not self.up)
    @rule()
    def is_started_by_hand(self) -> None:
        self.up, self.history, self.ready_since = True, History(), None
        self.failed_in_a_row, self.restarts, self.failing = 0, [], False

    @invariant()
    def is_counted(self) -> None:
        OneChild.steps += 1

    @invariant()
    def never_more_starts_than_the_window_and_the_cap_allow(self) -> None:
        recent = [at for at in self.restarts if at > self.now - LIMITS.window]
        assert len(recent) <= LIMITS.burst + LIMITS.window / LIMITS.cap + 1

    @invariant()
    def the_history_stays_small(self) -> None:
        assert len(self.history.restarts) <= LIMITS.burst


def test_ten_thousand_steps_of_one_child() -> None:
    OneChild.steps = 0
    many = settings(max_examples=300, stateful_step_count=50, deadline=None)
    run_state_machine_as_test(OneChild, settings=many)
    # Examples may end early, and the property would be shown for less than it says.
    assert OneChild.steps >= 10_000
