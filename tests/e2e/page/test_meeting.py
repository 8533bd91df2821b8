"""From the first visit to the first words: registering, finding, asking, accepting, and parting again."""

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.page.conftest import Meet
from tests.support.real_page import PASSWORD, House, Person

pytestmark = pytest.mark.e2e


def test_two_people_find_each_other_and_talk(meet: Meet) -> None:
    ada, noor = meet("Ada", by_form=True), meet("Noor", by_form=True)
    ada.page.click("#rail >> text=People")
    ada.page.fill("#people-search", noor.username)
    ada.page.click(f".person:has-text('{noor.name}') >> text=Request")
    expect(ada.page.locator("[data-section='people.outgoing'] .person")).to_contain_text(noor.name)
    noor.page.click(".row.requests")
    noor.page.click("[data-section='people.requests'] >> text=Accept")
    noor.page.wait_for_url("**/chat/*")
    expect(noor.page.locator(".start")).to_contain_text("Say hello")
    noor.write("Hello over there")
    ada.page.click(f".row:has-text('{noor.name}')")
    ada.sees("Hello over there")
    ada.write("Hello yourself")
    noor.sees("Hello yourself")
    assert noor.texts() == ada.texts() == ["Hello over there", "Hello yourself"]
    expect(noor.page.locator(".msg.own .ticks")).to_have_attribute("data-fate", "read")


def test_a_declined_request_is_declined_in_silence(meet: Meet) -> None:
    ada, noor = meet("Ada"), meet("Noor")
    ada.api("POST", "/contacts/requests", {"user_id": noor.id})
    noor.page.click(".row.requests")
    noor.page.click("[data-section='people.requests'] >> text=Decline")
    expect(noor.page.locator("[data-section='people.requests']")).to_contain_text("No requests")
    ada.page.click("#rail >> text=People")
    expect(ada.page.locator("[data-section='people.outgoing'] .person")).to_contain_text(noor.name)


def test_whoever_is_removed_sees_why_nothing_can_be_sent(pair: tuple[Person, Person, str]) -> None:
    ada, noor, conversation = pair
    ada.open(conversation)
    noor.open(conversation)
    ada.page.click("button[aria-label='Conversation menu']")
    ada.page.click(".menu >> text=Remove contact")
    ada.page.click("dialog .primary")
    expect(ada.page.locator(".composer-reason")).to_contain_text(f"You removed {noor.name}")
    expect(noor.page.locator(".composer-reason")).to_contain_text("not in contact")
    assert ada.page.locator(".composer textarea").count() == 0


def test_a_block_is_lifted_where_it_is_shown(pair: tuple[Person, Person, str]) -> None:
    ada, noor, conversation = pair
    ada.open(conversation)
    ada.page.click("button[aria-label='Conversation menu']")
    ada.page.click(".menu >> text=Block")
    ada.page.click("dialog .primary")
    expect(ada.page.locator(".composer-reason")).to_contain_text(f"You blocked {noor.name}")
    ada.page.click(".composer-reason >> text=Unblock")
    expect(ada.page.locator(".composer-reason")).to_contain_text("not in contact")


def test_a_refused_form_keeps_what_was_typed_and_says_what_is_wrong(chromium: Browser, house: House) -> None:
    with chromium.new_context() as context:
        page = context.new_page()
        page.goto(f"{house.origin}/register")
        page.fill("#username", "somebody.new")
        page.fill("#password", "short")
        page.click("[type=submit]")
        expect(page.locator("[role=alert]").first).to_be_visible()
        expect(page.locator("#username")).to_have_value("somebody.new")
        page.goto(f"{house.origin}/login")
        page.fill("#username", "somebody.new")
        page.fill("#password", PASSWORD)
        page.click("[type=submit]")
        expect(page.locator("[role=alert]")).to_have_attribute("data-code", "wrong_credentials")


def test_signing_in_works_without_scripts(meet: Meet, chromium: Browser, house: House) -> None:
    ada = meet("Ada", at="")
    with chromium.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{house.origin}/settings")
        page.wait_for_url("**/login?**")
        page.fill("#username", ada.username)
        page.fill("#password", PASSWORD)
        page.click("[type=submit]")
        page.wait_for_url("**/settings")
        assert ada.name in page.content()


def test_a_session_that_ends_elsewhere_clears_the_page_and_keeps_the_draft(
    pair: tuple[Person, Person, str], chromium: Browser, house: House
) -> None:
    ada, _, conversation = pair
    ada.open(conversation)
    ada.page.fill(".composer textarea", "half a thought")
    session = ada.api("GET", "/me")["session"]
    with chromium.new_context() as elsewhere:
        page = elsewhere.new_page()
        page.goto(f"{house.origin}/login?next=/settings")
        page.fill("#username", ada.username)
        page.fill("#password", PASSWORD)
        page.click("[type=submit]")
        page.click(f"[data-session='{session}'] >> text=Sign out")
        ada.page.wait_for_url(f"**/login?next=%2Fchat%2F{conversation}")
        assert ada.page.locator(".msg, .row").count() == 0
    # What the browser says of the refused requests is no complaint about the page.
    ada.complaints[:] = [text for text in ada.complaints if "401" not in text and "WebSocket" not in text]
    ada.page.fill("#username", ada.username)
    ada.page.fill("#password", PASSWORD)
    ada.page.click("[type=submit]")
    ada.page.wait_for_url(f"**/chat/{conversation}")
    expect(ada.page.locator(".composer textarea")).to_have_value("half a thought")


def test_logging_out_leaves_nothing_of_a_person_behind(pair: tuple[Person, Person, str]) -> None:
    ada, _, conversation = pair
    ada.open(conversation)
    ada.page.fill(".composer textarea", "not for the next one")
    ada.page.click("#rail >> text=Settings")
    ada.page.click("text=Log out")
    ada.page.wait_for_url("**/login")
    kept = ada.page.evaluate("Object.keys(localStorage).filter(key => key.includes('draft') || key.includes('person'))")
    assert kept == []
    assert ada.context.cookies() == []
