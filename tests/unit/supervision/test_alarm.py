"""The window that all children share: when it rings, when it stops, and that it changes nothing else."""

import asyncio
import logging

from hypothesis import given
from hypothesis import strategies as st

from supervision.alarm import Alarm, Intensity
from tests.support.virtual_time import run_virtually

NAMES = st.sampled_from(["auth", "router", "front.1"])


def test_many_children_that_each_crash_seldom_are_too_much_together() -> None:
    one = Intensity(burst=3, window=60.0)
    for at, name in enumerate(["auth", "contacts", "router"]):
        one = one.after(name, float(at))
    assert one.sentence(3.0) is None
    one = one.after("router", 3.0)
    assert one.sentence(3.0) == "more than 3 restarts in 60 s (router, contacts, auth)"
    assert one.until(3.0) == 60.0
    assert one.sentence(60.0) is None


@given(
    burst=st.integers(1, 6), window=st.floats(1, 100), steps=st.lists(st.tuples(st.floats(0, 50), NAMES), max_size=50)
)
def test_it_says_what_counting_says_and_stays_small(burst: int, window: float, steps: list[tuple[float, str]]) -> None:
    one, now = Intensity(burst=burst, window=window), 1000.0
    history: list[float] = []
    for pause, name in steps:
        now += pause
        one = one.after(name, now)
        history.append(now)
        assert (one.until(now) is not None) == (sum(1 for at in history if at > now - window) > burst)
        assert len(one.restarts) <= burst + 1


def test_it_is_told_once_and_ends_by_itself() -> None:
    async def story() -> list[str | None]:
        told: list[str | None] = []
        over = asyncio.Event()

        def hear(text: str | None) -> None:
            told.append(text)
            if text is None:
                over.set()

        alarm = Alarm(2, 60.0, logging.getLogger("tests.quiet"), hear)
        for _ in range(6):
            alarm.restarted("router")
        assert alarm.text == told[0]
        await over.wait()
        assert alarm.text is None
        alarm.close()
        return told

    assert run_virtually(story()) == ["more than 2 restarts in 60 s (router)", None]
