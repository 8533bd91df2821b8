"""The operator's page before a real installation: seeing a kill and its end, and who gets to see anything at all."""

import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from drill.installation import free_port
from tests.e2e.page.conftest import Meet
from tests.support.real_page import House, Person, faults, person
from tests.support.waiting import SCALE

pytestmark = pytest.mark.e2e

AGAIN = 20_000 * SCALE


@pytest.fixture
def olga(meet: Meet, house: House) -> Person:
    """An operator before the page."""
    one = meet("Olga", at="")
    house.parley("user", "operator", one.username)
    one.page.goto(f"{house.origin}/settings")
    one.page.get_by_role("link", name="What runs here").click()
    expect(one.page.locator("#live")).to_have_text("Live")
    return one


def cell(page: Page, actor: str, column: str) -> str:
    return page.locator(f"[data-actor='{actor}'] td.{column} .value").inner_text()


def do(page: Page, action: str, actor: str) -> None:
    page.click(f"[data-actor='{actor}'] td.actions button")
    page.get_by_role("menuitem", name=action, exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name=action, exact=True).click()


def test_an_operator_kills_router_and_watches_it_come_back(olga: Person) -> None:
    page = olga.page
    router = page.locator("[data-actor=router]")
    expect(router).to_have_attribute("data-state", "running")
    pid, restarts = cell(page, "router", "pid"), int(cell(page, "router", "restarts").split()[0])
    page.select_option("#log-tools select", "router")
    do(page, "Kill", "router")
    expect(page.locator(".toast")).to_have_text("router was killed")
    expect(router.locator("td.restarts .value")).to_contain_text(str(restarts + 1), timeout=AGAIN)
    expect(router.locator("td.pid .value")).not_to_have_text(pid, timeout=AGAIN)
    expect(router).to_have_attribute("data-state", "running", timeout=AGAIN)
    expect(router.locator("td.restarts .last")).to_have_text("SIGKILL")
    expect(router.locator("svg.past .again")).not_to_have_count(0)
    expect(page.locator(".log-lines")).to_contain_text("router is ready")
    page.select_option("#log-tools select", "audit")
    expect(page.locator(".log-lines")).to_contain_text(f'"who":"{olga.username}"')
    expect(page.locator(".log-lines")).to_contain_text('"what":"kill router","outcome":"done"')


def test_nothing_is_done_without_a_yes(olga: Person, house: House) -> None:
    page = olga.page
    pid = house.pid("contacts")
    page.click("[data-actor=contacts] td.actions button")
    page.get_by_role("menuitem", name="Kill", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert house.pid("contacts") == pid


def test_a_stop_lasts_until_the_start(olga: Person) -> None:
    page = olga.page
    contacts = page.locator("[data-actor=contacts]")
    do(page, "Stop", "contacts")
    expect(contacts).to_have_attribute("data-state", "stopped", timeout=AGAIN)
    page.click("[data-actor=contacts] td.actions button")
    expect(page.get_by_role("menuitem")).to_have_text(["Start", "Show log"])
    page.keyboard.press("Escape")
    do(page, "Start", "contacts")
    expect(contacts).to_have_attribute("data-state", "running", timeout=AGAIN)


def test_the_page_survives_the_front_that_it_kills(olga: Person) -> None:
    page = olga.page
    for front in ("front.1", "front.2"):
        before = cell(page, front, "pid")
        do(page, "Kill", front)
        expect(page.locator(f"[data-actor='{front}'] td.pid .value")).not_to_have_text(before, timeout=AGAIN)
        expect(page.locator(f"[data-actor='{front}']")).to_have_attribute("data-state", "running", timeout=AGAIN)
    expect(page.locator("#live")).to_have_text("Live")
    # What browsers say of a connection that was killed is no complaint of the page's.
    olga.complaints[:] = [text for text in olga.complaints if "WebSocket" not in text and "net::ERR" not in text]


def test_whoever_is_no_operator_finds_nothing(meet: Meet, house: House) -> None:
    ada = meet("Ada", at="/settings")
    expect(ada.page.get_by_role("button", name="Log out")).to_be_visible()
    expect(ada.page.locator("a[href='/ops']")).to_have_count(0)
    for path in ("/ops", "/nowhere"):
        answer = ada.page.goto(f"{house.origin}{path}")
        assert answer is not None
        assert answer.status == http.HTTPStatus.NOT_FOUND
        expect(ada.page.locator("h2")).to_have_text("There is no such thing here.")
    ada.complaints.clear()


def test_an_operator_who_is_none_any_more_is_shown_nothing(olga: Person, house: House) -> None:
    house.parley("user", "operator", olga.username, "--off")
    expect(olga.page.locator(".error-page .code")).to_have_text("404", timeout=AGAIN)
    olga.complaints.clear()


def test_nothing_is_sideways_or_too_small_at_any_width(olga: Person) -> None:
    page = olga.page
    page.select_option("#log-tools select", "router")
    expect(page.locator(".log-lines")).to_be_visible()
    expect(page.locator(".letters")).to_contain_text("None.", timeout=AGAIN)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for width in (320, 360, 768, 1024, 1280):
            page.set_viewport_size({"width": width, "height": 800})
            assert faults(page) == {"sideways": [], "small": []}, f"{scheme} at {width}"
            card, graph = (page.locator(part).first.bounding_box() for part in ("#actors", "svg.past"))
            assert card is not None
            assert graph is not None
            # As a card each graph is as wide as it; in a table it is a column.
            assert graph["width"] > card["width"] * (0.8 if width < 1120 else 0.15), f"{scheme} at {width}"


class Exposed(House):
    """An installation whose page others may reach; for the test it listens on loopback all the same."""

    @property
    def environment(self) -> dict[str, str]:
        told = {"PARLEY_WEB__ALLOWED_ORIGINS": "http://192.0.2.1:8080", "PARLEY_AUTH__BCRYPT_COST": "4"}
        return {**super().environment, **told}


@pytest.fixture
def exposed(tmp_path: Path) -> Iterator[House]:
    one = Exposed(tmp_path / "data", free_port())
    one.parley("up", "-d")
    try:
        yield one
    finally:
        one.parley("down")


def test_where_others_reach_the_page_nobody_acts_from_it(chromium: Browser, exposed: House) -> None:
    olga = person(chromium, exposed, "Olga")
    olga.register()
    exposed.parley("user", "operator", olga.username)
    olga.page.goto(f"{exposed.origin}/ops")
    expect(olga.page.locator("#notices")).to_contain_text("others than this machine can reach this page")
    olga.page.click("[data-actor=router] td.actions button")
    expect(olga.page.get_by_role("menuitem")).to_have_text(["Show log"])
    with pytest.raises(Exception, match="403"):
        olga.api("POST", "/ops/actions", {"action": "kill", "actor": "router"})
    olga.context.close()
