"""The pure modules about presence, notices and wishes by themselves."""

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.e2e

PRESENCE = """async () => {
    const {Presence} = await import("/core/presence.js");
    const one = new Presence();
    const seen = {};
    one.asking();
    one.one({user: "a", state: "away", last_seen: "t"});
    one.one({user: "b", state: "unknown"});
    one.all([{user: "a", state: "online"}, {user: "b", state: "online"}, {user: "c", state: "offline"}]);
    seen.pushed_while_asking = ["a", "b", "c"].map(user => one.of(user)?.state ?? null);
    one.all([{user: "a", state: "online"}]);
    seen.asked_again = ["a", "c"].map(user => one.of(user));
    one.asking();
    one.one({user: "a", state: "away"});
    one.asking();
    one.all([{user: "a", state: "offline"}]);
    seen.asked_later = one.of("a").state;
    one.types("x", 1000);
    one.types("y", 3000);
    one.types("x", 2000);
    seen.lapse = [one.lapse(7999), one.isTyping("x"), one.lapse(8000), one.isTyping("x"), one.isTyping("y")];
    seen.wrote = [one.wrote("y"), one.wrote("y"), one.lapse(8001)];
    one.types("x", 9000);
    one.clear();
    seen.cleared = [one.of("a"), one.isTyping("x")];
    return seen;
}"""


def test_presence_takes_the_newer_word_and_typing_lapses(bench: Page) -> None:
    seen = bench.evaluate(PRESENCE)
    assert seen["pushed_while_asking"] == ["away", None, "offline"]
    assert seen["asked_again"] == [{"state": "online", "lastSeen": ""}, None]
    assert seen["asked_later"] == "offline", "what was pushed before the list was asked for is older than it"
    assert seen["lapse"] == [1, True, 1000, False, True]
    assert seen["wrote"] == [True, False, 0]
    assert seen["cleared"] == [None, False]


LOST = """async () => {
    const {Notifier} = await import("/notifier.js");
    const {Store} = await import("/core/store.js");
    const store = new Store({id: "me"});
    const answers = [];
    const api = {get: path => path === "/presence" ? new Promise(resolve => answers.push(resolve)) : Promise.reject()};
    const connection = {up: true, write: () => true};
    const announcer = {greeted: () => {}};
    const one = new Notifier({client: {store, api, connection}, attention: {listen: () => {}}, announcer,
        bell: {view: () => {}}, viewing: () => ""});
    const real = [window.setTimeout, window.clearTimeout];
    const timers = new Map();
    window.setTimeout = (act, ms) => { timers.set(timers.size + 1, [act, ms]); return timers.size; };
    window.clearTimeout = timer => timers.delete(timer);
    const turn = () => new Promise(resolve => real[0].call(window, resolve));
    const online = {presence: [{user: "p", state: "online"}]};
    const state = () => store.presence.of("p")?.state ?? null;
    const seen = [];
    const is = up => { connection.up = up; one.connectionIs({up}); };
    const lapse = () => { for (const [timer, [act, ms]] of timers) if (ms === 2000) { timers.delete(timer); act(); } };
    one.hello({});
    answers.pop()(online);
    await turn();
    seen.push(state());
    is(false);
    is(false);
    is(true);
    lapse();
    seen.push(state());
    one.readPresence();
    is(false);
    store.presence.types("c", 0);
    lapse();
    seen.push(state(), store.presence.isTyping("c"));
    answers.pop()(online);
    await turn();
    one.readPresence();
    seen.push(state(), answers.length);
    is(true);
    one.hello({});
    answers.pop()(online);
    await turn();
    seen.push(state());
    [window.setTimeout, window.clearTimeout] = real;
    return seen;
}"""


def test_a_page_without_a_connection_does_not_say_who_is_there(bench: Page) -> None:
    seen = bench.evaluate(LOST)
    assert seen[:2] == ["online", "online"], "a moment is nothing"
    assert seen[2:4] == [None, False]
    assert seen[4:] == [None, 0, "online"]


SIGNAL = """async () => {
    const {TypingSignal} = await import("/core/presence.js");
    const one = new TypingSignal();
    const sent = [];
    let due = null;
    const ask = now => { if (one.due(now)) sent.push(now); };
    // Keys each 100 ms for 8 s, as the page does it: at once where nothing is to be waited for, else by a timer.
    for (let now = 0; now <= 8000; now += 100) {
        if (due !== null && due <= now) { ask(due); due = null; }
        const wait = one.typed(now);
        if (wait === 0) ask(now); else due = now + wait;
    }
    const other = new TypingSignal();
    const quiet = [other.typed(0), other.due(0), other.typed(500), other.due(3300)];
    const stopped = [other.typed(3300), other.due(3300), other.typed(4000)];
    other.stop();
    stopped.push(other.due(6700));
    return {sent, quiet, stopped};
}"""


def test_a_signal_leaves_each_three_seconds_while_somebody_writes(bench: Page) -> None:
    seen = bench.evaluate(SIGNAL)
    assert seen["sent"] == [0, 3300, 6600]
    # Who stopped long before the timer, or has sent, does not write any more.
    assert seen["quiet"] == [0, True, 2800, False]
    assert seen["stopped"] == [0, True, 2600, False]


NOTICES = """async () => {
    const {Notices} = await import("/core/notices.js");
    const row = (id, change, more) => ({id, change, kind: "request", read: false, ...more});
    const one = new Notices();
    const seen = {};
    const ids = () => one.list.map(row => row.id + (row.read ? "" : "!"));
    one.page({notices: [row("c", 9), row("b", 5, {read: true})], unread: 4, more: true}, true);
    seen.first = [ids(), one.unread, one.oldest, one.newest];
    one.page({notices: [row("a", 2)], unread: 2, more: false}, false);
    one.put(row("m", 11, {kind: "messages", away: false}));
    one.put(row("n", 12, {kind: "messages", away: true}));
    one.put(row("c", 8, {read: true}));
    seen.more = [ids(), one.unread];
    const before = one.read({up_to: 9});
    one.put(row("c", 9));
    seen.read = [before.map(row => row.id).sort(), ids(), one.unread];
    one.restore(before);
    seen.restored = ids();
    const late = one.read({ids: ["a"]});
    one.put(row("a", 3, {read: true}));
    one.restore(late);
    seen.overtaken = ids();
    one.put(row("a", 4));
    one.read({ids: ["n", "unknown"]});
    one.put(row("n", 14, {kind: "messages", away: true}));
    seen.grown = ids();
    one.page({notices: [row("c", 9)], unread: 1, more: false}, true);
    seen.again = ids();
    one.put(row("z", 20));
    one.page({notices: [row("z", 20), row("y", 19)], unread: 9, more: true}, true);
    seen.apart = [ids(), one.whole, one.unread];
    one.page({notices: [row("c", 9)], unread: 9, more: false}, false);
    one.page({notices: [row("z", 20), row("y", 19)], unread: 9, more: true}, true);
    seen.whole = [ids(), one.whole, one.unread];
    for (let change = 100; change < 2000; change += 1) one.put(row(`n${change}`, change));
    seen.bounded = [one.rows.size, one.newest];
    return seen;
}"""


def test_notices_are_counted_from_what_is_listed(bench: Page) -> None:
    seen = bench.evaluate(NOTICES)
    assert seen["first"] == [["c!", "b"], 4, 5, 9]
    assert seen["more"] == [["n!", "c!", "b", "a!"], 3]
    assert seen["read"] == [["a", "c"], ["n!", "c", "b", "a"], 1]
    assert seen["restored"] == ["n!", "c!", "b", "a!"]
    assert seen["overtaken"] == ["n!", "c!", "b", "a"], (
        "what could not be told was overtaken by what another device told"
    )
    assert seen["grown"] == ["n!", "c!", "b", "a!"]
    # What the server has no more is gone, but not what came after its answer.
    assert seen["again"] == ["n!", "c!"]
    # Between the end of a page and what was known before there may be more.
    assert seen["apart"] == [["z!", "y!", "n!", "c!"], False, 9]
    assert seen["whole"] == [["z!", "y!", "n!", "c!"], True, 4]
    assert seen["bounded"] == [1500, 1999]


ANNOUNCED = """async () => {
    const {Announced} = await import("/core/notices.js");
    const {Wishes} = await import("/core/wishes.js");
    const seen = {};
    const fresh = new Announced();
    seen.unknown = fresh.lacks({id: "a", change: 5});
    fresh.reached(5);
    seen.begun = [5, 6].map(change => fresh.lacks({id: "a", change}));
    fresh.done({id: "a", change: 7});
    const kept = Announced.of(String(fresh));
    seen.pushed = [["a", 7], ["a", 8], ["b", 6]].map(([id, change]) => kept.lacks({id, change}));
    kept.reached(7);
    seen.reached = [kept.ids.size, kept.lacks({id: "b", change: 6}), kept.lacks({id: "a", change: 8})];
    for (let change = 10; change < 900; change += 1) kept.done({id: `n${change}`, change});
    seen.bounded = [kept.ids.size, kept.full];
    seen.broken = [Announced.of("{").cursor, Announced.of("null").cursor];
    const wishes = new Wishes();
    const mutes = [{user: "a", forever: true}, {user: "b", until: "1970-01-01T00:00:09Z"}];
    wishes.answered(wishes.asking(), {preferences: {sound: true}, mutes});
    wishes.mute({user: "c", until: "1970-01-01T00:00:05Z"});
    seen.muted = ["a", "b", "c", "d"].map(user => wishes.mutedUntil(user, 6000) > 0);
    seen.next = [wishes.nextEnd(4000), wishes.nextEnd(6000), wishes.nextEnd(9000)];
    wishes.mute({user: "a"});
    seen.unmuted = wishes.mutedUntil("a", 0);
    wishes.prefer({type: "preferences", sound: false});
    seen.preferences = wishes.preferences;
    const older = wishes.asking();
    wishes.prefer({type: "preferences", sound: true});
    wishes.mute({user: "c", forever: true});
    wishes.mute({user: "b"});
    const younger = wishes.asking();
    wishes.answered(older, {preferences: {sound: false}, mutes: [...mutes, {user: "d", forever: true}]});
    const muted = (...users) => users.map(user => wishes.mutedUntil(user, 0) > 0);
    seen.told_while_asking = [wishes.preferences.sound, ...muted("a", "b", "c", "d")];
    wishes.answered(younger, {preferences: {sound: false}, mutes: []});
    seen.asked_again = [wishes.preferences.sound, ...muted("a", "c", "d")];
    const turns = [wishes.asking(), wishes.asking(), wishes.asking()];
    const crossed = at => { wishes.answered(turns[at], at === 2 ? null : {preferences: {turn: at}, mutes: []}); };
    // The youngest fails.
    seen.crossed = [2, 1, 0].map(at => { crossed(at); return wishes.preferences.turn ?? null; });
    seen.kept = wishes.told.size;
    return seen;
}"""


def test_nothing_is_announced_twice_and_nothing_left_out(bench: Page) -> None:
    seen = bench.evaluate(ANNOUNCED)
    assert seen["unknown"] is False
    assert seen["begun"] == [False, True]
    # A push that came is remembered by itself: of one that came before it, and was lost, the log still tells.
    assert seen["pushed"] == [False, True, True]
    assert seen["reached"] == [0, False, True]
    assert seen["bounded"] == [200, True]
    assert seen["broken"] == [None, None]
    assert seen["muted"] == [True, True, False, False]
    assert seen["next"] == [1000, 3000, 0]
    assert seen["unmuted"] == 0
    assert seen["preferences"] == {"sound": False}
    assert seen["told_while_asking"] == [True, True, False, True, True]
    assert seen["asked_again"] == [False, False, False, False]
    assert seen["crossed"] == [None, 1, 1]
    assert seen["kept"] == 0
