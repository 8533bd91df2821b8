"""The page at every width, in both themes: nothing sideways, nothing too small to hit, one pane where it is narrow."""

import pytest
from playwright.sync_api import Browser, expect

from tests.support.real_page import House, Person, faults

pytestmark = pytest.mark.e2e

Pair = tuple[Person, Person, str]

WIDTHS = (320, 360, 768, 1280)


def test_nothing_is_sideways_or_too_small_at_any_width(pair: Pair) -> None:
    ada, noor, conversation = pair
    ada.post(conversation, "w" * 300, "https://example.org/" + "long/" * 60, "short", "😀")
    noor.post(conversation, "x" * 200)
    message = noor.api("GET", f"/conversations/{conversation}/messages")["messages"][2]
    noor.open(conversation)
    noor.page.locator(".msg", has_text=message["body"]).locator(".more").evaluate("button => button.click()")
    noor.page.click(".menu-emoji button >> nth=0")
    expect(noor.page.locator(".chip")).to_have_count(1)
    for path in (f"/chat/{conversation}", "/chat", "/contacts", "/settings"):
        # Loaded where it is narrowest, and made wider then.
        ada.page.set_viewport_size({"width": WIDTHS[0], "height": 700})
        ada.visit(path)
        ada.page.wait_for_selector(".row time", state="attached")
        if path.count("/") > 1:
            ada.page.wait_for_selector(".timeline[aria-busy=false]")
        for width in WIDTHS:
            ada.page.set_viewport_size({"width": width, "height": 700})
            assert faults(ada.page) == {"sideways": [], "small": []}, f"{path} at {width}"


def test_forms_fit_at_any_width(chromium: Browser, house: House) -> None:
    page = chromium.new_page()
    for path in ("/login", "/register"):
        page.goto(f"{house.origin}{path}")
        page.wait_for_selector("form[data-guard] .reveal")
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 700})
            assert faults(page) == {"sideways": [], "small": []}, f"{path} at {width}"
    page.close()


def test_a_menu_of_a_message_fits_where_it_is_narrow(pair: Pair) -> None:
    ada, _, conversation = pair
    ada.post(conversation, "hello")
    ada.page.set_viewport_size({"width": 320, "height": 600})
    ada.open(conversation)
    ada.page.locator(".msg .more").evaluate("button => button.click()")
    box = ada.page.locator(".menu").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 320
    assert faults(ada.page)["small"] == []


def test_one_pane_where_it_is_narrow_and_the_way_back(pair: Pair) -> None:
    ada, _, conversation = pair
    ada.page.set_viewport_size({"width": 600, "height": 700})
    ada.page.goto(f"{ada.house.origin}/chat")
    ada.page.click(f".row[href='/chat/{conversation}']")
    expect(ada.page.locator(".side")).to_be_hidden()
    expect(ada.page.locator(".composer textarea")).to_be_visible()
    ada.page.click(".back")
    expect(ada.page).to_have_url(f"{ada.house.origin}/chat")
    expect(ada.page.locator(".side")).to_be_visible()
    expect(ada.page.locator(".main")).to_be_hidden()
    ada.page.set_viewport_size({"width": 700, "height": 700})
    expect(ada.page.locator(".side")).to_be_visible()
    expect(ada.page.locator(".main")).to_be_visible()


def test_a_chosen_theme_is_there_before_the_first_paint(pair: Pair) -> None:
    ada = pair[0]
    ada.page.emulate_media(color_scheme="light")
    ada.page.goto(f"{ada.house.origin}/settings")
    ada.page.click("[role=radio][data-value=dark]")
    ink = "getComputedStyle(document.documentElement).backgroundColor"
    dark = ada.page.evaluate(ink)
    # The style at the moment when the body begins, long before any module has run.
    ada.page.add_init_script(
        f"new MutationObserver((_, me) => {{ if (document.body) {{ me.disconnect(); window.first = {ink}; }} }})"
        ".observe(document, {childList: true, subtree: true})"
    )
    ada.page.reload()
    assert ada.page.evaluate("window.first") == dark
    ada.page.click("[role=radio][data-value='']")
    assert ada.page.evaluate(ink) != dark


def test_keys_lead_to_people_and_between_conversations(pair: Pair) -> None:
    ada, noor, conversation = pair
    ada.page.goto(f"{ada.house.origin}/chat")
    ada.page.wait_for_selector(".row")
    ada.page.keyboard.press("Control+k")
    ada.page.keyboard.type(noor.username[:4])
    ada.page.keyboard.press("Enter")
    expect(ada.page).to_have_url(f"{ada.house.origin}/chat/{conversation}")
    ada.page.goto(f"{ada.house.origin}/chat")
    ada.page.wait_for_selector(".row")
    ada.page.keyboard.press("Alt+ArrowDown")
    expect(ada.page).to_have_url(f"{ada.house.origin}/chat/{conversation}")


def test_the_log_is_one_for_those_who_listen(pair: Pair) -> None:
    ada, _, conversation = pair
    ada.open(conversation)
    log = ada.page.get_by_role("log")
    expect(log).to_have_attribute("aria-live", "polite")
    expect(log).to_have_attribute("aria-relevant", "additions")
