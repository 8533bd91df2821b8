"""What the page says when a message cannot be handled, when too much waits, and when nothing is carried at all."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from drill.installation import running_installation
from tests.support.mortal_installation import MortalInstallation
from tests.support.mortal_router import DEADLY
from tests.support.real_page import House, Person
from tests.support.standing import standing
from tests.support.waiting import SCALE, eventually_sync

pytestmark = pytest.mark.e2e

Pair = tuple[Person, Person, str]

BOUND = 20
ENVIRONMENT = {
    "PARLEY_BROKER__MAILBOX_BOUND": str(BOUND),
    # So that router comes back at once, however often it died.
    "PARLEY_SUPERVISION__WINDOW": "0.05",
    "PARLEY_SUPERVISION__BACKOFF_BASE": "0.001",
    "PARLEY_SUPERVISION__BACKOFF_CAP": "0.01",
}
WAITING = ".msg.own[data-state=queued], .msg.own[data-state=sent]"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """An installation of this file's own: small mailboxes, and a router that some messages can kill."""
    folder = tmp_path_factory.mktemp("overload") / "data"
    with standing(running_installation(folder, MortalInstallation, **ENVIRONMENT)) as one:
        house = House(folder, one.port, ENVIRONMENT)
        eventually_sync(house.ready, within=30)
        yield house


def all_told(writer: Person, reader: Person, count: int) -> None:
    """Every message has its answer, and the other's screen shows the same ones in the same order."""
    expect(writer.page.locator(WAITING)).to_have_count(0, timeout=30_000 * SCALE)
    expect(reader.page.locator(".msg")).to_have_count(count, timeout=30_000 * SCALE)


def test_a_message_that_cannot_be_handled_is_shown_as_not_sent_with_the_reason(pair: Pair) -> None:
    ada, noor, conversation = pair
    ada.open(conversation)
    noor.open(conversation)
    ada.connected()
    for text in ("before", f"{DEADLY} this one", "after"):
        ada.write(text)
    failed = ada.page.locator(".msg.own[data-state=failed]")
    expect(failed.locator(".body")).to_have_text(f"{DEADLY} this one", timeout=30_000 * SCALE)
    expect(failed.locator(".failure p")).to_have_text("Not sent. Something went wrong here.")
    expect(failed.locator("button", has_text="Retry")).to_be_visible()
    all_told(ada, noor, 2)
    assert noor.texts() == ["before", "after"]


def test_too_much_for_a_mailbox_waits_on_the_page_and_in_words_and_arrives_in_order(pair: Pair, house: House) -> None:
    ada, noor, conversation = pair
    ada.open(conversation)
    noor.open(conversation)
    ada.connected()
    lines = [f"line {number}" for number in range(3 * BOUND)]
    house.parley("stop", "router")
    try:
        strip = ada.page.locator("[data-strip=router]")
        expect(strip).to_have_text("Messages wait here and go out by themselves.", timeout=10_000 * SCALE)
        for line in lines:
            ada.write(line)
        expect(ada.page.locator(WAITING)).to_have_count(len(lines))
        eventually_sync(lambda: house.mailbox("router") == BOUND, within=20)
        assert set(ada.states()) <= {"queued", "sent"}
        expect(strip).to_be_visible()
    finally:
        house.parley("start", "router")
    all_told(ada, noor, len(lines))
    assert noor.texts() == lines
    expect(ada.page.locator("[data-strip]")).to_have_count(0)


def test_while_nothing_is_carried_the_page_says_so_and_goes_on_by_itself(pair: Pair, house: House) -> None:
    ada, noor, conversation = pair
    ada.open(conversation)
    noor.open(conversation)
    ada.connected()
    house.parley("stop", "broker")
    try:
        for one in (ada, noor):
            expect(one.page.locator("[data-strip=router]")).to_have_text(
                "Messages wait here and go out by themselves.", timeout=20_000 * SCALE
            )
        lines = [f"line {number}" for number in range(20)]
        for line in lines:
            ada.write(line)
        assert set(ada.states()) <= {"queued", "sent"}
    finally:
        house.parley("start", "broker")
    all_told(ada, noor, len(lines))
    assert noor.texts() == lines
    for one in (ada, noor):
        expect(one.page.locator("[data-strip]")).to_have_count(0, timeout=20_000 * SCALE)
        # Whoever signed up by the API renews the token soon after, perhaps in vain while nothing is carried.
        one.complaints[:] = [text for text in one.complaints if "503" not in text or "/auth/refresh" not in text]
