"""Cards of files in every state, on a stage with made-up files: what they show, what they offer, and the viewer."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.real_page import faults
from tests.support.stage import Stage, message, picture, tone
from tests.support.waiting import eventually_sync

pytestmark = pytest.mark.e2e

MB = 1_000_000


@pytest.fixture(scope="module")
def set_up(chromium: Browser) -> Iterator[Stage]:
    one = Stage(chromium)
    yield one
    one.page.close()


@pytest.fixture
def stage(set_up: Stage) -> Iterator[Stage]:
    set_up.blobs.clear()
    set_up.complaints.clear()
    yield set_up
    assert set_up.complaints == []


def file(name: str = "report.pdf", kind: str = "application/pdf", size: int = 50 * MB, **more: Any) -> dict[str, Any]:
    return {"id": "f", "name": name, "type": kind, "size": size, **more}


def card(page: Page) -> str:
    """What is read in the card, with plain spaces."""
    return page.locator(".file-state").inner_text().replace("\u00a0", " ")


def acts(page: Page) -> list[str]:
    labels: list[str] = page.evaluate(
        "[...document.querySelectorAll('.file-acts > *')].map(act => act.getAttribute('aria-label'))"
    )
    return labels


def asked(stage: Stage) -> list[list[str]]:
    """What a person's clicks have asked for."""
    return [one for one in stage.done if one[0] != "get"]


def becomes(page: Page, **values: Any) -> None:
    """Something of the upload at this browser changes."""
    page.evaluate("values => { known.set('f', {...known.get('f'), ...values}); store.tell('file', 'f'); }", values)


def test_a_card_of_the_recipient_follows_the_sender(stage: Stage) -> None:
    page = stage.page
    stage.play([message(1, "p", "see page 3", file=file(state="open", offset=0))])
    assert card(page) == "Waiting for the sender · 50 MB"
    assert acts(page) == ["Download as it arrives", "Cancel"]
    expect(page.locator(".file-acts a")).to_have_attribute("href", "/api/v1/files/f?download=1")
    expect(page.locator(".msg .body")).to_have_text("see page 3")
    page.focus("[aria-label=Cancel]")
    stage.push(id="f", state="open", offset=12 * MB, size=50 * MB, active=True)
    assert card(page) == "24% of 50 MB"
    bar = page.get_by_role("progressbar", name="report.pdf")
    expect(bar).to_have_attribute("aria-valuenow", "24")
    expect(page.locator("[aria-label=Cancel]")).to_be_focused()
    stage.push(id="f", state="open", offset=12 * MB, size=50 * MB)
    assert card(page) == "Paused at 24% of 50 MB"
    stage.push(id="f", state="verifying", offset=50 * MB, size=50 * MB)
    assert card(page) == "Checking what arrived · 50 MB"
    stage.push(id="f", state="open", offset=13 * MB, size=50 * MB, active=True)
    assert card(page) == "Checking what arrived · 50 MB", "a late word changes nothing"
    stage.push(id="f", state="ready", offset=50 * MB, size=50 * MB, verified=True)
    assert card(page) == "50 MB"
    assert acts(page) == ["Download"]
    expect(page.get_by_role("img", name="Checksum verified")).to_be_visible()
    expect(bar).to_have_count(0)
    expect(page.locator(".file [role=status]")).to_have_text("report.pdf: 50 MB")


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"state": "failed", "reason": "checksum_mismatch"}, "What arrived was not what was sent, so it was refused"),
        ({"state": "cancelled"}, "Cancelled"),
        ({"state": "expired"}, "Expired"),
    ],
)
def test_what_did_not_come_says_so_and_offers_nothing(stage: Stage, state: dict[str, str], words: str) -> None:
    stage.play([message(1, "p", file=file(state="open", offset=5 * MB))])
    stage.push(id="f", offset=5 * MB, size=50 * MB, **state)
    assert card(stage.page) == words
    assert acts(stage.page) == []


def test_a_card_of_the_sender_obeys(stage: Stage) -> None:
    page = stage.page
    upload = {"state": "uploading", "reason": "", "sent": 20 * MB, "speed": 3.1 * MB, "eta": 9.7}
    stage.play([message(1, "me", file=file())], uploads={"f": upload})
    assert card(page) == "40% of 50 MB · 3.1 MB/s · 10 s left"
    page.click("[aria-label=Pause]")
    becomes(page, state="paused", reason="person", speed=0, eta=None)
    expect(page.locator("[aria-label=Resume]")).to_be_focused()
    assert card(page) == "Paused at 40% of 50 MB"
    page.keyboard.press("Enter")
    becomes(page, state="paused", reason="file")
    with page.expect_file_chooser() as chooser:
        page.click("[aria-label='Choose the file again']")
    chooser.value.set_files({"name": "again.pdf", "mimeType": "application/pdf", "buffer": b"x"})
    becomes(page, state="failed", reason="too_large")
    assert card(page) == "Larger than this server takes"
    page.click("[aria-label='Try again']")
    eventually_sync(lambda: len(asked(stage)) >= 4)
    assert asked(stage) == [
        ["pause", "f"],
        ["resume", "f"],
        ["choose", "f", "again.pdf"],
        ["retry", "f"],
    ]


def test_cancelling_asks_first(stage: Stage) -> None:
    page = stage.page
    stage.play([message(1, "p", file=file(state="open", offset=0))])
    page.click("[aria-label=Cancel]")
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)
    assert stage.done == []
    page.click("[aria-label=Cancel]")
    page.get_by_role("button", name="Stop sending").click()
    eventually_sync(lambda: stage.done)
    assert stage.done == [["DELETE", "/files/f"]]


def test_while_file_chunker_rests_cards_say_that_it_goes_on_by_itself(stage: Stage) -> None:
    stage.play([message(1, "p", file=file(state="open", offset=5 * MB, active=True))], down=True)
    assert card(stage.page) == "Paused, goes on by itself · 10% of 50 MB"


def test_of_an_unknown_file_the_server_is_asked(stage: Stage) -> None:
    stage.play([message(1, "p", file=file())])
    assert card(stage.page) == "50 MB"
    assert acts(stage.page) == ["Download"]
    eventually_sync(lambda: stage.done)
    assert stage.done == [["get", "/files?ids=f"]]
    stage.page.evaluate("files.frame({type: 'resync', source: 'file_chunker'})")
    stage.page.evaluate("files.frame({type: 'resync', source: 'contacts'})")
    assert len(stage.done) == 2


PLACES = """() => [...document.querySelectorAll(".msg")].map(node => node.getBoundingClientRect().height)"""


def test_a_picture_has_its_place_before_anything_of_it_is_here(stage: Stage) -> None:
    page = stage.page
    stage.blobs = {"f": ("image/png", picture(64, 48)), "f/preview": ("image/png", picture(16, 12))}
    whole = file("sea.png", "image/png", 900_000, width=1600, height=1200, preview=True)
    stage.play([message(1, "p", file={**whole, "state": "ready", "offset": 900_000})])
    before = page.evaluate(PLACES)
    page.wait_for_selector(".media-whole.here")
    assert page.evaluate(PLACES) == before
    box = page.locator(".media").bounding_box()
    assert box is not None
    assert (round(box["width"]), round(box["height"])) == (320, 240)


def test_a_picture_that_cannot_be_seen_is_a_file_like_any_other(stage: Stage) -> None:
    stage.blobs = {"f": ("image/png", b"no picture")}
    stage.play([message(1, "p", file=file("sea.png", "image/png", 10, state="ready", offset=10))])
    expect(stage.page.locator(".file-name")).to_be_visible()
    assert acts(stage.page) == ["Download"]


def test_the_viewer_leads_through_the_pictures_and_back(stage: Stage) -> None:
    page = stage.page
    rows = []
    for number in range(1, 5):
        one = file(f"{number}.png", "image/png", 900, width=64, height=48, preview=True)
        ready = {"state": "ready", "offset": 900} if number < 4 else {"state": "open", "offset": 5}
        rows.append(message(number, "p", f"caption {number}", file={**one, **ready, "id": f"i{number}"}))
        stage.blobs[f"i{number}"] = ("image/png", picture(64, 48, 20 * number))
        stage.blobs[f"i{number}/preview"] = ("image/png", picture(16, 12, 20 * number))
    stage.play([*rows, message(5, "p", file=file("report.pdf", state="ready", offset=50 * MB))])
    opener = page.get_by_role("button", name="View 2.png")
    opener.click()
    viewer = page.get_by_role("dialog")
    expect(viewer).to_contain_text("2 of 4")
    expect(viewer).to_contain_text("caption 2")
    expect(viewer.locator("img")).to_have_count(1)
    expect(viewer.locator("a")).to_have_attribute("href", "/api/v1/files/i2?download=1")
    page.keyboard.press("ArrowRight")
    expect(viewer).to_contain_text("3.png")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(viewer).to_contain_text("4 of 4")
    expect(viewer.locator("img")).to_have_attribute("src", "/api/v1/files/i4/preview")
    viewer.get_by_role("button", name="Earlier picture").click()
    expect(viewer).to_contain_text("3 of 4")
    page.keyboard.press("Escape")
    expect(viewer).to_have_count(0)
    expect(opener).to_be_focused()


def test_the_viewer_gives_one_picture_alone_the_same_room(stage: Stage) -> None:
    page = stage.page
    row = file("sea.png", "image/png", 900, width=64, height=48, state="ready", offset=900)
    stage.blobs = {"f": ("image/png", picture(64, 48))}
    stage.play([message(1, "p", file=row)])
    for width in (500, 1280):
        page.set_viewport_size({"width": width, "height": 700})
        page.get_by_role("button", name="View sea.png").click()
        viewer = page.get_by_role("dialog")
        expect(viewer.get_by_role("img", name="sea.png")).to_be_visible()
        box = viewer.locator(".viewer-stage").bounding_box()
        assert box is not None
        assert box["width"] == width
        page.keyboard.press("Escape")
        expect(viewer).to_have_count(0)


def test_what_plays_goes_on_when_its_message_is_drawn_again(stage: Stage) -> None:
    page = stage.page
    stage.blobs = {"f": ("audio/wav", tone(20))}
    row = message(1, "p", file=file("voice.wav", "audio/wav", 160_044, state="ready", offset=160_044))
    stage.play([row])
    player = page.locator("audio")
    player.evaluate("async player => { window.player = player; await player.play(); }")
    page.evaluate("row => store.message(row)", {**row, "version": 2, "reactions": [{"emoji": "👍", "users": ["me"]}]})
    expect(page.locator(".chip")).to_have_count(1)
    assert page.evaluate("player.isConnected && !player.paused")
    before = page.evaluate("player.currentTime")
    eventually_sync(lambda: page.evaluate("player.currentTime") > before)


def test_a_deleted_message_has_no_card_any_more(stage: Stage) -> None:
    row = message(1, "p", "see this", file=file(state="ready", offset=50 * MB))
    stage.play([row])
    expect(stage.page.locator(".file")).to_have_count(1)
    stage.page.evaluate("row => store.message(row)", {**message(1, "p"), "version": 2, "deleted": True})
    expect(stage.page.locator(".file")).to_have_count(0)
    expect(stage.page.locator(".msg")).to_contain_text("Message deleted")


BEYOND = """() => [...document.querySelectorAll(".bubble *")].filter(element => {
    const [bubble, box] = [element.closest(".bubble"), element].map(one => one.getBoundingClientRect());
    return box.width > 1 && (box.right > bubble.right + 1 || box.left < bubble.left - 1);
}).map(element => element.className)"""

NAMES = [
    "n" * 251 + ".pdf",
    "\u05d3\u05d5\u05d7 \u05e9\u05e0\u05ea\u05d9 " * 4 + ".pdf",
    "evil\u202efdp.exe",
    "../../etc/passwd",
    "<img src=x onerror=alert(1)>.html",
    "nul\u0000.txt",
]


def test_names_are_shown_and_nothing_else_at_any_width(stage: Stage) -> None:
    page = stage.page
    ready = {"state": "ready", "offset": 50 * MB, "verified": True}
    rows = [
        message(seq, "pm"[seq % 2] + "e" * (seq % 2), file={**file(name), **ready, "id": f"n{seq}"})
        for seq, name in enumerate(NAMES, 1)
    ]
    opened = message(8, "p", file={**file("a" * 80), "id": "o", "state": "open", "offset": 1})
    film = message(9, "p", file=file("f.mp4", "video/mp4", width=400, height=4000, state="open", offset=2, id="v"))
    stage.play([*rows, opened, film])
    for width in (320, 360, 768, 1280):
        page.set_viewport_size({"width": width, "height": 700})
        page.evaluate("new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
        assert faults(page) == {"sideways": [], "small": []}, width
        beyond = page.evaluate(BEYOND)
        assert beyond == [], width
    shown = page.locator(".file-name").all_inner_texts()
    assert [one.replace("\n", "") for one in shown][2:6] == [
        "evil\ufffdfdp.exe",
        "../../etc/passwd",
        "<img src=x onerror=alert(1)>.html",
        "nul\ufffd.txt",
    ]
