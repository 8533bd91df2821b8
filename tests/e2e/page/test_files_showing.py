"""Files as both sides see them, in a whole installation: they appear at once, can be had at once, and can be played."""

import hashlib
import os
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from drill.person import HttpError
from drill.transfer import Transfer
from tests.support.real_page import House, Person, faults
from tests.support.stage import picture, tone
from tests.support.waiting import SCALE, eventually_sync

pytestmark = pytest.mark.e2e

Pair = tuple[Person, Person, str]

MIB = 2**20


def transfer(person: Person) -> Transfer:
    """A client of the files' part of the API, signed in as the browser is."""
    cookies = "; ".join(f"{one['name']}={one['value']}" for one in person.context.cookies())
    return Transfer(person.house.port, {"Cookie": cookies, "Origin": person.house.origin}, within=10 * SCALE)


def announce(way: Transfer, pair: Pair, name: str, size: int, **more: str) -> str:
    """A message of the first to the second with a file of which nothing is here yet; returns the file's id."""
    sender, other, conversation = pair
    file = way.create(name, size, other.id, **more)
    message = {"client_id": f"file-{file}", "body": "", "file": file}
    sender.api("POST", f"/conversations/{conversation}/messages", message)
    return file


def give(pair: Pair, name: str, data: bytes, **more: str) -> str:
    """A message of the first to the second, with a whole file; returns the file's id."""
    with transfer(pair[0]) as way:
        file = announce(way, pair, name, len(data), **more)
        if data:
            way.append(file, 0, data)
        eventually_sync(lambda: (way.state(file) or {})["state"] == "ready")
    return file


def test_what_is_still_being_sent_is_seen_and_downloaded_as_it_arrives(pair: Pair) -> None:
    ada, noor, conversation = pair
    data = os.urandom(4 * MIB)
    ada.open(conversation)
    noor.open(conversation)
    with transfer(ada) as way:
        file = announce(way, pair, "report.pdf", len(data), filetype="application/pdf", promised="1")
        expect(noor.page.locator(".file-line")).to_contain_text("Waiting for the sender")
        way.append(file, 0, data[:MIB])
        expect(noor.page.locator(".file-bar")).not_to_have_attribute("aria-valuenow", "0")
        with noor.page.expect_download() as started:
            noor.page.get_by_role("link", name="Download as it arrives").click()
        way.append(file, MIB, data[MIB:])
        expect(noor.page.locator(".file-line")).to_contain_text("Checking what arrived")
        way.declare(file, hashlib.sha256(data).hexdigest())
    began = time.monotonic()
    assert hashlib.sha256(Path(started.value.path()).read_bytes()).digest() == hashlib.sha256(data).digest()
    assert time.monotonic() - began < 2 * SCALE
    assert started.value.suggested_filename == "report.pdf"
    for side in (ada, noor):
        expect(side.page.locator(".file")).to_have_attribute("data-state", "ready")
        expect(side.page.get_by_role("img", name="Checksum verified")).to_be_visible()
    expect(noor.page.locator(".row-text")).to_have_text("File report.pdf")
    expect(ada.page.locator(".row-text")).to_have_text("You: File report.pdf")
    noor.page.reload()
    expect(noor.page.locator(".file")).to_have_attribute("data-state", "ready")
    expect(noor.page.get_by_role("img", name="Checksum verified")).to_be_visible()


def test_the_recipient_can_end_it_for_both(pair: Pair) -> None:
    ada, noor, conversation = pair
    noor.open(conversation)
    ada.open(conversation)
    with transfer(ada) as way:
        file = announce(way, pair, "long.bin", 50 * MIB)
        noor.page.click(".file-acts [aria-label=Cancel]")
        noor.page.get_by_role("button", name="Stop sending").click()
        for side in (ada, noor):
            expect(side.page.locator(".file")).to_have_attribute("data-state", "cancelled")
        with pytest.raises(HttpError, match="gone"):
            way.append(file, 0, b"x" * 100)


def test_pictures_are_here_at_once_and_open_the_viewer(pair: Pair) -> None:
    ada, noor, conversation = pair
    noor.open(conversation)
    first = give(pair, "sea.png", picture(320, 180), filetype="image/png", width="320", height="180")
    give(pair, "not really.png", b"<script>alert(1)</script>" * 9, filetype="image/png", width="320", height="180")
    expect(noor.page.locator(".row-text")).to_have_text("Photo")
    noor.page.wait_for_selector(f"[data-file='{first}'] .media-whole.here")
    expect(noor.page.locator(".file-name", has_text="not really")).to_be_visible()
    noor.page.get_by_role("button", name="View sea.png").click()
    noor.page.wait_for_selector(".viewer-whole")
    eventually_sync(lambda: noor.page.evaluate("document.querySelector('.viewer-whole').naturalWidth") == 320)
    noor.page.keyboard.press("Escape")
    # A picture that is none was refused by the browser, and said so in its console.
    noor.complaints.clear()
    ada.page.goto(f"{ada.house.origin}/chat/{conversation}")
    ada.page.wait_for_selector(".media-whole.here")
    expect(ada.page.locator(".file-name", has_text="not really")).to_be_visible()
    ada.complaints.clear()


def test_sound_plays_from_anywhere(pair: Pair) -> None:
    _, noor, conversation = pair
    seconds = 900
    noor.open(conversation)
    file = give(pair, "talk.wav", tone(seconds), filetype="audio/wav")
    asked: list[str] = []
    noor.page.on("request", lambda one: asked.append(one.headers.get("range", "")) if file in one.url else None)
    noor.page.reload()
    player = noor.page.locator("audio")
    expect(player).to_be_visible()
    eventually_sync(lambda: player.evaluate("player => player.duration") == seconds)
    place: dict[str, Any] = player.evaluate(
        """player => new Promise(done => {
            player.addEventListener("seeked", () => done({at: player.currentTime, error: player.error}), {once: true});
            player.currentTime = 800;
        })"""
    )
    assert place == {"at": 800, "error": None}
    # Not by reading everything before it.
    assert any(one.startswith("bytes=") and int(one[6:].split("-")[0]) > 4 * MIB for one in asked), asked


FILM = """() => new Promise(done => {
    const canvas = Object.assign(document.createElement("canvas"), {width: 160, height: 90});
    const brush = canvas.getContext("2d");
    let drawn = 0;
    const draw = setInterval(() => {
        brush.fillStyle = `hsl(${performance.now() % 360} 80% 50%)`;
        brush.fillRect(0, 0, 160, 90);
        drawn += 1;
        // A browser that is starved draws less often, and a film needs some pictures.
        if (drawn >= 20 && performance.now() - began > 700 && recorder.state === "recording") recorder.stop();
    }, 30);
    const recorder = new MediaRecorder(canvas.captureStream(30), {mimeType: "video/webm;codecs=vp8"});
    recorder.addEventListener("dataavailable", async ({data}) => {
        clearInterval(draw);
        done([...new Uint8Array(await data.arrayBuffer())]);
    });
    recorder.start();
    const began = performance.now();
})"""
"""The bytes of a short film."""


def test_a_film_plays_in_its_place(pair: Pair) -> None:
    _, noor, conversation = pair
    noor.open(conversation)
    film = bytes(noor.page.evaluate(FILM))
    give(pair, "film.webm", film, filetype="video/webm;codecs=vp8", width="160", height="90")
    player = noor.page.locator("video")
    expect(player).to_be_visible()
    assert player.evaluate("async player => { await player.play(); return player.videoWidth; }") == 160
    sought = (
        "player => new Promise(done => { player.onseeked = () => done(player.currentTime); player.currentTime = 0.2; })"
    )
    assert player.evaluate(sought) == pytest.approx(0.2, abs=0.05)


NAMES = [
    "ü" * 125 + "x.pdf",
    "\u05d3\u05d5\u05d7 \u05e9\u05e0\u05ea\u05d9.pdf",
    "../../etc/passwd",
    "evil\u202efdp.exe",
    "CON",
]


def test_no_name_is_more_than_a_name(pair: Pair) -> None:
    _, noor, conversation = pair
    for name in NAMES:
        give(pair, name, b"x")
    give(pair, "nothing.txt", b"")
    noor.page.set_viewport_size({"width": 360, "height": 700})
    noor.open(conversation)
    cards = noor.page.locator(".file[data-state=ready]")
    expect(cards).to_have_count(6)
    assert faults(noor.page) == {"sideways": [], "small": []}
    saved = []
    for place in range(6):
        with noor.page.expect_download() as started:
            cards.nth(place).get_by_role("link", name="Download").click()
        saved.append(started.value.suggested_filename)
        assert Path(started.value.path()).stat().st_size == (1 if place < 5 else 0)
    assert not any("/" in name or "\u202e" in name for name in saved), saved
    with transfer(noor) as way, pytest.raises(HttpError) as refusal:
        way.create("nul\u0000.txt", 1, pair[0].id)
    assert refusal.value.status == 400


def test_while_file_chunker_is_away_cards_say_that_they_go_on_by_themselves(pair: Pair, house: House) -> None:
    ada, noor, conversation = pair
    whole = give(pair, "here.bin", b"x" * 1000)
    noor.open(conversation)
    with transfer(ada) as way:
        file = announce(way, pair, "half.bin", MIB)
        way.append(file, 0, b"x" * (MIB // 2))
    card = noor.page.locator(f"[data-file='{file}'] .file-line")
    expect(card).to_be_visible()
    house.parley("stop", "file_chunker")
    try:
        expect(noor.page.locator("[data-strip=file_chunker]")).to_contain_text("uploads resume by themselves")
        expect(card).to_contain_text("Paused, goes on by itself")
        with noor.page.expect_download() as started:
            noor.page.locator(f"[data-file='{whole}']").get_by_role("link", name="Download").click()
        assert Path(started.value.path()).stat().st_size == 1000
    finally:
        house.parley("start", "file_chunker")
    expect(noor.page.locator("[data-strip=file_chunker]")).to_have_count(0, timeout=15_000 * SCALE)
    expect(card).to_contain_text("Paused at 50%")
