"""Who is there, who writes, and what a page tells of its own person."""

import pytest
from playwright.sync_api import expect

from tests.support.real_page import Person, Wire
from tests.support.waiting import SCALE, eventually_sync

pytestmark = pytest.mark.e2e

Pair = tuple[Person, Person, str]

STATUS = ".chat-head .status"
LEAVES_MS = 20_000 * SCALE

# All within a moment, however slow the machine is: after three seconds one more signal would be due.
KEYS = """text => {
    document.querySelector(".composer textarea").focus();
    for (const key of text) document.execCommand("insertText", false, key);
}"""


def test_a_page_tells_what_it_shows_after_each_greeting_and_on_each_change(pair: Pair) -> None:
    ada, _, conversation = pair
    wire = Wire(ada.page)
    ada.page.goto(f"{ada.house.origin}/chat")
    ada.connected()
    eventually_sync(lambda: wire.frames("attention") == [{"type": "attention", "visible": True}])
    ada.page.click(f".row[href='/chat/{conversation}']")
    viewing = {"type": "attention", "visible": True, "conversation": conversation}
    eventually_sync(lambda: wire.frames("attention")[1:] == [viewing])
    ada.look_away()
    eventually_sync(lambda: wire.frames("attention")[2:] == [{"type": "attention", "visible": True}])
    ada.look_away(hidden=True)
    eventually_sync(lambda: wire.frames("attention")[3:] == [{"type": "attention", "visible": False}])
    wire.close(1012)
    eventually_sync(lambda: wire.frames("attention")[4:] == [{"type": "attention", "visible": False}])


def test_others_see_who_is_there_who_left_and_nothing_of_who_hides(pair: Pair) -> None:
    ada, noor, conversation = pair
    ada.open(conversation)
    noor.open(conversation)
    dot = ada.page.locator(f".row[href='/chat/{conversation}'] .dot")
    expect(ada.page.locator(STATUS)).to_have_text("online")
    expect(dot).to_have_attribute("data-presence", "online")
    noor.api("PATCH", "/me/preferences", {"presence": False})
    expect(ada.page.locator(STATUS)).to_have_text("")
    expect(dot).to_have_count(0)
    ada.page.reload()
    expect(ada.page.locator(STATUS)).to_have_text("")
    noor.api("PATCH", "/me/preferences", {"presence": True})
    expect(ada.page.locator(STATUS)).to_have_text("online")
    noor.look_away(hidden=True)
    expect(ada.page.locator(STATUS)).to_have_text("away", timeout=LEAVES_MS)
    expect(dot).to_have_attribute("data-presence", "away")
    # Nothing comes of what she began: that is shown for six seconds, and by then she is gone.
    noor.page.locator(".composer textarea").press_sequentially("wa")
    expect(ada.page.locator(STATUS)).to_have_text("typing…")
    noor.page.goto("about:blank")
    expect(ada.page.locator(STATUS)).to_contain_text("last seen today", timeout=LEAVES_MS)
    expect(dot).to_have_count(0)
    # What a page shows that was not there to hear of it.
    ada.page.reload()
    expect(ada.page.locator(STATUS)).to_contain_text("last seen today")


def test_nothing_is_shown_of_somebody_who_is_no_contact_any_more(pair: Pair) -> None:
    ada, noor, conversation = pair
    ada.open(conversation)
    noor.open(conversation)
    expect(ada.page.locator(STATUS)).to_have_text("online")
    noor.api("DELETE", f"/contacts/{ada.id}")
    expect(ada.page.locator(STATUS)).to_have_text("")
    expect(ada.page.locator(".row .dot")).to_have_count(0)


def test_typing_is_shown_in_head_and_list_until_the_message(pair: Pair) -> None:
    ada, noor, conversation = pair
    noor.post(conversation, "first words")
    wire = Wire(noor.page)
    ada.open(conversation)
    noor.open(conversation)
    noor.connected()
    ada.connected()
    noor.page.evaluate(KEYS, "hello there")
    expect(ada.page.locator(STATUS)).to_have_text("typing…")
    expect(ada.page.locator(".row-text")).to_have_text("typing…")
    noor.page.press(".composer textarea", "Enter")
    ada.sees("hello there")
    expect(ada.page.locator(STATUS)).to_have_text("online")
    expect(ada.page.locator(".row-text")).to_have_text("hello there")
    assert len(wire.frames("typing")) == 1
