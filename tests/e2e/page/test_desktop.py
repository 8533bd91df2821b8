"""Being told on the desktop, once, whichever tabs are open; and what remains while notifier is away."""

import functools
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.page.conftest import Engine
from tests.support.real_page import CHROMIUM, House, Person
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

# The browser takes its time to say what stands on the desktop, to whoever asks for a tag.
SLOW = """(() => {
    window.looks = {begun: 0, done: 0};
    if (!window.ServiceWorkerRegistration) return;
    const look = ServiceWorkerRegistration.prototype.getNotifications;
    ServiceWorkerRegistration.prototype.getNotifications = async function (filter) {
        const found = await look.call(this, filter);
        if (!filter?.tag) return found;
        window.looks.begun += 1;
        await new Promise(resolve => setTimeout(resolve, 1500));
        window.looks.done += 1;
        return found;
    };
})()"""

CLICK = """async tag => {
    const [one] = await self.registration.getNotifications({tag});
    self.dispatchEvent(new NotificationEvent("notificationclick", {notification: one}));
}"""


@pytest.fixture(scope="module")
def chromium(engine: Engine) -> Iterator[Browser]:
    """The whole of it, which has a desktop."""
    with engine.at_work():
        yield engine.browser(CHROMIUM)


def shown(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate(SHOWN)
    return found


def reason(page: Page, place: int) -> str:
    """The code of what was decided of the message at that place of the conversation; "" before."""
    last = page.evaluate("fetch('/api/v1/notices/decisions?limit=1').then(a => a.json()).then(a => a.decisions[0])")
    return str(last["code"]) if last and last["last"] == place else ""


def wants_desktop(one: Person) -> None:
    """Allowed by the browser, and wished for."""
    one.context.grant_permissions(["notifications"], origin=one.house.origin)
    one.context.add_init_script(TALLY)
    one.api("PATCH", "/me/preferences", {"desktop": True})


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
    eventually_sync(lambda: reason(opened, 3) == "in_view", within=10)
    assert shown(opened) == {}
    # When the tab that tells is gone, another one does it.
    leader = next(tab for tab in tabs if tab.evaluate("window.rung.length"))
    rest = [tab for tab in tabs if tab is not leader]
    leader.close()
    for tab in rest:
        tab.goto(f"{noor.house.origin}/settings")
        tab.wait_for_selector("html[data-link=up]", state="attached")
    for place in range(4, 10):
        ada.post(conversation, f"still there? {place}")
        # For a moment the look that a tab had before it went elsewhere may be believed.
        if eventually_sync(functools.partial(reason, rest[0], place), within=10) != "in_view":
            break
    eventually_sync(lambda: tag in shown(rest[0]), within=10)
    assert sorted(len(tab.evaluate("window.rung")) for tab in rest) == [0, 1]


def test_what_came_while_no_page_was_open_is_announced_once(pair: Pair) -> None:
    ada, noor, conversation = pair
    tag = f"chat-{conversation}"
    wants_desktop(noor)
    noor.page.goto(f"{noor.house.origin}/settings")
    noor.connected()
    # Its worker is there before there is something to show.
    eventually_sync(lambda: noor.page.evaluate("navigator.serviceWorker.getRegistration('/').then(Boolean)"), within=10)
    # Once it is written down where the log ends, what comes later counts as missed.
    eventually_sync(lambda: noor.page.evaluate("key => localStorage.getItem(key)", f"parley.bell.{noor.id}"))
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


def test_what_comes_while_the_one_before_is_taken_away_stays_on_the_desktop(pair: Pair) -> None:
    ada, noor, conversation = pair
    tag = f"chat-{conversation}"
    wants_desktop(noor)
    noor.context.add_init_script(SLOW)
    noor.page.goto(f"{noor.house.origin}/settings")
    noor.connected()
    ada.post(conversation, "one")
    eventually_sync(lambda: shown(noor.page).get(tag), within=10)
    noor.page.locator(".row-more").evaluate("button => button.click()")
    noor.page.click("[role=menuitem] >> text=Mark as read")
    eventually_sync(lambda: noor.page.evaluate("looks.begun") > 0, within=10)
    ada.post(conversation, "two")
    eventually_sync(lambda: noor.page.evaluate("rung.length") == 2, within=10)
    eventually_sync(lambda: noor.page.evaluate("looks.begun === looks.done"), within=10)
    eventually_sync(lambda: [one["body"] for one in shown(noor.page).values()] == ["two"], within=10)


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
    eventually_sync(lambda: reason(noor.page, 1) == "muted", within=10)
    assert shown(noor.page) == {}
    noor.page.reload()
    # Rows are drawn before it is known who is muted, and the menu offers what is known.
    expect(noor.page.locator(".row .mute-mark")).to_have_count(1)
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
    # What another device wishes meanwhile does not take away what is being filled in.
    noor.api("PATCH", "/me/preferences", {"previews": False})
    expect(noor.page.get_by_role("switch", name="Show what messages say")).to_have_attribute("aria-checked", "false")
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
    os.kill(eventually_sync(lambda: house.pid("notifier"), within=20), signal.SIGKILL)
    ada.write("four")
    eventually_sync(lambda: noor.page.evaluate("window.rung") == [tag, tag], within=30)
    expect(noor.page.locator("[data-strip=notifier]")).to_have_count(0)
