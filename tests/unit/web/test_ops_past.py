"""What is kept of the last quarter of an hour, and what is not."""

from protocols.ops import ActorRow, Sample
from web.ops.past import ACTORS_MOST, SPAN, STEP, Past


def row(name: str = "router", state: str = "running", depth: int | None = 0, restarts: int | None = 0) -> ActorRow:
    return ActorRow(name=name, state=state, depth=depth, restarts=restarts)


def test_samples_are_told_by_their_age() -> None:
    past = Past()
    past.note(100.0, [row(depth=3)])
    past.note(105.0, [row(state="backoff", restarts=1)])
    told = past.told(107.0)
    assert told.actors == {"router": [Sample(7.0, "running", 3, 0), Sample(2.0, "backoff", 0, 1)]}
    assert (told.span, told.step) == (SPAN, STEP)


def test_a_sample_is_due_once_a_step() -> None:
    past = Past()
    assert past.due(0.0)
    past.note(0.0, [])
    assert not past.due(STEP / 2)
    assert past.due(STEP - 0.1)


def test_what_is_old_or_too_much_is_forgotten() -> None:
    past = Past()
    for second in range(0, int(4 * SPAN), int(STEP)):
        past.note(second, [row()])
    (samples,) = past.told(4 * SPAN).actors.values()
    assert len(samples) <= SPAN / STEP
    assert max(sample.age for sample in samples) <= SPAN
    past.note(10 * SPAN, [row("auth")])
    assert list(past.told(10 * SPAN).actors) == ["auth"]
    past.note(10 * SPAN + STEP, [row(f"front.{number}") for number in range(2 * ACTORS_MOST)])
    assert len(past.told(10 * SPAN + STEP).actors) == ACTORS_MOST
