"""How often something may be tried, as a pure thing."""

import asyncio

import pytest

from actors.auth import throttle as module
from actors.auth.throttle import Rule, Throttle
from protocols.errors import Refusal
from storage.auth import Tally

RULE = Rule("failure", 3, 60_000)


def wrong(throttle: Throttle, now: int, subject: str = "ann") -> None:
    with throttle.guessing(RULE, subject, now):
        pass


def refused(throttle: Throttle, now: int, subject: str = "ann") -> float:
    with pytest.raises(Refusal) as caught:
        wrong(throttle, now, subject)
    assert caught.value.code == "rate_limited"
    assert caught.value.body.retry_after is not None
    return caught.value.body.retry_after


def test_after_so_many_failures_nobody_may_guess_until_the_first_is_old() -> None:
    throttle = Throttle()
    for now in (0, 10_000, 20_000):
        wrong(throttle, now)
    assert refused(throttle, 30_000) == 30.0
    wrong(throttle, 30_000, "bob")
    wrong(throttle, 60_000)
    assert refused(throttle, 60_001) == 9.999


def test_a_right_guess_wipes_out_the_wrong_ones() -> None:
    throttle = Throttle()
    wrong(throttle, 0)
    wrong(throttle, 0)
    with throttle.guessing(RULE, "ann", 0) as guess:
        guess.right = True
    for _ in range(3):
        wrong(throttle, 0)
    refused(throttle, 0)


def test_a_guess_that_could_not_be_checked_does_not_count() -> None:
    throttle = Throttle()
    for _ in range(10):
        with pytest.raises(asyncio.CancelledError), throttle.guessing(RULE, "ann", 0):
            raise asyncio.CancelledError
    wrong(throttle, 0)


def test_many_guesses_at_once_do_not_slip_through() -> None:
    throttle = Throttle()
    guesses = [throttle.guessing(RULE, "ann", 0) for _ in range(3)]
    for guess in guesses:
        guess.__enter__()
    assert refused(throttle, 0) == 1.0
    for guess in guesses:
        guess.__exit__(None, None, None)
    assert refused(throttle, 0) == 60.0


def test_zero_is_no_limit() -> None:
    throttle = Throttle()
    off = Rule("failure", 0, 60_000)
    for _ in range(100):
        throttle.take(off, "ann", 0)
        with throttle.guessing(off, "ann", 0):
            pass
    assert throttle.drain() == []


def test_what_changed_is_drained_once_and_restored() -> None:
    throttle = Throttle()
    for now in (1, 2, 3):
        wrong(throttle, now)
    throttle.take(Rule("login", 5, 60_000, kept=False), "198.51.100.7", 4)
    drained = throttle.drain()
    assert drained == [Tally("failure", "ann", (1, 2, 3))]
    assert throttle.drain() == []
    after_restart = Throttle()
    after_restart.restore(drained)
    refused(after_restart, 5)


def test_wiping_out_is_drained_too() -> None:
    throttle = Throttle()
    wrong(throttle, 1)
    throttle.drain()
    with throttle.guessing(RULE, "ann", 2) as guess:
        guess.right = True
    assert throttle.drain() == [Tally("failure", "ann", ())]


def test_at_the_bound_the_quietest_subject_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SUBJECTS", 2)
    throttle = Throttle()
    for _ in range(3):
        wrong(throttle, 0, "ann")
    wrong(throttle, 1, "bob")
    wrong(throttle, 1, "cat")
    wrong(throttle, 2, "ann")
