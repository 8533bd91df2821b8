"""What a report says, and that it says no when something was broken."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drill.ledger import Account, Sent
from drill.report import (
    INVARIANTS,
    Blow,
    Report,
    felt,
    judged,
    label,
    spread,
    spreads,
    to_json,
    to_text,
    versions,
)


def account(**changes: Any) -> Account:
    none: dict[str, Any] = {kind: [] for kind in INVARIANTS}
    return Account(**{"sent": 5, "stored": 5, "shown": 5, **none, **changes})


def report(**changes: Any) -> Report:
    values: dict[str, Any] = {
        "demo": "crash",
        "command": "parley demo crash --seed 7",
        "seed": 7,
        "began": "2026-01-02T03:04:05.678Z",
        "seconds": 60.0,
        "interrupted": False,
        "pairs": 4,
        "rate": 20.0,
        "versions": {"python": "3.11.2"},
        "sent": 5,
        "stored": 5,
        "shown": 5,
        **dict.fromkeys(INVARIANTS, 0),
        "reconnects": 3,
        "kills": {"router": 2},
        "ready": {"router": spread([0.2, 0.3])},
        "felt": {"router": spread([0.4, 0.5])},
        "blows": [Blow(verb="kill", name="router", at=1.0, ready=0.2, felt=0.4)],
        "examples": {},
        "broken": [],
    }
    return Report(**{**values, **changes})


def test_an_account_without_fault_breaks_nothing() -> None:
    assert judged(account(), 60) == []


@pytest.mark.parametrize("kind", INVARIANTS)
def test_each_kind_of_fault_is_a_sentence_that_names_messages(kind: str) -> None:
    (sentence,) = judged(account(**{kind: ["a-1", "a-2", "a-3", "a-4"]}), 60)
    assert sentence.startswith("4 messages ")
    assert sentence.endswith("a-1, a-2, a-3, ...")


def test_a_drill_in_which_nothing_was_stored_shows_nothing() -> None:
    assert judged(account(sent=0, stored=0, shown=0), 60) == ["no message was stored in 60 s"]


def test_percentiles_are_values_that_occurred() -> None:
    found = spread([float(number) for number in range(1, 101)])
    assert (found.count, found.p50, found.p95, found.max) == (100, 50.0, 95.0, 100.0)
    assert spread([2.0]).p95 == 2.0
    with pytest.raises(ValueError, match="nothing"):
        spread([])


@given(st.lists(st.floats(0, 1000), min_size=1))
def test_percentiles_never_fall(values: list[float]) -> None:
    found = spread(values)
    assert found.p50 <= found.p95 <= found.max


def test_what_has_no_time_is_in_no_spread() -> None:
    assert list(spreads([("router", None), ("auth", 1.0)])) == ["auth"]


def test_a_freeze_is_told_apart_from_a_kill() -> None:
    assert label(Blow(verb="kill", name="router", at=0)) == "router"
    assert label(Blow(verb="freeze", name="router", at=0)) == "router (freeze)"


def test_what_is_felt_is_the_slowest_wait_for_what_was_typed_next() -> None:
    sent = [
        Sent("a-1", "ann", "bob", "before", 1.0, seq=1),
        Sent("a-2", "ann", "bob", "next", 3.0, seq=3),
        Sent("a-3", "ann", "bob", "later", 4.0, seq=4),
        Sent("b-1", "bob", "ann", "next", 2.5, seq=2),
        Sent("c-1", "cyd", "dan", "never shown", 2.1),
    ]
    shown_at = {"a-1": 9.0, "a-2": 3.5, "a-3": 9.0, "b-1": 4.5}
    blows = [Blow(verb="kill", name="router", at=2.0), Blow(verb="kill", name="auth", at=8.0)]
    assert [blow.felt for blow in felt(blows, sent, shown_at)] == [2.0, None]


def test_the_json_has_every_number_and_the_seed() -> None:
    told = json.loads(to_json(report(lost=2, broken=["2 messages ..."])))
    assert (told["seed"], told["lost"], told["kills"], told["ready"]["router"]["p95"]) == (7, 2, {"router": 2}, 0.3)
    assert told["command"] == "parley demo crash --seed 7"


def test_the_text_has_the_three_counters_and_the_verdict() -> None:
    text = to_text(report())
    assert "0 lost, 0 doubled, 0 out of order; 3 reconnects" in text
    assert "killed: router 2x" in text
    assert text.endswith("The promise was kept.")


def test_the_text_of_a_broken_promise_says_what_was_broken() -> None:
    text = to_text(report(lost=1, broken=["1 messages had a tick"], interrupted=True))
    assert "(interrupted)" in text
    assert "BROKEN:\n    1 messages had a tick" in text
    assert "kept" not in text


def test_versions_name_what_ran() -> None:
    assert versions("3.10.8")["rabbitmq"] == "3.10.8"
    assert versions()["websockets"]
