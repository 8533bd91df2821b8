"""What a run has shown is read from its log: what was done, how soon messages went on, what was broken."""

from msgspec import structs

from tests.chaos.record import Begun, Device, Did, Record, Settled, Showed, Told, Typed
from tests.chaos.report import Outcome, figures, outcome
from tests.chaos.schedule import Size, Step
from tests.soak.figures import Report, to_json, to_text

STEPS = (Step(1.0, "kill", "router"), Step(1.0, "freeze", "auth", 2.0), Step(1.0, "fault", "disk"))
END = Settled(
    at=60.0, calm=True, queues={}, damaged=(), zombies=(), orphans=(), troubles=(), memory={"router": 9 << 20}
)


def shown(client_id: str, at: float, on: str, sender: str) -> Showed:
    return Showed(at, on, "c", 1, 1, "m", client_id, sender, "x", "t")


def records() -> list[Record]:
    return [
        Begun(seed=1, size=Size(), pairs=1, rate=1.0, messages=1, began="2026-01-01T00:00:00Z", steps=STEPS),
        Device("ann.1", "ann", "bob"),
        Device("bob.1", "bob", "ann"),
        Typed(9.9, "ann.1", "before", "x"),
        Did(10.0, 0, "SIGKILL to router"),
        Typed(10.1, "ann.1", "first", "x"),
        Typed(10.2, "bob.1", "other", "x"),
        Typed(10.3, "ann.1", "second", "x"),
        shown("before", 10.05, "bob.1", "ann"),
        # Its own sender's screen does not count.
        shown("first", 10.2, "ann.1", "ann"),
        shown("other", 10.8, "ann.1", "bob"),
        shown("first", 11.0, "bob.1", "ann"),
        shown("second", 13.0, "bob.1", "ann"),
        Did(20.0, 1, "SIGSTOP to auth"),
        Did(22.0, 1, "SIGCONT to auth", over=True),
        Did(25.0, 2, "disk left out: not root", omitted=True),
        Told(30.0, "crowd", {"reconnects": 3}),
        END,
    ]


def rounded(outcome: Outcome) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    after = {name: [round(one, 3) for one in each] for name, each in outcome.after.items()}
    waited = {name: [round(one, 3) for one in each] for name, each in outcome.waited.items()}
    return after, waited


def test_a_recovery_is_timed_to_the_next_message_typed_and_shown() -> None:
    found = outcome(records())
    assert rounded(found) == ({"router": [0.8]}, {"router": [0.9]})
    assert found.done == {"kill router": 1, "freeze auth": 1}
    assert found.omitted == ["disk left out: not root"]
    assert (found.seconds, found.reconnects, found.seed) == (60.0, 3, 1)


def test_a_recovery_is_a_promise_only_where_nothing_else_went_wrong() -> None:
    found = outcome(records())
    assert all(figure.kept for figure in figures([found], alone=True)[-2:])
    slow = structs.replace(found, after={"router": [0.8, 1.2]})
    assert not figures([slow], alone=True)[-2].kept
    assert figures([slow], alone=False)[-2].kept
    assert not figures([structs.replace(found, after={})], alone=True)[-2].kept


def test_a_report_says_what_was_done_and_what_was_broken() -> None:
    found = outcome([one for one in records() if one != END] + [structs.replace(END, orphans=["12"])])
    report = Report(
        command="make chaos", seed=1, began=found.began, seconds=found.seconds, versions={}, cores=2, burden={},
        figures=figures([found, found], alone=False),
    )  # fmt: skip
    assert not report.passed
    text = to_text(report)
    assert "2 kills (router 2)" in text
    assert "2 freezes, 0 times a bad network" in text
    assert "BROKEN  orphans: 2: 12, 12" in text
    assert "LEFT OUT disk left out: not root" in text
    assert b'"kept": false' in to_json(report)
