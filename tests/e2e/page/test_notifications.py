"""Being told on the page: what counts as unread, and the notice centre."""

import pytest
from playwright.sync_api import expect

from tests.e2e.page.conftest import Meet
from tests.support.real_page import Person, Wire
from tests.support.waiting import SCALE, eventually_sync

pytestmark = pytest.mark.e2e

Pair = tuple[Person, Person, str]

BADGES = """() => {
    window.badges = 0;
    const look = () => { window.badges += document.querySelectorAll(".row .badge").length; };
    new MutationObserver(look).observe(document.getElementById("side"), {childList: true, subtree: true});
}"""


def test_what_is_being_looked_at_never_counts_as_unread(pair: Pair) -> None:
    ada, noor, conversation = pair
    noor.open(conversation)
    noor.connected()
    noor.page.evaluate(BADGES)
    ada.post(conversation, "one", "two", "three")
    noor.sees("three")
    ada.open(conversation)
    expect(ada.page.locator(".msg.own[data-state=read]")).to_have_count(3)
    assert noor.page.evaluate("window.badges") == 0
    expect(noor.page).to_have_title(f"{ada.name} - Parley")
    noor.look_away()
    ada.post(conversation, "four")
    expect(noor.page.locator(".row .badge")).to_have_text("1")
    expect(noor.page).to_have_title(f"(1) {ada.name} - Parley")
    assert "favicon-unread" in str(noor.page.locator("link[rel=icon]").get_attribute("href"))
    expect(noor.page.locator(".divider")).to_have_text("1 new message")
    noor.look_back()
    expect(noor.page.locator(".row .badge")).to_have_count(0)
    expect(ada.page.locator(".msg.own[data-state=read]")).to_have_count(4)
    # The divider stays; what comes while nobody looks again begins anew.
    expect(noor.page.locator(".divider")).to_have_count(1)
    noor.look_away()
    ada.post(conversation, "five", "six")
    expect(noor.page.locator(".divider")).to_have_text("2 new messages")
    assert noor.page.locator(".divider + .msg").get_attribute("data-seq") == "5"


def test_a_mark_as_unread_is_on_all_devices_and_stands_until_the_next_visit(pair: Pair, meet: Meet) -> None:
    ada, noor, conversation = pair
    ada.post(conversation, "one", "two", "three")
    noor.post(conversation, "mine")
    other = meet(noor.name, again=True, at="")
    other.open(conversation)
    eventually_sync(lambda: other.api("GET", "/conversations")["conversations"][0]["unread"] == 0)
    noor.open(conversation)
    noor.connected()
    noor.page.locator(".msg[data-seq='2'] .more").evaluate("button => button.click()")
    noor.page.click("text=Mark as unread from here")
    expect(noor.page).to_have_url(f"{noor.house.origin}/chat")
    expect(noor.page.locator(".row .badge")).to_have_text("2")
    # The other device has it open and in view, and leaves it alone.
    expect(other.page.locator(".row .badge")).to_have_text("2")
    wire = Wire(other.page)
    other.page.goto(f"{other.house.origin}/settings")
    expect(other.page.locator(".row .badge")).to_have_text("2")
    assert not wire.frames("read")
    noor.page.click(f".row[href='/chat/{conversation}']")
    expect(noor.page.locator(".divider")).to_have_text("2 new messages")
    expect(noor.page.locator(".row .badge")).to_have_count(0)
    expect(other.page.locator(".row .badge")).to_have_count(0)
    # By the row's menu: from the other's last message on, which is not the last one.
    other.page.locator(".row-more").evaluate("button => button.click()")
    other.page.click("[role=menuitem] >> text=Mark as unread")
    expect(other.page.locator(".row .badge")).to_have_text("1")


def test_the_notice_centre_is_the_same_on_all_devices(meet: Meet) -> None:
    ada, noor = meet("Ada"), meet("Noor")
    ada.page.click(".bell")
    expect(ada.page.locator(".notices")).to_contain_text("Nothing new")
    ada.page.keyboard.press("Escape")
    expect(ada.page.locator(".bell")).to_be_focused()
    ada.page.click(".bell")
    expect(ada.page.locator(".notices")).to_be_visible()
    ada.page.click(".bell")
    expect(ada.page.locator(".notices")).to_be_hidden()
    other = meet(ada.name, again=True)
    expect(ada.page.locator(".bell .badge")).to_have_text("1")
    pending = noor.api("POST", "/contacts/requests", {"user_id": ada.id})["request"]
    expect(other.page.locator(".bell")).to_have_attribute("aria-label", "Notices, 2 unread")
    for one in (ada, other):
        one.page.click(".bell")
        expect(one.page.locator(".notice-item.fresh")).to_have_count(2)
    sign_in = other.page.locator(".notice-item[data-kind=sign_in]")
    expect(sign_in).to_contain_text("Sign-in from a new device")
    other.page.click("[data-kind=sign_in] >> [aria-label='Mark as read']")
    expect(sign_in).to_have_count(0)
    expect(ada.page.locator(".notice-item")).to_have_count(1, timeout=1_000 * SCALE)
    ada.page.click(".notices [data-value=all]")
    expect(ada.page.locator(".notice-item")).to_have_count(2)
    ada.page.click(f".notice-open:has-text('{noor.name}')")
    expect(ada.page).to_have_url(f"{ada.house.origin}/contacts")
    expect(other.page.locator(".bell .badge")).to_have_count(0)
    ada.api("POST", f"/contacts/requests/{pending['id']}/accept")
    expect(noor.page.locator(".bell .badge")).to_have_text("1")
    noor.page.click(".bell")
    # Shown before it is told, and a page that is left tells nothing any more.
    with noor.page.expect_response("**/notices/read"):
        noor.page.click("text=Mark all read")
    expect(noor.page.locator(".notices")).to_contain_text("Nothing new")
    with noor.page.expect_response("**/notices?limit=*"):
        noor.page.reload()
    noor.page.click(".bell")
    expect(noor.page.locator(".notices")).to_contain_text("Nothing new")
    expect(noor.page.locator(".bell .badge")).to_have_count(0)
