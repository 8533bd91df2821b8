"""The page's pure modules by themselves: no server, no socket, no page to draw on."""

import re

import pytest
from playwright.sync_api import Page

from tests.support.real_page import ROOT, SCRIPTS

pytestmark = pytest.mark.e2e

OUTBOX = """async () => {
    const {Outbox, frameOf} = await import("/core/outbox.js");
    const box = new Outbox();
    const rest = {kind: "send", conversation: "c", to: "u", state: "queued"};
    const send = (id, order) => ({...rest, client_id: id, order, body: id});
    const taken = now => box.take(now ?? 0).map(entry => entry.client_id);
    const seen = {};
    box.add(send("b", 2), send("a", 1), send("c", 3), send("a", 1));
    seen.closed = taken();
    box.opened(2);
    seen.first = taken();
    seen.full = taken();
    box.answered("a");
    seen.room = taken();
    box.closed();
    box.opened(9);
    seen.again = taken();
    box.refused("b", {code: "rate_limited", message: "", retry_after: 2}, 1000);
    seen.paused = taken(2999);
    seen.resumed = taken(3001);
    const failed = box.refused("c", {code: "not_a_contact", message: "no"}, 0);
    seen.failed = [failed.state, failed.reason, box.waiting];
    box.again("c", "d", 9, "later");
    seen.retried = [taken(3001), box.find("c"), box.find("d").reason];
    seen.unknown = [box.answered("x"), box.refused("x", {code: "invalid"}, 0)];
    box.add({...send("e", 10), state: "sent"});
    seen.adopted = taken(3001);
    seen.frames = [
        frameOf(send("a", 1)),
        frameOf({kind: "react", client_id: "r", conversation: "c", message_id: "m", emoji: "+", on: false}),
    ];
    return seen;
}"""


def test_the_outbox_keeps_order_window_and_identity(bench: Page) -> None:
    seen = bench.evaluate(OUTBOX)
    assert seen["closed"] == []
    assert seen["first"] == ["a", "b"]
    assert seen["full"] == []
    assert seen["room"] == ["c"]
    assert seen["again"] == ["b", "c"]
    assert seen["paused"] == []
    assert seen["resumed"] == ["b"]
    assert seen["failed"] == ["failed", "no", 1]
    assert seen["retried"] == [["d"], None, None]
    assert seen["unknown"] == [None, None]
    # Another tab had it on the wire when it was closed: here nobody would ever answer it.
    assert seen["adopted"] == ["e"]
    send, react = seen["frames"]
    assert send == {"type": "send", "id": "a", "client_id": "a", "to": "u", "body": "a"}
    assert react == {
        "type": "react",
        "id": "r",
        "client_id": "r",
        "conversation": "c",
        "message_id": "m",
        "emoji": "+",
        "on": False,
    }


CONVERSATION = """async () => {
    const {Conversation, Log} = await import("/core/conversation.js");
    const item = {id: "c", peer: {id: "p"}, relation: "contact", last_message: null, unread: 2, version: 5, seq: 5,
        my_read: 3, my_delivered: 3, peer_read: 0, peer_delivered: 0};
    const row = (seq, version, more) => ({conversation: "c", seq, version, message_id: `m${seq}`, client_id: `k${seq}`,
        sender: "p", at: "2026-01-01T00:00:00.000Z", body: `v${version}`, ...more});
    const one = new Conversation(item, "me");
    const seen = {};
    one.take(row(6, 6), true);
    one.take(row(6, 6), true);
    seen.doubled = [one.unread, one.version, one.gap];
    one.take(row(8, 8), true);
    seen.ahead = [one.unread, one.version, one.gap];
    one.take(row(7, 7), true);
    seen.filled = [one.unread, one.version, one.gap, one.last.seq];
    one.take(row(7, 9, {deleted: true, body: ""}), true);
    one.take(row(5, 10, {deleted: true, body: ""}), true);
    seen.deleted = one.unread;
    one.receipt("me", 8, 6);
    seen.read = one.unread;
    one.receipt("me", 8, 4);
    one.merge({...item, unread: 2, my_read: 3, version: 5, seq: 5});
    seen.never_back = [one.unread, one.myRead, one.version, one.seq];
    const other = new Conversation({...item, unread: 2, seq: 5, my_read: 2}, "me");
    seen.guessed = [other.receipt("me", 5, 4), other.unread];
    other.merge({...item, unread: 0, my_read: 4});
    seen.told = [other.receipt("me", 5, 4), other.unread];
    other.merge({...item, unread: 2, my_read: 2});
    other.log = new Log();
    other.log.page([row(3, 3), row(4, 4), row(5, 5, {sender: "me"})], true);
    seen.known = [other.receipt("me", 5, 4), other.unread];
    one.receipt("p", 4, 2);
    one.receipt("p", 3, 1);
    seen.fates = [2, 3, 5].map(seq => one.fate(seq));

    const log = new Log();
    log.put(row(9, 12));
    log.page([row(7, 9), row(8, 8)], true);
    seen.early = [log.lo, log.hi, log.complete];
    log.put(row(8, 7));
    log.put(row(3, 13));
    seen.kept = [log.rows.get(8).body, log.rows.has(3), log.find("m9").seq];
    log.page([row(1, 1)], false);
    seen.complete = [log.lo, log.complete, log.between(1, 7).map(r => r.seq), log.firstUnread(7, "me")];
    return seen;
}"""


def test_a_conversation_counts_each_message_once_in_any_order(bench: Page) -> None:
    seen = bench.evaluate(CONVERSATION)
    assert seen["doubled"] == [3, 6, False]
    assert seen["ahead"] == [4, 6, True]
    assert seen["filled"] == [5, 8, False, 8]
    assert seen["deleted"] == 3
    assert seen["read"] == 1
    assert seen["never_back"] == [1, 6, 10, 8]
    # The last one of five was mine, but who has read up to the fourth cannot know that from the number alone.
    assert seen["guessed"] == [False, 1]
    assert seen["told"] == [True, 0]
    assert seen["known"] == [True, 0]
    assert seen["fates"] == ["read", "delivered", "stored"]
    assert seen["early"] == [7, 9, False]
    assert seen["kept"] == ["v8", False, 9]
    assert seen["complete"] == [1, True, [1, 7], 8]


MARKS = """async () => {
    const {Conversation, Log} = await import("/core/conversation.js");
    const item = {id: "c", peer: {id: "p"}, relation: "contact", last_message: null, unread: 0, unread_from: 0,
        version: 5, seq: 5, my_read: 5, my_delivered: 5, peer_read: 0, peer_delivered: 0};
    const row = (seq, more) => ({conversation: "c", seq, version: seq, message_id: `m${seq}`, client_id: `k${seq}`,
        sender: seq === 3 ? "me" : "p", at: "2026-01-01T00:00:00.000Z", body: "x", ...more});
    const seen = {};
    const one = new Conversation(item, "me");
    seen.unknown = [one.receipt("me", 5, 5, 2), one.marked];
    one.log = new Log();
    one.log.page([1, 2, 3, 4, 5].map(seq => row(seq)), false);
    seen.counted = [one.receipt("me", 5, 5, 1), one.unread, one.floor, one.log.firstUnread(one.floor, "me")];
    one.receipt("me", 5, 5, 2);
    seen.moved = [one.unread, one.floor];
    one.take(row(6), true);
    one.take(row(4, {version: 7, deleted: true, body: ""}), true);
    one.receipt("me", 6, 5, 2);
    seen.on = [one.unread, one.floor];
    one.readUpTo(1);
    seen.below = [one.unread, one.marked];
    one.readUpTo(6);
    seen.read = [one.unread, one.marked, one.floor];
    one.receipt("me", 6, 6, 6);
    one.receipt("me", 6, 6);
    seen.elsewhere = [one.unread, one.marked];
    one.merge({...item, unread: 2, unread_from: 5, version: 8, seq: 6, my_read: 6});
    seen.listed = [one.unread, one.floor];
    return seen;
}"""


def test_a_mark_as_unread_comes_and_goes(bench: Page) -> None:
    seen = bench.evaluate(MARKS)
    assert seen["unknown"] == [False, 2], "without its log the list has to be read again"
    assert seen["counted"] == [True, 4, 0, 1]
    assert seen["moved"] == [3, 1]
    assert seen["on"] == [3, 1]
    assert seen["below"] == [3, 2]
    assert seen["read"] == [0, 0, 6]
    assert seen["elsewhere"] == [0, 0]
    assert seen["listed"] == [2, 4]


ROWS = """async () => {
    const {rowsOf, overlaid, pendingRow} = await import("/core/rows.js");
    const rest = {body: "", reactions: []};
    const row = (seq, sender, at) => ({...rest, seq, sender, at, message_id: `m${seq}`, client_id: `k${seq}`});
    const messages = [
        row(1, "p", "2026-03-01T10:00:00.000Z"), row(2, "p", "2026-03-01T10:04:00.000Z"),
        row(3, "p", "2026-03-01T10:10:00.000Z"), row(4, "me", "2026-03-01T10:10:01.000Z"),
        row(5, "p", "2026-03-01T22:59:59.000Z"), row(6, "p", "2026-03-01T23:00:01.000Z"),
    ];
    const entry = {kind: "send", client_id: "z", at: "2026-03-01T23:01:00.000Z", body: "b", state: "sent"};
    const pending = [pendingRow(entry, "me")];
    const rows = rowsOf({messages, pending, me: "me", fate: () => "read", divider: 2, unread: 4});
    const told = rows.map(r => r.kind === "message"
        ? [r.row.seq ?? "new", r.first, r.last, r.fate].join(" ") : r.kind === "day" ? r.key : `divider ${r.count}`);
    const laid = overlaid(row(4, "me", "x"), [
        {kind: "edit", message_id: "m4", body: "new", at: "y", state: "sent"},
        {kind: "react", message_id: "m4", emoji: "+", on: true, state: "queued"},
        {kind: "edit", message_id: "m5", body: "not this", state: "sent"},
    ], "me");
    return {told, laid: [laid.body, laid.edited_at, laid.reactions], keys: rows.filter(r => r.own).map(r => r.key)};
}"""


def test_days_groups_and_divider_fall_where_people_expect_them(bench: Page) -> None:
    seen = bench.evaluate(ROWS)
    assert seen["told"] == [
        "day-2026-03-01",
        "1 true true ",
        "divider 4",
        "2 true true ",
        "3 true true ",
        "4 true true read",
        "5 true true ",
        "day-2026-03-02",
        "6 true true ",
        "new true true sent",
    ]
    assert seen["laid"] == ["new", "y", [{"emoji": "+", "users": ["me"]}]]
    assert seen["keys"] == ["own-k4", "own-z"]


LATE_ROWS = """async () => {
    const {rowsOf, pendingRow} = await import("/core/rows.js");
    const row = (seq, at) => ({body: "", seq, sender: "p", at, message_id: `m${seq}`, client_id: `k${seq}`});
    const messages = [row(1, "2026-03-01T10:00:00.000Z"), row(2, "2026-03-02T10:00:00.000Z"),
        row(3, "2026-03-01T22:59:00.000Z"), row(4, "2026-03-02T11:00:00.000Z")];
    const entry = {kind: "send", client_id: "z", at: "2026-03-01T20:00:00.000Z", body: "b", state: "failed"};
    const pending = [pendingRow(entry, "me")];
    const rows = rowsOf({messages, pending, me: "me", fate: () => "", divider: 0, unread: 0});
    return rows.map(r => r.kind === "day" ? r.key : r.key.replace("seq-", ""));
}"""


def test_what_failed_yesterday_stands_below_today_without_yesterday_coming_again(bench: Page) -> None:
    seen = bench.evaluate(LATE_ROWS)
    assert seen == ["day-2026-03-01", "1", "day-2026-03-02", "2", "3", "4", "own-z"]


def test_waits_between_attempts_grow_and_are_bounded(bench: Page) -> None:
    waits = bench.evaluate(
        """async () => {
            const {closeDelay, reconnectDelay} = await import("/core/backoff.js");
            return {
                usual: [0, 1, 2, 6, 50].map(attempt => reconnectDelay(attempt, 1)),
                least: reconnectDelay(5, 0),
                restart: closeDelay(1012, 0, 0.5),
                hasty: closeDelay(4008, 0, 0),
            };
        }"""
    )
    assert waits["usual"] == [500, 1000, 2000, 30_000, 30_000]
    assert waits["least"] >= 50
    assert waits["restart"] == 500
    assert waits["hasty"] == 2_000


def test_links_letters_and_lengths(bench: Page) -> None:
    seen = bench.evaluate(
        """async () => {
            const text = await import("/core/text.js");
            const hrefs = body => text.linked(body).filter(part => part.href).map(part => part.href);
            return {
                links: ["see https://a.example/x, or (http://b.example/y)", "javascript:alert(1)", "https://"].map(hrefs),
                whole: text.linked("a https://b.example. c").map(part => part.text).join(""),
                initials: ["Ada Lindqvist", "noor", "  ", "Jean-Luc van Dam"].map(text.initials),
                length: [text.lengthOf("ab"), text.lengthOf("\\u{1F600}")],
                emoji: ["\\u{1F600}", "\\u2764\\uFE0F", "7", "hi \\u{1F600}"].map(text.onlyEmoji),
                folded: text.folded("Ren\\u00E9e") === text.folded("RENEE"),
            };
        }"""
    )
    assert seen["links"] == [["https://a.example/x", "http://b.example/y"], [], []]
    assert seen["whole"] == "a https://b.example. c"
    assert seen["initials"] == ["AL", "N", "?", "JD"]
    assert seen["length"] == [2, 1]
    assert seen["emoji"] == [True, True, False, False]
    assert seen["folded"] is True


def test_moments_are_told_as_people_say_them(bench: Page) -> None:
    seen = bench.evaluate(
        """async () => {
            const {dayLabel, shortOf} = await import("/dates.js");
            const now = new Date("2026-03-12T14:00:00+01:00");
            const moments = ["2026-03-12T13:02:00+01:00", "2026-03-11T23:59:00+01:00", "2026-03-09T10:00:00+01:00",
                "2026-02-01T10:00:00+01:00", "2025-02-01T10:00:00+01:00"];
            return {short: moments.map(at => shortOf(at, now)), day: moments.map(at => dayLabel(at, now))};
        }"""
    )
    assert seen["short"] == ["13:02", "Yesterday", "Mon", "1 Feb", "1 Feb 2025"]
    assert seen["day"] == ["Today", "Yesterday", "Monday 9 March", "Sunday 1 February", "1 February 2025"]


def test_every_sentence_that_a_script_asks_for_is_in_the_catalogue(bench: Page) -> None:
    asked: set[str] = set()
    for path in SCRIPTS.rglob("*.js"):
        script = path.read_text()
        catalogue = re.search(r'from "(.+/words\.js)"', script)
        if catalogue and (path.parent / catalogue[1]).resolve() == SCRIPTS / "words.js":
            asked |= set(re.findall(r'(?:say|section)\(\s*"([a-z.A-Z]+)"', script))
    assert len(asked) > 80
    missing = bench.evaluate(
        "async keys => { const {has} = await import('/words.js'); return keys.filter(key => !has(key)); }",
        sorted(asked),
    )
    assert missing == []


def test_no_script_can_make_markup_of_text() -> None:
    for path in SCRIPTS.rglob("*.js"):
        found = re.findall(
            r"\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval|new Function)\b", path.read_text()
        )
        assert not found, path


def test_text_keeps_its_contrast_in_both_schemes() -> None:
    tokens = (ROOT / "web" / "static" / "css" / "tokens.css").read_text()
    colours = {name: (one, one) for name, one in re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", tokens)}
    both = r"--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);"
    colours |= {name: (light, dark) for name, light, dark in re.findall(both, tokens)}
    weak = [
        (text, ground, scheme)
        for text, grounds in TEXT_ON.items()
        for ground in grounds
        for scheme in (0, 1)
        if contrast(colours[text][scheme], colours[ground][scheme]) < (3 if text == "line-strong" else 4.5)
    ]
    assert weak == []


TEXT_ON = {
    "ink": ("paper", "surface", "raised", "sunken", "other", "brand-tint", "ember-tint", "bad-tint"),
    "ink-soft": ("paper", "surface", "raised", "sunken", "other", "brand-tint"),
    "ink-link": ("paper", "surface", "raised", "brand-tint"),
    "ember": ("paper", "surface", "brand-tint"),
    "ember-ink": ("ember-fill",),
    "brand-ink": ("brand", "brand-deep", "bad-fill"),
    "own-ink": ("own",),
    "own-soft": ("own",),
    "own-read": ("own",),
    "own-link": ("own",),
    "bad": ("paper", "raised"),
    "line-strong": ("raised", "paper"),
}
"""Which text stands on which ground; borders of fields need 3:1."""


def contrast(one: str, other: str) -> float:
    """WCAG's contrast ratio of two colours."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
