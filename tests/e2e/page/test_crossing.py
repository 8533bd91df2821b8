"""Bad moments: answers that are late, tabs that get into each other's way, clocks that are put back."""

import pytest
from playwright.sync_api import FilePayload, Route, expect

from tests.support.real_page import PASSWORD, Person, Wire
from tests.support.waiting import eventually_sync

pytestmark = pytest.mark.e2e

Pair = tuple[Person, Person, str]


def test_what_is_written_before_the_history_is_here_is_seen_at_once_and_stays(pair: Pair) -> None:
    ada, _, conversation = pair
    ada.post(conversation, "long ago")
    held: list[Route] = []
    ada.page.route("**/messages?*", lambda route: held.append(route))  # noqa: PLW0108  (a builtin cannot be a handler)
    ada.visit(f"/chat/{conversation}")
    ada.connected()
    ada.write("hello already")
    expect(ada.page.locator(".msg .body")).to_have_text(["hello already"])
    expect(ada.page.locator(".msg.own[data-seq='2']")).to_have_count(1)
    for route in held:
        route.continue_()
    expect(ada.page.locator(".msg .body")).to_have_text(["long ago", "hello already"])


DRAFTED = (
    "Object.keys(localStorage).filter(key => key.startsWith('parley.draft.')).map(key => localStorage[key]).join()"
)

TYPIST = """async () => {
    const area = document.querySelector(".composer textarea");
    const end = performance.now() + 5000;
    const drafted = () => Object.keys(localStorage).some(key => key.startsWith("parley.draft."));
    // Faster than anybody pauses, as long as it takes.
    while (!drafted() && performance.now() < end) {
        area.value += "x";
        area.dispatchEvent(new InputEvent("input", {bubbles: true}));
        await new Promise(resolve => setTimeout(resolve, 100));
    }
    return drafted();
}"""

LAST_WORD = """() => {
    const area = document.querySelector(".composer textarea");
    area.value = "and the last word";
    area.dispatchEvent(new InputEvent("input", {bubbles: true}));
    location.reload();
}"""


def test_a_draft_is_kept_while_somebody_writes_without_a_pause_and_to_the_last_word(pair: Pair) -> None:
    ada, _, conversation = pair
    ada.open(conversation)
    assert ada.page.evaluate(TYPIST)
    ada.page.evaluate(LAST_WORD)
    expect(ada.page.locator(".composer textarea")).to_have_value("and the last word")


def test_a_tab_in_which_nothing_was_written_leaves_drafts_alone(pair: Pair) -> None:
    ada, _, conversation = pair
    ada.open(conversation)
    other = ada.context.new_page()
    other.goto(ada.page.url)
    other.wait_for_selector(".timeline[aria-busy=false]")
    ada.page.fill(".composer textarea", "worth keeping")
    eventually_sync(lambda: ada.page.evaluate(DRAFTED) == "worth keeping", within=5)
    other.click("#rail a[href='/contacts']")
    other.wait_for_selector("#people-search")
    assert ada.page.evaluate(DRAFTED) == "worth keeping"
    other.go_back()
    expect(other.locator(".composer textarea")).to_have_value("worth keeping")
    ada.page.press(".composer textarea", "Enter")
    expect(other.locator(".msg.own")).to_have_count(1)
    other.click("#rail a[href='/contacts']")
    other.wait_for_selector("#people-search")
    # What was sent does not come back as a draft.
    assert ada.page.evaluate(DRAFTED) == ""
    other.close()


LEAVING = """() => {
    const event = new Event("beforeunload", {cancelable: true});
    dispatchEvent(event);
    return event.defaultPrevented;
}"""

FULL = """IDBObjectStore.prototype.put = function () {
    this.transaction.abort();
    return {};
};"""


def test_who_leaves_with_a_message_that_is_nowhere_else_is_asked(pair: Pair) -> None:
    ada, _, conversation = pair
    wire = Wire(ada.page)
    ada.context.add_init_script(FULL)
    ada.open(conversation)
    ada.connected()
    assert ada.page.evaluate(LEAVING) is False
    wire.cut = True
    ada.write("kept nowhere")
    eventually_sync(lambda: ada.page.evaluate(LEAVING), within=5)
    wire.cut = False
    wire.close(1013)
    expect(ada.page.locator(".msg.own[data-seq]")).to_have_count(1)
    eventually_sync(lambda: not ada.page.evaluate(LEAVING), within=5)


SILENT = "indexedDB.open = () => ({});"


def test_a_browser_whose_disk_does_not_answer_is_connected_all_the_same(pair: Pair) -> None:
    ada, _, conversation = pair
    ada.context.add_init_script(SILENT)
    ada.open(conversation)
    ada.page.wait_for_selector("html[data-link=up]", state="attached")
    ada.write("not written down")
    expect(ada.page.locator(".msg.own[data-seq]")).to_have_count(1)


SHOWS = "id => JSON.parse(document.getElementById('boot')?.textContent ?? '{}').user?.id === id"


def test_a_tab_makes_room_when_somebody_else_signs_in_at_the_browser(pair: Pair) -> None:
    ada, noor, conversation = pair
    ada.open(conversation)
    ada.connected()
    assert ada.page.evaluate(SHOWS, ada.id)
    other = ada.context.new_page()
    # With a form that was open already: the session of the first one goes on.
    ada.api("POST", "/auth/login", {"username": noor.username, "password": PASSWORD})
    other.goto(f"{ada.house.origin}/chat")
    ada.page.wait_for_function(SHOWS, arg=noor.id)
    other.close()


FILE = FilePayload(name="plan.txt", mimeType="text/plain", buffer=b"a plan")


def test_who_leaves_with_files_that_are_not_sent_is_asked(pair: Pair) -> None:
    ada, _, conversation = pair
    ada.open(conversation)
    ada.page.set_input_files(".composer input[type=file]", FILE)
    expect(ada.page.locator(".tray-item")).to_have_count(1)
    assert ada.page.evaluate(LEAVING)
    ada.page.click(".tray-remove")
    assert not ada.page.evaluate(LEAVING)
