"""What the page says and does while something is broken, and that nothing is lost by it."""

import os
import signal
import time

import pytest
from playwright.sync_api import expect

from tests.support.real_page import House, Person, Wire
from tests.support.waiting import SCALE, eventually_sync

pytestmark = pytest.mark.e2e

Pair = tuple[Person, Person, str]

STATUS = ".chat-head .status"


def test_a_dead_way_is_noticed_and_found_again(pair: Pair) -> None:
    ada, noor, conversation = pair
    wire = Wire(ada.page)
    ada.open(conversation)
    noor.open(conversation)
    ada.connected()
    expect(ada.page.locator(STATUS)).to_have_text("online")
    wire.cut = True
    began = time.monotonic()
    ada.write("into the void")
    noor.write("are you there?")
    lost = ada.page.locator("[data-strip=lost]")
    # Ten seconds to notice, two before anybody is bothered with it.
    expect(lost).to_be_visible(timeout=13_000 * SCALE)
    assert time.monotonic() - began < 13 * SCALE
    expect(lost).to_contain_text("Reconnecting")
    expect(ada.page.locator(STATUS)).to_have_text("")
    ada.note("[data-strip=back]")
    # The attempt that hangs now does so for eight seconds, and only then would the page begin another by itself.
    wire.cut = False
    lost.locator("text=Retry now").click()
    eventually_sync(lambda: ada.noted("[data-strip=back]") == ["Back online"])
    expect(ada.page.locator("[data-strip]")).to_have_count(0)
    ada.sees("are you there?")
    noor.sees("into the void")
    assert sorted(ada.texts()) == sorted(noor.texts()) == ["are you there?", "into the void"]


def test_what_was_read_just_as_the_way_died_is_told_again(pair: Pair) -> None:
    ada, noor, conversation = pair
    wire = Wire(ada.page)
    ada.open(conversation)
    noor.open(conversation)
    ada.connected()
    wire.lost.add("read")
    noor.write("look")
    ada.sees("look")
    # Each look at the page lets it take its frames on.
    eventually_sync(lambda: ada.page.evaluate("1") and wire.frames("read"), within=10)
    wire.lost.clear()
    wire.close(1012)
    expect(noor.page.locator(".msg.own[data-state=read]")).to_have_count(1, timeout=15_000 * SCALE)


def test_nothing_is_lost_or_doubled_when_the_router_is_killed_while_both_write(pair: Pair, house: House) -> None:
    ada, noor, conversation = pair
    ada.open(conversation)
    noor.open(conversation)
    for number in range(30):
        if number in {10, 20}:
            victim = eventually_sync(lambda: house.pid("router"), within=20)
            os.kill(victim, signal.SIGKILL)
        ada.write(f"ada {number}")
        noor.write(f"noor {number}")
    waiting = ".msg.own[data-state=queued], .msg.own[data-state=sent]"
    for one in (ada, noor):
        expect(one.page.locator(waiting)).to_have_count(0, timeout=30_000 * SCALE)
        expect(one.page.locator(".msg")).to_have_count(60, timeout=30_000 * SCALE)
    assert ada.texts() == noor.texts()
    for name in ("ada", "noor"):
        mine = [text for text in ada.texts() if text.startswith(name)]
        assert mine == [f"{name} {number}" for number in range(30)]


def test_what_waits_for_a_stopped_router_arrives_without_its_writer(pair: Pair, house: House) -> None:
    ada, noor, conversation = pair
    ada.open(conversation)
    ada.connected()
    noor.open(conversation)
    house.parley("stop", "router")
    try:
        expect(ada.page.locator("[data-strip=router]")).to_contain_text("Messages wait here", timeout=10_000 * SCALE)
        before = house.mailbox("router")
        ada.write("read this when it is over")
        # A frame that left the page may still be in its browser, and would end with it.
        eventually_sync(lambda: house.mailbox("router") > before, within=20)
        ada.page.context.close()
    finally:
        house.parley("start", "router")
    noor.sees("read this when it is over", within=20)
    expect(noor.page.locator("[data-strip]")).to_have_count(0)


def test_a_paused_contacts_actor_stops_requests_and_nothing_else(pair: Pair, house: House) -> None:
    ada, noor, conversation = pair
    ada.open(conversation)
    noor.open(conversation)
    house.parley("stop", "contacts")
    try:
        expect(ada.page.locator("[data-strip=contacts]")).to_contain_text("Contacts are paused", timeout=10_000 * SCALE)
        ada.write("we can still talk")
        noor.sees("we can still talk")
    finally:
        house.parley("start", "contacts")
    expect(ada.page.locator("[data-strip]")).to_have_count(0, timeout=15_000 * SCALE)


def test_history_that_cannot_be_loaded_can_be_asked_for_again(pair: Pair) -> None:
    ada, _, conversation = pair
    # Without a greeting nothing is tried again by itself.
    Wire(ada.page).cut = True
    ada.post(conversation, *[f"line {number}" for number in range(90)])
    ada.open(conversation)
    ada.page.route("**/messages?before=*", lambda route: route.abort())
    ada.page.evaluate("document.querySelector('.timeline').scrollTop = 0")
    again = ada.page.locator(".older >> text=Try again")
    expect(again).to_be_visible()
    ada.page.unroute("**/messages?before=*")
    again.click()
    ada.page.evaluate("document.querySelector('.timeline').scrollTop = 0")
    expect(ada.page.locator(".msg[data-seq='1']")).to_have_count(1)
    ada.complaints[:] = [text for text in ada.complaints if "ERR_FAILED" not in text]
