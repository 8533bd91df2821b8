"""Where a reader stands in a conversation: the divider, the bottom, the way up, and what counts as read."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.real_page import Person, Wire
from tests.support.waiting import SCALE, eventually_sync

pytestmark = pytest.mark.e2e

Pair = tuple[Person, Person, str]

BELOW = "(s => s.scrollHeight - s.scrollTop - s.clientHeight)(document.querySelector('.timeline'))"

TO_THE_END = "() => document.querySelector('.jump:not([hidden])')?.click()"

CLIMB = """async looks => {
    const scroller = document.querySelector(".timeline");
    const settled = () => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
    const top = scroller.getBoundingClientRect().top;
    scroller.scrollTop = 300;
    const nodes = () => [...scroller.querySelectorAll(".msg")];
    const anchor = nodes().find(node => node.getBoundingClientRect().bottom > top + 1);
    const before = anchor.getBoundingClientRect().top;
    const first = nodes()[0].dataset.seq;
    const moves = [];
    for (let left = looks; left > 0 && nodes()[0].dataset.seq === first; left -= 1) {
        await settled();
        moves.push(Math.abs(anchor.getBoundingClientRect().top - before));
    }
    await settled();
    moves.push(Math.abs(anchor.getBoundingClientRect().top - before));
    return {moved: Math.max(...moves), first: Number(nodes()[0].dataset.seq), count: nodes().length};
}"""


def bottom(page: Page) -> float:
    return float(page.evaluate(BELOW))


def numbered(count: int, start: int = 1) -> list[str]:
    return [f"message {number}, and a few words more" for number in range(start, start + count)]


def test_unread_messages_begin_with_a_divider_in_the_upper_third(pair: Pair) -> None:
    ada, noor, conversation = pair
    ada.post(conversation, *numbered(5))
    ada.visit()
    noor.open(conversation)
    expect(ada.page.locator(f".row[href='/chat/{conversation}'] .ticks")).to_have_attribute("data-fate", "read")
    noor.page.click("#rail >> text=Settings")
    ada.post(conversation, *numbered(40, 6))
    expect(noor.page.locator(".row .badge")).to_have_text("40")
    expect(noor.page).to_have_title("(40) Settings - Parley")
    noor.page.click(".row >> nth=0")
    divider = noor.page.locator(".divider")
    expect(divider).to_have_text("40 new messages")
    place: dict[str, Any] = noor.page.evaluate(
        """() => {
            const box = document.querySelector(".timeline").getBoundingClientRect();
            const line = document.querySelector(".divider");
            const next = line.nextElementSibling.dataset.seq;
            return {share: (line.getBoundingClientRect().top - box.top) / box.height, next};
        }"""
    )
    assert place["next"] == "6"
    assert 0.15 < place["share"] < 0.45
    noor.page.click(".jump")
    expect(noor.page.locator(".row .badge")).to_have_count(0)
    expect(divider).to_have_count(1)
    noor.write("caught up")
    expect(divider).to_have_count(0)


def test_nothing_is_read_on_a_page_that_nobody_looks_at(pair: Pair) -> None:
    ada, noor, conversation = pair
    wire = Wire(noor.page)
    noor.open(conversation)
    noor.connected()
    noor.page.evaluate("document.hasFocus = () => false")
    ada.open(conversation)
    ada.write("are you looking")
    noor.sees("are you looking")
    expect(ada.page.locator(".msg.own")).to_have_attribute("data-state", "delivered")
    assert not wire.frames("read")
    noor.page.evaluate("delete document.hasFocus; window.dispatchEvent(new Event('focus'))")
    expect(ada.page.locator(".msg.own")).to_have_attribute("data-state", "read")
    assert [frame["seq"] for frame in wire.frames("read")] == [1]


def test_the_way_up_holds_still_and_stays_light(pair: Pair) -> None:
    ada, noor, conversation = pair
    ada.post(conversation, *numbered(340))
    noor.post(conversation, "and one from me")
    ada.open(conversation)
    ada.page.evaluate(TO_THE_END)
    eventually_sync(lambda: bottom(ada.page) < 5)
    first = 999
    while first > 1:
        step = ada.page.evaluate(CLIMB, 200 * SCALE)
        assert step["first"] < first, "the way up ended early"
        assert step["moved"] <= 2
        assert step["count"] <= 300
        first = step["first"]
    ada.page.evaluate("document.querySelector('.timeline').scrollTop = 0")
    expect(ada.page.locator(".start")).to_contain_text("Beginning of your chat")
    # All the way down again: the window follows, and nothing is missing at the end.
    ada.page.evaluate(
        """async () => {
            const scroller = document.querySelector(".timeline");
            for (let left = 400; left > 0 && !scroller.textContent.includes("and one from me"); left -= 1) {
                scroller.scrollTop += 600;
                await new Promise(done => requestAnimationFrame(done));
            }
        }"""
    )
    ada.page.evaluate(TO_THE_END)
    eventually_sync(lambda: bottom(ada.page) < 5)
    assert ada.texts()[-2:] == ["message 340, and a few words more", "and one from me"]


def test_news_never_move_whoever_reads_further_up(pair: Pair) -> None:
    ada, noor, conversation = pair
    ada.post(conversation, *numbered(60))
    ada.open(conversation)
    ada.page.evaluate("document.querySelector('.timeline').scrollTop -= 700")
    expect(ada.page.locator(".jump")).to_be_visible()
    before = ada.page.evaluate("document.querySelector('.timeline').scrollTop")
    noor.post(conversation, "something new")
    expect(ada.page.locator(".jump .badge")).to_have_text("1")
    assert ada.page.evaluate("document.querySelector('.timeline').scrollTop") == before
    ada.page.click(".jump")
    ada.sees("something new")
    eventually_sync(lambda: bottom(ada.page) < 5)
    noor.post(conversation, "and more")
    ada.sees("and more")
    eventually_sync(lambda: bottom(ada.page) < 5)
    expect(ada.page.locator(".divider")).to_have_count(0)


def test_a_conversation_is_found_again_where_it_was_left(pair: Pair) -> None:
    ada, _, conversation = pair
    ada.post(conversation, *numbered(80))
    ada.open(conversation)
    ada.page.fill(".composer textarea", "unfinished")
    ada.page.evaluate("document.querySelector('.timeline').scrollTop -= 900")
    expect(ada.page.locator(".jump")).to_be_visible()
    top = "(() => [...document.querySelectorAll('.msg')].find(n => n.getBoundingClientRect().top > 80).dataset.seq)()"
    before = ada.page.evaluate(top)
    ada.page.click("#rail >> text=People")
    expect(ada.page.locator(".row")).to_contain_text("Draft: unfinished")
    ada.page.go_back()
    ada.page.wait_for_selector(".timeline[aria-busy=false]")
    assert ada.page.evaluate(top) == before
    expect(ada.page.locator(".composer textarea")).to_have_value("unfinished")
