"""What happens between Enter and the tick, on the page of whoever writes."""

import re
import statistics

import pytest
from playwright.sync_api import expect

from tests.support.real_page import Person, Wire
from tests.support.waiting import SCALE, eventually_sync

pytestmark = pytest.mark.e2e

Pair = tuple[Person, Person, str]

ENTER = """async text => {
    const area = document.querySelector(".composer textarea");
    area.value = text;
    area.dispatchEvent(new InputEvent("input", {bubbles: true}));
    const last = () => [...document.querySelectorAll(".msg.own")].at(-1);
    const began = performance.now();
    area.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", bubbles: true, cancelable: true}));
    while (!last()?.textContent.includes(text)) await Promise.resolve();
    window.bubble = last();
    return {took: performance.now() - began, state: window.bubble.dataset.state};
}"""


# How many messages wait on disk.
KEPT = """() => new Promise((resolve, reject) => {
    const opening = indexedDB.open("parley", 1);
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
        const counting = opening.result.transaction("outbox").objectStore("outbox").count();
        counting.onsuccess = () => { opening.result.close(); resolve(counting.result); };
        counting.onerror = () => reject(counting.error);
    };
})"""


def test_a_bubble_is_there_at_once_and_its_node_is_kept(pair: Pair) -> None:
    ada, _, conversation = pair
    ada.open(conversation)
    ada.connected()
    ada.write("warming up")
    expect(ada.page.locator(".msg.own[data-state=stored], .msg.own[data-state=delivered]")).to_have_count(1)
    shown = [ada.page.evaluate(ENTER, f"straight away {number}") for number in range(5)]
    # Any one of them may meet a processor that is busy with others.
    assert statistics.median(one["took"] for one in shown) <= 50 * SCALE
    assert {one["state"] for one in shown} <= {"queued", "sent"}
    expect(ada.page.locator(".msg.own").last).to_have_attribute("data-seq", "6")
    assert ada.page.evaluate("window.bubble.isConnected && window.bubble.dataset.seq") == "6"


def test_enter_sends_but_not_while_composing_nor_nothing(pair: Pair) -> None:
    ada, _, conversation = pair
    ada.open(conversation)
    area = ada.page.locator(".composer textarea")
    area.fill("   ")
    area.press("Enter")
    area.fill("kana")
    composing = "{key: 'Enter', isComposing: true, bubbles: true, cancelable: true}"
    area.evaluate(f"area => area.dispatchEvent(new KeyboardEvent('keydown', {composing}))")
    area.press("Shift+Enter")
    expect(area).to_have_value("kana\n")
    area.press_sequentially("more")
    assert ada.texts() == []
    area.press("Enter")
    expect(ada.page.locator(".msg .body")).to_have_text(["kana\nmore"], use_inner_text=True)


def test_ctrl_enter_sends_where_that_is_chosen(pair: Pair) -> None:
    ada, _, conversation = pair
    ada.visit("/settings")
    ada.page.click("[role=radio][data-value=ctrl]")
    ada.open(conversation)
    area = ada.page.locator(".composer textarea")
    area.fill("a line")
    area.press("Enter")
    expect(area).to_have_value("a line\n")
    area.press("Control+Enter")
    ada.sees("a line")


def test_what_is_not_answered_survives_a_reload_in_order(pair: Pair) -> None:
    ada, noor, conversation = pair
    wire = Wire(ada.page)
    noor.open(conversation)
    ada.open(conversation)
    ada.connected()
    wire.lost.add("send")
    for text in ("one", "two", "three"):
        ada.write(text)
    expect(ada.page.locator(".msg.own .ticks[data-fate=sent]")).to_have_count(3)
    # Shown at once; how long the disk takes is its own affair.
    eventually_sync(lambda: ada.page.evaluate(KEPT) == 3)
    ada.page.reload()
    ada.connected()
    expect(ada.page.locator(".msg .body")).to_have_text(["one", "two", "three"])
    assert set(ada.states()) <= {"queued", "sent"}
    wire.lost.clear()
    wire.close(1012)
    noor.sees("three", within=15)
    expect(ada.page.locator(".msg.own:not([data-state=queued], [data-state=sent])")).to_have_count(3)
    assert noor.texts() == ada.texts() == ["one", "two", "three"]


def test_a_bubble_says_what_it_waits_for_after_ten_seconds(pair: Pair) -> None:
    ada, _, conversation = pair
    wire = Wire(ada.page)
    ada.open(conversation)
    ada.connected()
    wire.cut = True
    ada.write("is anybody there")
    expect(ada.page.locator(".late-note")).to_have_text("Waiting for connection", timeout=15_000 * SCALE)


def test_a_refused_message_says_why_and_offers_what_to_do(pair: Pair) -> None:
    ada, noor, conversation = pair
    wire = Wire(ada.page)
    ada.post(conversation, "good morning")
    ada.open(conversation)
    ada.connected()
    wire.cut = True
    ada.write("we were friends once")
    noor.api("DELETE", f"/contacts/{ada.id}")
    wire.cut = False
    wire.close(1013)
    failed = ada.page.locator(".msg[data-state=failed]")
    expect(failed.locator(".failure")).to_contain_text("not in contact", timeout=15_000 * SCALE)
    ada.page.reload()
    expect(failed.locator(".failure")).to_contain_text("not in contact")
    first = failed.get_attribute("data-client-id")
    failed.locator("text=Retry").click()
    expect(ada.page.locator(f".msg[data-client-id='{first}']")).to_have_count(0)
    expect(failed).to_have_count(1)
    expect(failed).to_be_focused()
    failed.locator("text=Delete").click()
    expect(ada.page.locator(".msg .body")).to_have_text(["good morning"])
    expect(ada.page.locator(".msg")).to_be_focused()


def test_editing_reacting_answering_and_deleting_show_on_both_sides(pair: Pair) -> None:
    ada, noor, conversation = pair
    ada.open(conversation)
    noor.open(conversation)
    ada.write("see you at nine")
    ada.write("oops")
    noor.sees("oops")
    expect(ada.page.locator(".msg.own[data-seq]")).to_have_count(2)

    ada.page.press(".composer textarea", "ArrowUp")
    expect(ada.page.locator(".composer textarea")).to_have_value("oops")
    ada.page.press(".composer textarea", "Escape")
    menu_of(ada, "oops")
    ada.page.click(".menu >> text=Delete")
    ada.page.click("dialog .primary")
    expect(noor.page.locator(".msg.deleted .body")).to_have_text("Message deleted")

    ada.page.press(".composer textarea", "ArrowUp")
    ada.write("see you at ten")
    expect(noor.page.locator(".msg .body").first).to_have_text("see you at ten")
    expect(noor.page.locator(".edited")).to_have_count(1)

    menu_of(noor, "see you at ten")
    noor.page.click(".menu-emoji button >> nth=1")
    expect(ada.page.locator(".chip")).to_have_count(1)
    menu_of(noor, "see you at ten")
    noor.page.click(".menu >> text=Reply")
    noor.write("gladly")
    expect(ada.page.locator(".msg", has_text="gladly").locator(".quote")).to_contain_text("see you at ten")
    ada.note(".msg.flash .bubble > .body")
    ada.page.click(".quote")
    eventually_sync(lambda: ada.noted(".msg.flash .bubble > .body") == ["see you at ten"])
    ada.page.click(".chip")
    expect(noor.page.locator(".chip")).to_contain_text("2")


def test_what_was_deleted_a_moment_ago_is_not_edited_and_what_is_edited_waits(pair: Pair) -> None:
    ada, _, conversation = pair
    wire = Wire(ada.page)
    ada.post(conversation, "see you at nine", "oops")
    ada.open(conversation)
    ada.connected()
    wire.lost.add("delete")
    menu_of(ada, "oops")
    ada.page.click(".menu >> text=Delete")
    ada.page.click("dialog .primary")
    expect(ada.page.locator(".msg.deleted")).to_have_count(1)
    ada.page.press(".composer textarea", "ArrowUp")
    expect(ada.page.locator(".composer textarea")).to_have_value("see you at nine")
    ada.page.click(".rail-link[href='/settings']")
    ada.page.click(".account-actions .danger")
    expect(ada.page.locator("dialog[open]")).to_be_visible()
    ada.page.go_back()
    expect(ada.page.locator("dialog")).to_have_count(0)
    expect(ada.page.locator(".composer textarea")).to_have_value("see you at nine")


def test_two_tabs_of_one_person_agree(pair: Pair) -> None:
    ada, _, conversation = pair
    ada.open(conversation)
    second = ada.context.new_page()
    second.goto(ada.page.url)
    second.wait_for_selector(".timeline[aria-busy=false]")
    ada.write("from the first")
    expect(second.locator(".msg.own .body")).to_have_text(["from the first"])
    second.fill(".composer textarea", "from the second")
    second.press(".composer textarea", "Enter")
    expect(ada.page.locator(".msg.own .body")).to_have_text(["from the first", "from the second"])


def test_markup_is_shown_and_not_obeyed(pair: Pair) -> None:
    ada, noor, conversation = pair
    noor.open(conversation)
    nasty = '<img src=x onerror="document.title=1"><script>document.title=2</script> javascript:alert(1)'
    ada.post(conversation, nasty, "look at https://example.org/a_(b), will you?")
    noor.sees("look at")
    assert noor.texts()[0] == nasty
    link = noor.page.locator(".msg a")
    expect(link).to_have_attribute("href", "https://example.org/a_(b)")
    expect(link).to_have_attribute("rel", re.compile("noopener.*nofollow"))


def menu_of(one: Person, text: str) -> None:
    message = one.page.locator(".msg", has_text=text).first
    message.hover()
    message.locator(".more").click()
