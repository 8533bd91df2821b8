"""Being told: what counts as unread, the notice centre, the desktop, and what remains while notifier is away."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.page.conftest import Engine, Meet
from tests.support.real_page import CHROMIUM, House, Person, Wire
from tests.support.waiting import SCALE, eventually_sync

pytestmark = pytest.mark.e2e

Pair = tuple[Person, Person, str]

LATE_MS = 20_000 * SCALE

# Of the desktop of this browser: what stands there, by tag.
SHOWN = """async () => {
    const worker = await navigator.serviceWorker.getRegistration("/");
    const all = await worker?.getNotifications() ?? [];
    return Object.fromEntries(all.map(one => [one.tag, {title: one.title, body: one.body}]));
}"""

# Writes down each notification that a page puts there, whatever becomes of it.
TALLY = """(() => {
    window.rung = [];
    if (!window.ServiceWorkerRegistration) return;
    const show = ServiceWorkerRegistration.prototype.showNotification;
    ServiceWorkerRegistration.prototype.showNotification = function (title, options) {
        window.rung.push(options.tag);
        return show.call(this, title, options);
    };
})()"""

CLICK = """async tag => {
    const [one] = await self.registration.getNotifications({tag});
    self.dispatchEvent(new NotificationEvent("notificationclick", {notification: one}));
}"""

BADGES = """() => {
    window.badges = 0;
    const look = () => { window.badges += document.querySelectorAll(".row .badge").length; };
    new MutationObserver(look).observe(document.getElementById("side"), {childList: true, subtree: true});
}"""


@pytest.fixture(scope="module")
def chromium(engine: Engine) -> Iterator[Browser]:
    """The whole of it, which has a desktop."""
    with engine.at_work():
        yield engine.browser(CHROMIUM)


def shown(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate(SHOWN)
    return found


def reason(page: Page) -> str:
    """The code of what was decided last."""
    ask = "fetch('/api/v1/notices/decisions?limit=1').then(a => a.json()).then(a => a.decisions[0]?.code ?? '')"
    return str(page.evaluate(ask))


def wants_desktop(one: Person) -> None:
    """Allowed by the browser, and wished for."""
    one.context.grant_permissions(["notifications"], origin=one.house.origin)
    one.context.add_init_script(TALLY)
    one.api("PATCH", "/me/preferences", {"desktop": True})


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
    noor.page.click("text=Mark all read")
    expect(noor.page.locator(".notices")).to_contain_text("Nothing new")
    noor.page.reload()
    noor.connected()
    expect(noor.page.locator(".bell .badge")).to_have_count(0)


def test_one_tab_of_many_tells_the_desktop_once_and_a_click_leads_to_the_message(pair: Pair) -> None:
    ada, noor, conversation = pair
    tag = f"chat-{conversation}"
    wants_desktop(noor)
    tabs = [noor.page, noor.context.new_page(), noor.context.new_page()]
    for tab in tabs:
        tab.goto(f"{noor.house.origin}/settings")
        tab.wait_for_selector("html[data-link=up]", state="attached")
    ada.post(conversation, "are you there?")
    eventually_sync(lambda: shown(noor.page).get(tag), within=10)
    assert shown(noor.page)[tag] == {"title": ada.name, "body": "are you there?"}
    noor.api("PATCH", "/me/preferences", {"previews": False})
    ada.post(conversation, "it is about the boat")
    eventually_sync(lambda: shown(noor.page)[tag]["body"] == "2 messages while you were away", within=10)
    assert len(shown(noor.page)) == 1
    assert sorted(len(tab.evaluate("window.rung")) for tab in tabs) == [0, 0, 2]
    noor.context.service_workers[0].evaluate(CLICK, tag)
    [opened] = eventually_sync(
        lambda: [tab for tab in tabs if tab.evaluate("location.pathname").endswith(conversation)]
    )
    expect(opened.locator(".divider + .msg")).to_contain_text("are you there?")
    # It is read there, and nothing of it stays on the desktop.
    eventually_sync(lambda: shown(noor.page) == {}, within=10)
    # Now it is in view: nobody tells of what comes next.
    ada.post(conversation, "and now?")
    expect(opened.locator(".msg", has_text="and now?")).to_have_count(1)
    eventually_sync(lambda: reason(opened) == "in_view", within=10)
    assert shown(opened) == {}
    # When the tab that tells is gone, another one does it.
    leader = next(tab for tab in tabs if tab.evaluate("window.rung.length"))
    rest = [tab for tab in tabs if tab is not leader]
    leader.close()
    for tab in rest:
        tab.goto(f"{noor.house.origin}/settings")
        tab.wait_for_selector("html[data-link=up]", state="attached")
    ada.post(conversation, "still there?")
    eventually_sync(lambda: tag in shown(rest[0]), within=10)
    assert sorted(len(tab.evaluate("window.rung")) for tab in rest) == [0, 1]


def test_what_came_while_no_page_was_open_is_announced_once(pair: Pair) -> None:
    ada, noor, conversation = pair
    tag = f"chat-{conversation}"
    wants_desktop(noor)
    noor.page.goto(f"{noor.house.origin}/settings")
    noor.connected()
    noor.page.goto("about:blank")
    ada.post(conversation, "one", "two")
    noor.page.goto(f"{noor.house.origin}/settings")
    eventually_sync(lambda: shown(noor.page).get(tag) == {"title": ada.name, "body": "two"}, within=10)
    assert noor.page.evaluate("window.rung") == [tag]
    noor.page.reload()
    noor.connected()
    ada.post(conversation, "three")
    eventually_sync(lambda: shown(noor.page)[tag]["body"] == "three", within=10)
    assert noor.page.evaluate("window.rung") == [tag]
    # Read without a look at it: nothing of it stays on the desktop.
    noor.page.locator(".row-more").evaluate("button => button.click()")
    noor.page.click("[role=menuitem] >> text=Mark as read")
    eventually_sync(lambda: shown(noor.page) == {}, within=10)


def test_who_is_muted_is_counted_in_grey_and_not_announced(pair: Pair) -> None:
    ada, noor, conversation = pair
    wants_desktop(noor)
    noor.page.goto(f"{noor.house.origin}/settings")
    noor.connected()
    noor.page.locator(".row-more").evaluate("button => button.click()")
    noor.page.click("text=Mute for 8 hours")
    expect(noor.page.locator(".row .mute-mark")).to_have_count(1)
    ada.post(conversation, "psst")
    expect(noor.page.locator(".row.muted .badge")).to_have_text("1")
    eventually_sync(lambda: reason(noor.page) == "muted", within=10)
    assert shown(noor.page) == {}
    noor.page.reload()
    noor.page.locator(".row").click(button="right")
    noor.page.click("text=Unmute")
    expect(noor.page.locator(".row .mute-mark")).to_have_count(0)


def test_settings_are_kept_and_the_self_test_says_what_happened(pair: Pair) -> None:
    noor = pair[1]
    noor.context.grant_permissions(["notifications"], origin=noor.house.origin)
    noor.page.goto(f"{noor.house.origin}/settings")
    switch = noor.page.get_by_role("switch", name="Notifications on the desktop")
    expect(switch).to_have_attribute("aria-checked", "false")
    noor.page.click("text=Send a test")
    line = noor.page.locator("[data-way=desktop]")
    expect(line).to_contain_text("Switched off above")
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "true")
    noor.page.get_by_role("switch", name="When I was last here").click()
    noor.page.click("text=Send a test")
    expect(line).to_contain_text("It was shown")
    expect(noor.page.locator("[data-way=page]")).to_contain_text("arrived by itself")
    expect(noor.page.locator("[data-way=sound]")).to_have_attribute("data-good", "true")
    expect(noor.page.locator(".why[data-code=announced]")).to_have_count(1)
    noor.page.get_by_label("From").fill("22:00")
    noor.page.locator(".quiet >> text=Save").click()
    expect(noor.page.locator(".quiet .wrong")).to_contain_text("a beginning and an end")
    noor.page.get_by_label("Until").fill("07:30")
    noor.page.locator(".quiet >> text=Save").click()
    expect(noor.page.locator(".quiet [role=status]")).to_have_text("Saved")
    noor.page.reload()
    expect(switch).to_have_attribute("aria-checked", "true")
    expect(noor.page.get_by_role("switch", name="When I was last here")).to_have_attribute("aria-checked", "false")
    expect(noor.page.get_by_label("Until")).to_have_value("07:30")
    # The times that were refused: what the browser says of it is no complaint about the page.
    noor.complaints[:] = [text for text in noor.complaints if "400" not in text]


def test_while_notifier_is_away_text_goes_on_and_notices_come_later_in_one(pair: Pair, house: House) -> None:
    ada, noor, conversation = pair
    tag = f"chat-{conversation}"
    wants_desktop(noor)
    noor.page.goto(f"{noor.house.origin}/chat")
    ada.open(conversation)
    noor.connected()
    expect(ada.page.locator(".chat-head .status")).to_have_text("online")
    house.parley("stop", "notifier")
    try:
        expect(noor.page.locator("[data-strip=notifier]")).to_contain_text("Notifications are late", timeout=LATE_MS)
        expect(ada.page.locator(".chat-head .status")).to_have_text("")
        for text in ("one", "two", "three"):
            ada.write(text)
        expect(noor.page.locator(".row .badge")).to_have_text("3")
        expect(ada.page.locator(".msg.own[data-state=delivered]")).to_have_count(3)
        assert shown(noor.page) == {}
    finally:
        house.parley("start", "notifier")
    eventually_sync(lambda: tag in shown(noor.page), within=30)
    assert noor.page.evaluate("window.rung") == [tag]
    expect(noor.page.locator("[data-strip=notifier]")).to_have_count(0, timeout=LATE_MS)
    expect(ada.page.locator(".chat-head .status")).to_have_text("online", timeout=LATE_MS)
    # Killed: nobody notices, and what was announced is not announced again.
    os.kill(house.pid("notifier"), signal.SIGKILL)
    ada.write("four")
    eventually_sync(lambda: noor.page.evaluate("window.rung") == [tag, tag], within=30)
    expect(noor.page.locator("[data-strip=notifier]")).to_have_count(0)
