"""Files from the composer of one to the card of the other, on a whole installation."""

import base64
import os
import random
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.support.real_page import House, Person
from tests.support.stage import picture
from tests.support.waiting import SCALE, eventually_sync

pytestmark = pytest.mark.e2e

Pair = tuple[Person, Person, str]

FILES = ".composer input[type=file]"
LATE = 20_000 * SCALE

DROP = """([files, at]) => {
    const transfer = new DataTransfer();
    for (const {name, mimeType, data} of files) {
        const bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0));
        transfer.items.add(new File([bytes], name, {type: mimeType}));
    }
    const target = document.querySelector(at);
    const both = {bubbles: true, cancelable: true};
    const tell = type => target.dispatchEvent(new DragEvent(type, {dataTransfer: transfer, ...both}));
    if (at === ".composer textarea") {
        const paste = new ClipboardEvent("paste", {clipboardData: transfer, ...both});
        return !target.dispatchEvent(paste);
    }
    tell("dragenter");
    const veiled = document.querySelector(".drop-veil").checkVisibility();
    return veiled && !tell("dragover") && !tell("drop");
}"""

# A picker that gives a handle to a file of this origin's own, as a browser's gives one to a file on disk.
PICKER = """window.showOpenFilePicker = async () => {
    const folder = await navigator.storage.getDirectory();
    const handle = await folder.getFileHandle("notes.bin", {create: true});
    const writing = await handle.createWritable();
    await writing.write(new Uint8Array(LENGTH).map((_, at) => (at * 31) % 251));
    await writing.close();
    return [handle];
};"""

KEPT = """() => new Promise((resolve, reject) => {
    const opening = indexedDB.open("parley-files");
    opening.onerror = reject;
    opening.onsuccess = () => {
        const counting = opening.result.transaction("uploads").objectStore("uploads").count();
        counting.onsuccess = () => { opening.result.close(); resolve(counting.result); };
    };
})"""

# Nobody has to carry three gigabytes to this page.
LARGE = """Object.defineProperty(File.prototype, "size", {get() { return this.name === "film.mkv" ? 3e9 : 1; }});"""


# From outside it could be over between a look and a click.
PRESS = """([least, label, within]) => new Promise((done, late) => {
    const look = () => {
        const card = [...document.querySelectorAll(".msg .file")].at(-1);
        const button = card?.querySelector(`.file-acts [aria-label="${label}"]`);
        if (!button || Number(card.querySelector(".file-bar").getAttribute("aria-valuenow")) < least) return;
        watching.disconnect();
        button.click();
        done();
    };
    const watching = new MutationObserver(look);
    watching.observe(document, {attributes: true, childList: true, subtree: true});
    look();
    setTimeout(() => late(new Error(`no ${label} at ${least}%`)), within);
})"""


def noise(length: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(length)  # noqa: S311  (bytes that do not repeat, no secret)


@contextmanager
def interrupted(*people: Person) -> Iterator[None]:
    """What browsers say of refused or broken requests is no complaint of the page's."""
    yield
    for one in people:
        one.complaints[:] = [text for text in one.complaints if not text.startswith("Failed to load resource")]


def cards(person: Person) -> Any:
    return person.page.locator(".msg .file")


def percent(person: Person) -> int:
    return int(cards(person).last.locator(".file-bar").get_attribute("aria-valuenow") or 0)


def far(person: Person, least: int) -> None:
    eventually_sync(lambda: percent(person) >= least, within=20)


def act_at(person: Person, least: int, label: str) -> None:
    """Press that as soon as so many per cent are on their way, which goes on meanwhile."""
    person.page.evaluate(PRESS, [least, label, LATE])


def act(person: Person, label: str) -> None:
    cards(person).last.get_by_label(label, exact=True).click()


def ready(*people: Person, count: int = 1) -> None:
    for one in people:
        expect(one.page.locator(".file[data-state=ready]")).to_have_count(count, timeout=LATE)


def downloaded(person: Person, number: int = -1) -> bytes:
    with person.page.expect_download() as download:
        cards(person).locator("a.file-act").nth(number).click()
    return Path(download.value.path()).read_bytes()


def send(person: Person, files: Any, text: str = "") -> None:
    person.page.set_input_files(FILES, files)
    person.write(text)


def choose(person: Person, file: Path) -> None:
    with person.page.expect_file_chooser() as chooser:
        act(person, "Choose the file again")
    chooser.value.set_files(file)


def test_fifty_megabytes_survive_a_pause_a_reload_and_a_killed_actor(pair: Pair, house: House, tmp_path: Path) -> None:
    ada, noor, conversation = pair
    whole = tmp_path / "whole.bin"
    whole.write_bytes(noise(50_000_000))
    other = tmp_path / "other.bin"
    other.write_bytes(noise(50_000_000, seed=2))
    ada.open(conversation)
    noor.open(conversation)
    ada.connected()
    with interrupted(ada, noor):
        send(ada, whole, "the whole of it")
        act_at(ada, 10, "Pause")
        expect(cards(ada)).to_have_attribute("data-state", "paused")
        expect(cards(noor)).to_have_attribute("data-state", re.compile("uploading|paused"))
        ada.page.reload()
        expect(cards(ada).locator(".file-state")).to_contain_text("Choose the same file again", timeout=LATE)
        # What is there is there: pieces of 8 per cent, the first of which had come.
        far(ada, 5)
        choose(ada, other)
        expect(ada.page.locator(".toast")).to_contain_text("That is not whole.bin")
        victim = house.pid("file_chunker")
        choose(ada, whole)
        far(ada, 60)
        os.kill(victim, signal.SIGKILL)
        ada.write("still talking")
        noor.sees("still talking")
        ready(ada, noor)
    expect(cards(ada).locator(".file-seal")).to_be_visible()
    assert downloaded(noor) == downloaded(ada) == whole.read_bytes()
    expect(noor.page.locator(".msg .body")).to_have_text(["the whole of it", "still talking"])


def overtaken(person: Person) -> None:
    """A page that is left may have been writing: the next one is told 409 where it is, and goes on from there."""
    person.complaints[:] = [text for text in person.complaints if "409" not in text or "/api/v1/files/" not in text]


def held(person: Person) -> None:
    """Bytes of files leave this page, and do not arrive, until `unroute_all`."""
    person.page.route("**/api/v1/files/*", lambda route: None if route.request.method == "PATCH" else route.fallback())


def kept(person: Person, count: int) -> None:
    eventually_sync(lambda: person.page.evaluate(KEPT) == count, within=20)


def test_a_reload_goes_on_by_itself_where_the_browser_finds_the_file(pair: Pair) -> None:
    ada, noor, conversation = pair
    length = 400_000
    ada.page.add_init_script(PICKER.replace("LENGTH", str(length)))
    held(ada)
    ada.open(conversation)
    ada.page.get_by_label("Attach files").click()
    expect(ada.page.locator(".tray-item")).to_have_count(1, timeout=LATE)
    # What has no way back to a file, and is small, is kept as it is.
    ada.page.set_input_files(FILES, {"name": "pasted.bin", "mimeType": "", "buffer": noise(length)})
    expect(ada.page.locator(".tray-item")).to_have_count(2)
    ada.page.press(".composer textarea", "Enter")
    expect(ada.page.locator(".file[data-state=uploading]")).to_have_count(2)
    kept(ada, 2)
    ada.page.unroute_all()
    ada.page.reload()
    noor.open(conversation)
    ready(ada, noor, count=2)
    assert downloaded(noor) == noise(length)
    assert downloaded(noor, 0) == bytes((at * 31) % 251 for at in range(length))
    kept(ada, 0)
    overtaken(ada)


def test_a_picture_whose_place_was_given_unheard_goes_on_after_a_reload(pair: Pair) -> None:
    ada, noor, conversation = pair
    asked: list[int] = []

    def lose_the_second_answer(route: Route) -> None:
        answer = route.fetch()
        asked.append(answer.status)
        if len(asked) != 2:
            route.fulfill(response=answer)

    ada.page.route("**/api/v1/files", lose_the_second_answer)
    ada.open(conversation)
    pictures = [picture(1_200, 800), picture(800, 1_200)]
    send(ada, [{"name": "sea.png", "mimeType": "image/png", "buffer": one} for one in pictures])
    # Whatever is asked of the page lets the route be served.
    eventually_sync(lambda: ada.page.evaluate("true") and asked == [201, 201], within=20)
    ada.page.reload()
    noor.open(conversation)
    ready(ada, noor, count=2)
    expect(noor.page.locator(".msg")).to_have_count(2)
    expect(noor.page.locator(".media.image img[src$=preview]")).to_have_count(2)
    overtaken(ada)


def test_a_tab_that_is_closed_leaves_its_uploads_to_another(pair: Pair) -> None:
    ada, noor, conversation = pair
    first = ada.page
    held(ada)
    ada.open(conversation)
    send(ada, {"name": "a.bin", "mimeType": "", "buffer": noise(1_000)})
    expect(cards(ada)).to_have_attribute("data-state", "uploading")
    kept(ada, 1)
    ada.page = ada.context.new_page()
    ada.open(conversation)
    ada.connected()
    # Nothing is taken from a tab that lives.
    ada.page.evaluate("dispatchEvent(new Event('focus'))")
    expect(cards(ada)).to_have_attribute("data-state", "paused")
    first.close()
    ready(ada)
    noor.open(conversation)
    assert downloaded(noor) == noise(1_000)


def dropped(page: Page, files: list[dict[str, Any]], at: str = ".timeline") -> bool:
    coded = [{**file, "data": base64.b64encode(file["data"]).decode()} for file in files]
    return bool(page.evaluate(DROP, [coded, at]))


def test_files_are_dropped_pasted_and_confirmed_before_anything_is_sent(pair: Pair) -> None:
    ada, noor, conversation = pair
    ada.open(conversation)
    noor.open(conversation)
    photo = {"name": "view.png", "mimeType": "image/png", "data": picture(1_200, 800)}
    bodies = {"one.txt": b"one", "empty.txt": b"", "three.txt": b"three"}
    texts = [{"name": name, "mimeType": "text/plain", "data": data} for name, data in bodies.items()]
    assert dropped(ada.page, [photo, texts[0], texts[1]])
    assert dropped(ada.page, [texts[2]], at=".composer textarea")
    tray = ada.page.locator(".tray-item")
    expect(tray).to_have_count(4)
    expect(tray.first.locator("img")).to_be_visible()
    ada.page.get_by_label("Do not send one.txt").click()
    ada.page.get_by_label("Caption of view.png").fill("from the top")
    ada.page.click("#rail >> text=People")
    assert noor.page.locator(".msg").count() == 0, "nothing is sent before it is confirmed"
    ada.page.go_back()
    expect(tray).to_have_count(3)
    ada.write("that is all")
    expect(tray).to_have_count(0)
    ready(ada, noor, count=3)
    expect(noor.page.locator(".file")).to_have_count(3)
    names = noor.page.evaluate("[...document.querySelectorAll('.file-name')].map(name => name.title)")
    assert names == ["view.png", "empty.txt", "three.txt"]
    assert sorted(noor.texts()) == ["from the top", "that is all"]
    expect(noor.page.locator(".file[data-kind=image] img").first).to_be_visible()
    messages = noor.api("GET", f"/conversations/{conversation}/messages")["messages"]
    about = next(one["file"] for one in messages if one.get("file", {}).get("name") == "view.png")
    assert (about["width"], about["height"], about["preview"]) == (1_200, 800, True)
    assert [downloaded(noor, number) for number in (1, 2)] == [b"", b"three"]
    # The words of one of two stay its own when the other one is taken out.
    assert dropped(ada.page, texts[:2])
    ada.page.get_by_label("Caption of one.txt").fill("of its own")
    ada.page.get_by_label("Do not send empty.txt").click()
    expect(ada.page.get_by_label("Caption of one.txt")).to_be_visible()
    ada.write("and more")
    ready(ada, noor, count=4)
    assert sorted(noor.texts()) == ["and more", "from the top", "of its own", "that is all"]


def test_what_is_too_large_is_refused_before_its_first_byte(pair: Pair) -> None:
    ada, _, conversation = pair

    ada.page.add_init_script(LARGE)
    ada.open(conversation)
    ada.page.set_input_files(FILES, {"name": "film.mkv", "mimeType": "", "buffer": b"x"})
    expect(ada.page.locator(".tray-note")).to_have_text(
        "film.mkv has 3 GB; at most 2.1 GB can be sent.", use_inner_text=True
    )
    expect(ada.page.locator(".tray-item")).to_have_count(0)
    ada.page.fill(".composer textarea", "word " * 1_700)
    expect(ada.page.get_by_label("Send", exact=True)).to_be_disabled()


def test_a_text_that_is_too_long_goes_as_a_file(pair: Pair) -> None:
    ada, noor, conversation = pair
    ada.open(conversation)
    noor.open(conversation)
    text = "word " * 1_700
    ada.page.fill(".composer textarea", text)
    ada.page.get_by_text("Send as a file").click()
    ada.write("as promised")
    ready(noor)
    assert downloaded(noor) == text.encode()
    # A caption may be taken away again.
    expect(noor.page.get_by_text("as promised").first).to_be_visible()
    ada.page.locator(".composer textarea").press("ArrowUp")
    ada.page.fill(".composer textarea", "")
    ada.page.locator(".composer textarea").press("Enter")
    expect(noor.page.locator(".msg >> text=as promised")).to_have_count(0)
    expect(noor.page.locator(".msg .edited")).to_have_count(1)
    expect(noor.page.locator(".file[data-state=ready]")).to_have_count(1)


def test_a_refused_file_says_why_and_goes_once_there_is_room(pair: Pair) -> None:
    ada, noor, conversation = pair
    ada.open(conversation)
    full = {"error": {"code": "quota_exceeded", "message": "Your files take all the room that you have here."}}
    ada.page.route("**/api/v1/files", lambda route: route.fulfill(status=413, json=full))
    with interrupted(ada):
        send(ada, {"name": "a.bin", "mimeType": "", "buffer": noise(1_000)}, "look")
        expect(ada.page.locator(".msg .failure")).to_contain_text("all the room")
    ada.page.unroute("**/api/v1/files")
    ada.page.locator(".msg .failure >> text=Retry").click()
    ready(ada)
    expect(ada.page.locator(".msg")).to_have_count(1)
    noor.open(conversation)
    assert downloaded(noor) == noise(1_000)


def test_a_refused_file_that_a_reload_has_lost_is_asked_for_again(pair: Pair, tmp_path: Path) -> None:
    ada, _, conversation = pair
    ada.open(conversation)
    file = tmp_path / "a.bin"
    file.write_bytes(noise(1_000))
    full = {"error": {"code": "quota_exceeded", "message": "There is no room."}}
    ada.page.route("**/api/v1/files", lambda route: route.fulfill(status=413, json=full))
    with interrupted(ada):
        send(ada, file)
        expect(ada.page.locator(".msg .failure")).to_be_visible()
        kept(ada, 0)
    ada.page.unroute_all()
    ada.page.reload()
    expect(cards(ada).locator(".file-acts > *")).to_have_count(0)
    ada.page.locator(".msg .failure >> text=Retry").click()
    choose(ada, file)
    ready(ada)


def test_a_file_whose_checksum_differs_is_refused_and_can_be_sent_again(pair: Pair) -> None:
    ada, noor, conversation = pair
    ada.open(conversation)
    noor.open(conversation)
    lie = {"sha256": "0" * 64}
    ada.page.route("**/digest", lambda route: route.continue_(post_data=lie))
    send(ada, {"name": "a.bin", "mimeType": "", "buffer": noise(10_000)})
    for one in (ada, noor):
        expect(cards(one)).to_have_attribute("data-state", "failed")
        expect(cards(one)).to_contain_text("not what was sent")
    ada.page.unroute("**/digest")
    act(ada, "Try again")
    ready(ada, noor)
    assert downloaded(noor) == noise(10_000)


def test_what_is_cancelled_or_deleted_is_gone_for_both(pair: Pair, tmp_path: Path) -> None:
    ada, noor, conversation = pair
    large = tmp_path / "a.bin"
    large.write_bytes(bytes(50_000_000))
    ada.open(conversation)
    noor.open(conversation)
    with interrupted(ada, noor):
        send(ada, large)
        act_at(ada, 10, "Cancel")
        ada.page.locator("dialog >> text=Stop sending").last.click()
        for one in (ada, noor):
            expect(cards(one)).to_have_attribute("data-state", "cancelled")
        send(ada, {"name": "b.bin", "mimeType": "", "buffer": b"b"})
        ready(ada, noor)
        address = str(cards(noor).last.locator("a.file-act").get_attribute("href"))
        ada.page.locator(".msg").last.hover()
        ada.page.locator(".msg .more").last.click()
        ada.page.get_by_role("menuitem", name="Delete for both").click()
        ada.page.locator("dialog >> text=Delete").last.click()
        expect(noor.page.locator(".msg.deleted")).to_have_count(1)
        status = "async address => (await fetch(address)).status"
        eventually_sync(lambda: noor.page.evaluate(status, address) in {404, 410}, within=10)
