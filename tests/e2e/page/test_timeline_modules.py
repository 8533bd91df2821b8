"""Where a reader is led, and left, on a stage: nothing moves on its own, and what was asked for is found."""

import pytest
from playwright.sync_api import Browser, expect

from tests.support.stage import Stage, message
from tests.support.waiting import eventually_sync

pytestmark = pytest.mark.e2e


def test_who_is_ahead_of_the_page_is_led_to_the_message_when_it_comes(chromium: Browser) -> None:
    stage = Stage(chromium)
    stage.play([message(seq, "p", f"line {seq}") for seq in range(1, 41)])
    page = stage.page
    page.evaluate("document.getElementById('view').style.height = '400px'")
    timeline = page.locator(".timeline")
    # It follows to the new end of what can be seen, and only then leaves it.
    eventually_sync(lambda: timeline.evaluate("node => node.scrollTop") > 0)
    timeline.evaluate("node => { node.scrollTop = 0; }")
    expect(page.locator(".jump")).to_be_visible()
    come = "rows => { for (const row of rows) store.message(row); }"
    # Of one that was said before it nothing is known yet.
    page.evaluate("chat.show(42)")
    page.evaluate(come, [message(43, "p", "line 43")])
    expect(page.locator(".msg")).to_have_count(41)
    assert timeline.evaluate("node => node.scrollTop") == 0
    page.evaluate(come, [message(42, "p", "line 42"), message(41, "p", "line 41")])
    expect(page.locator(".msg[data-seq='42']")).to_be_in_viewport()
    # Who writes has let go of it.
    page.evaluate("chat.show(45)")
    page.fill(".composer textarea", "here I am")
    page.press(".composer textarea", "Enter")
    timeline.evaluate("node => { node.scrollTop = 0; }")
    expect(page.locator(".jump")).to_be_visible()
    page.evaluate(come, [message(44, "p", "line 44"), message(45, "p", "line 45")])
    expect(page.locator(".msg")).to_have_count(45)
    assert timeline.evaluate("node => node.scrollTop") == 0
    assert stage.complaints == []
    page.close()


def test_who_steps_up_is_not_drawn_down_before_the_event_has_come(chromium: Browser) -> None:
    stage = Stage(chromium)
    stage.play([message(seq, "p", f"line {seq}") for seq in range(1, 41)])
    stage.page.evaluate("document.getElementById('view').style.height = '400px'")
    eventually_sync(lambda: stage.page.evaluate("chat.timeline.scroller.scrollTop") > 0)
    places = stage.page.evaluate(
        """() => {
            const {timeline} = chat, {scroller} = timeline;
            const places = [];
            const drawn = act => { act(); timeline.render(); places.push(timeline.atBottom); };
            drawn(() => { scroller.scrollTop = 0; });
            timeline.toBottom();
            // What has grown by itself is followed.
            drawn(() => { timeline.inner.style.paddingBottom = "300px"; });
            drawn(() => { timeline.inner.style.paddingBottom = ""; });
            return places;
        }"""
    )
    assert places == [False, True, True]
    assert stage.complaints == []
    stage.page.close()
