"""The pure modules about showing files by themselves."""

from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.e2e

TRANSFERS = """async () => {
    const {Transfers} = await import("/core/transfers.js");
    const all = new Transfers();
    const seen = {};
    const state = id => { const one = all.of(id); return [one.state, one.offset, one.active, one.verified]; };
    const take = (id, told, now = 0) => all.take({id, size: 100, ...told}, now);
    seen.unknown = [state("a"), take("a", {}), all.unsettled];
    take("a", {state: "open", offset: 10, active: true}, 0);
    seen.slow = all.of("a").speed;
    take("a", {state: "open", offset: 30, active: true}, 1000);
    take("a", {state: "open", offset: 50, active: true}, 2000);
    seen.speed = [all.of("a").speed, all.of("a").eta];
    seen.late = [take("a", {state: "open", offset: 20, active: false}, 2100), state("a")];
    seen.same = take("a", {state: "open", offset: 50, active: true}, 2200);
    take("a", {state: "open", offset: 50, active: false}, 2300);
    seen.idle = [state("a"), all.of("a").speed, all.of("a").eta];
    take("a", {state: "verifying", offset: 100}, 2400);
    seen.back = [take("a", {state: "open", offset: 60, active: true}, 2500), state("a")];
    take("a", {state: "ready", offset: 100}, 2600);
    seen.digest = [take("a", {state: "ready", offset: 100, verified: true}), state("a"),
        take("a", {state: "ready", offset: 100}), state("a")];
    seen.settled = [take("a", {state: "failed", offset: 100}), all.unsettled];
    seen.gone = [take("a", {state: "cancelled", offset: 0}), state("a"), take("a", {state: "ready", offset: 100})];
    take("b", {state: "failed", offset: 100, reason: "checksum_mismatch"});
    seen.reason = all.of("b").reason;
    seen.strange = take("c", {state: "melted", offset: 1});
    for (let at = 0; at < 1100; at += 1) all.of(`x${at}`);
    seen.bound = all.files.size;
    return seen;
}"""


def test_a_transfer_only_moves_on_whatever_is_lost_or_late(bench: Page) -> None:
    seen = bench.evaluate(TRANSFERS)
    assert seen["unknown"] == [["", 0, False, False], False, ["a"]]
    assert seen["slow"] == 0, "one sample is no speed"
    assert seen["speed"] == [20, 2.5]
    assert seen["late"] == [False, ["open", 50, True, False]]
    assert seen["same"] is False
    assert seen["idle"] == [["open", 50, False, False], 0, None]
    assert seen["back"] == [False, ["verifying", 100, False, False]]
    assert seen["digest"] == [True, ["ready", 100, False, True], False, ["ready", 100, False, True]]
    assert seen["settled"] == [False, []]
    assert seen["gone"] == [True, ["cancelled", 0, False, False], False]
    assert seen["reason"] == "checksum_mismatch"
    assert seen["strange"] is False
    assert seen["bound"] == 1_000


CARD = """async ([told, own, local, down]) => {
    const {Transfers} = await import("/core/transfers.js");
    const {cardOf} = await import("/core/cards.js");
    const all = new Transfers();
    if (told) all.take({id: "a", size: 100, ...told}, 0);
    const upload = local && {sent: 0, speed: 0, eta: null, reason: "", ...local};
    const card = cardOf({own, transfer: told ? all.of("a") : all.none, local: upload, down});
    return [card.state, card.why, card.offset, card.acts.join(" ")];
}"""

OPEN = {"state": "open", "offset": 40}


class Case(NamedTuple):
    """What the server told of a transfer, and the card's state, reason, offset and acts.

    `told` is None while the message does not know its file's id. `own`: this person sends it, from this device when
    `local` tells how its upload is. `down`: file_chunker is.
    """

    name: str
    told: dict[str, Any] | None
    shown: list[Any]
    own: bool = False
    local: dict[str, Any] | None = None
    down: bool = False


UPLOADING = {"state": "uploading", "sent": 60}
WHOLE = {"state": "ready", "sent": 100}
CASES = [
    Case("nobody has said anything", {}, ["unknown", "", 0, "download"]),
    Case("it has not begun", {"state": "open", "offset": 0}, ["waiting", "sender", 0, "download cancel"]),
    Case("it arrives", {**OPEN, "active": True}, ["uploading", "", 40, "download cancel"]),
    Case("it rests", OPEN, ["paused", "sender", 40, "download cancel"]),
    Case("the server rests", {**OPEN, "active": True}, ["paused", "server", 40, "download cancel"], down=True),
    Case("compared", {"state": "verifying", "offset": 100}, ["verifying", "", 100, "download"]),
    Case("here", {"state": "ready", "offset": 100}, ["ready", "", 100, "download"], down=True),
    Case("wrong", {"state": "failed", "offset": 100, "reason": "damaged"}, ["failed", "damaged", 100, ""]),
    Case("given up", {"state": "cancelled", "offset": 4}, ["cancelled", "", 4, ""]),
    Case("forgotten", {"state": "expired", "offset": 4}, ["expired", "", 4, ""], own=True),
    Case("sent by another device", OPEN, ["paused", "elsewhere", 40, "cancel"], own=True),
    Case("sent here", OPEN, ["uploading", "", 60, "pause cancel"], own=True, local=UPLOADING),
    Case("whole before its message knows its address", None, ["verifying", "", 100, "cancel"], own=True, local=WHOLE),
    Case("settled there first", {"state": "cancelled"}, ["cancelled", "", 0, ""], own=True, local=UPLOADING),
    Case(
        "the upload of somebody else is none of ours",
        OPEN,
        ["paused", "sender", 40, "download cancel"],
        local={"state": "uploading"},
    ),
    Case(
        "refused",
        {},
        ["failed", "too_large", 0, "retry"],
        own=True,
        local={"state": "failed", "reason": "too_large"},
    ),
    *(
        Case(name, OPEN, ["paused", reason, 40, acts], own=True, local={"state": "paused", "reason": reason}, down=down)
        for name, reason, acts, down in (
            ("sent here before a crash", "file", "choose cancel", False),
            ("paused here", "person", "resume cancel", False),
            ("going on by itself", "server", "pause cancel", True),
            ("may not be read", "permission", "resume cancel", False),
        )
    ),
]


def test_a_card_shows_and_offers_what_fits(bench: Page) -> None:
    for case in CASES:
        assert bench.evaluate(CARD, [case.told, case.own, case.local, case.down]) == case.shown, case.name


def test_names_keep_their_end_and_hide_nothing(bench: Page) -> None:
    seen = bench.evaluate(
        """async () => {
            const {boxOf, kindOf, nameParts, shownName} = await import("/core/names.js");
            const parts = name => { const {start, end, dir} = nameParts(name); return [start, end, dir]; };
            const kind = (name, type = "") => kindOf({name, type});
            const names = ["short.pdf", "a long enough name.tar.gz", "quarterly report.pdf", "no end", ".hidden",
                "\\u0634\\u0643\\u0631\\u0627 \\u0634\\u0643\\u0631\\u0627.pdf"];
            return {
                parts: names.map(parts),
                deceiving: ["evil\\u202Efdp.exe", "a\\u0000b\\nc", "\\u2066x"].map(shownName),
                kinds: [kind("a.png", "image/png"), kind("a.svg", "image/svg+xml"), kind("a", "video/mp4; codecs=x"),
                    kind("a.ogg", "AUDIO/OGG"), kind("a.tar.gz"), kind("A.PDF"), kind("a.html", "text/html"), kind("")],
                boxes: [[1600, 800], [100, 3000], [10, 10], [0, 0]].map(([width, height]) => boxOf({width, height})),
            };
        }"""
    )
    assert seen["parts"] == [
        ["short", ".pdf", "ltr"],
        ["a long enough name", ".tar.gz", "ltr"],
        ["quarterly re", "port.pdf", "ltr"],
        ["no end", "", "ltr"],
        [".hidden", "", "ltr"],
        ["شكرا شكرا", ".pdf", "rtl"],
    ]
    assert seen["deceiving"] == ["evil\ufffdfdp.exe", "a\ufffdb\ufffdc", "\ufffdx"]
    assert seen["kinds"] == ["image", "file", "film", "sound", "archive", "text", "file", "file"]
    assert seen["boxes"] == [
        {"width": 320, "height": 160},
        {"width": 240, "height": 340},
        {"width": 240, "height": 120},
        {"width": 260, "height": 195},
    ]


def plain(text: str) -> str:
    """With ordinary spaces between numbers and their units."""
    return text.replace("\u00a0", " ")


def test_sizes_speeds_and_times_are_told_as_people_say_them(bench: Page) -> None:
    seen = bench.evaluate(
        """async () => {
            const {sizeOf, speedOf, timeLeft} = await import("/measures.js");
            const {summaryOf} = await import("/summary.js");
            const report = {name: "report.pdf", type: "application/pdf"};
            return {
                sizes: [0, 1, 999, 1000, 1_234_567, 49_999_999, 999_600_000, 2_147_483_648].map(sizeOf),
                speed: speedOf(3_140_000),
                left: [0.2, 12.2, 59.5, 125, 3_600, 9_000].map(timeLeft),
                lines: [summaryOf({body: "", file: report}), summaryOf({body: "read this", file: report}),
                    summaryOf({file: {name: "a.png", type: "image/png"}}), summaryOf({body: "  hello  you "})],
            };
        }"""
    )
    assert [plain(one) for one in seen["sizes"]] == [
        "0 bytes",
        "1 byte",
        "999 bytes",
        "1 kB",
        "1.2 MB",
        "50 MB",
        "1 GB",
        "2.1 GB",
    ]
    assert plain(seen["speed"]) == "3.1 MB/s"
    assert [plain(one) for one in seen["left"]] == [
        "1 s left",
        "13 s left",
        "1 min left",
        "3 min left",
        "1 h left",
        "3 h left",
    ]
    assert seen["lines"] == ["File report.pdf", "File report.pdf: read this", "Photo", "hello you"]
