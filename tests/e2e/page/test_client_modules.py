"""The page's glue by itself, with answers that come when the test says so: what crosses on its way must end well."""

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.e2e

SETTING = """window.setting = async () => {
    const {Client} = await import("/client.js");
    const {Store} = await import("/core/store.js");
    const asked = [], wire = [];
    const answer = (to, value) => {
        const at = asked.findIndex(one => one.path.split("?")[0] === to);
        const [one] = asked.splice(at, 1);
        value instanceof Error ? one.reject(value) : one.resolve(value);
    };
    const get = path => new Promise((resolve, reject) => asked.push({path, resolve, reject}));
    const disk = {adopt: async () => [], put: async () => {}, remove: async () => {}};
    const heard = [];
    const on = Object.fromEntries(["connection", "outbox", "hello", "frame", "resynced", "arrived", "online", "lists"]
        .map(name => [name, (...what) => heard.push([name, ...what])]));
    const store = new Store({id: "me"});
    const client = new Client({store, api: {get}, disk, url: "", on});
    const ask = frame => get(`sync ${frame.since}`);
    Object.assign(client.connection, {up: true, write: frame => wire.push(frame), ask});
    const peer = {id: "p", username: "p", display_name: "P"};
    const item = (more = {}) => ({id: "c", peer, relation: "contact", last_message: null, unread: 0, unread_from: 0,
        version: 0, seq: 0, my_read: 0, my_delivered: 0, peer_read: 0, peer_delivered: 0, ...more});
    const row = (seq, version, more = {}) => ({type: "message", conversation: "c", seq, version, message_id: `m${seq}`,
        client_id: `k${seq}`, sender: "p", at: "2026-01-01T00:00:00.000Z", body: `v${version}`, ...more});
    const lists = ({conversations = [item()], contacts = [], incoming = [], sync = "t0"} = {}) => {
        answer("/conversations", {conversations, sync});
        answer("/contacts", {contacts, blocked: []});
        answer("/contacts/requests", {incoming, outgoing: []});
    };
    const turn = () => new Promise(resolve => setTimeout(resolve));
    const begin = async (...conversations) => {
        client.loadLists();
        lists({conversations});
        await turn();
        answer("sync t0", {changes: [], next: "t1", more: false});
        await turn();
    };
    return {begin, client, store, asked, answer, wire, heard, item, row, lists, peer, turn};
}"""


@pytest.fixture(scope="module")
def glue(bench: Page) -> Page:
    bench.evaluate(SETTING)
    return bench


CROSSING = """async () => {
    const {client, store, asked, lists, peer, turn, item, begin} = await setting();
    const seen = {};
    const someone = {id: "q", username: "q", display_name: "Q"};
    await begin(item());
    // Asked before the push, answered after it.
    client.loadLists();
    client.push({type: "contact", user: peer, relation: "removed", conversation: "c"});
    client.push({type: "contact", user: someone, relation: "incoming", conversation: "d", request: "r"});
    lists({contacts: [{user: peer, conversation: "c", at: "x"}]});
    await turn();
    const keys = map => [...map.keys()];
    seen.pushed = [store.get("c").relation, store.relationOf("p"), keys(store.contacts), keys(store.incoming)];
    const end = performance.now() + 5000;
    while (asked.length < 3 && performance.now() < end) await turn();
    seen.again = asked.map(one => one.path);
    lists({conversations: [], incoming: [{id: "r", user: someone, at: "x"}]});
    await turn();
    seen.told = [...store.incoming.keys()];
    // Two that cross: the younger was answered first.
    client.loadLists();
    client.loadLists();
    const [old, young] = [asked.splice(0, 3), asked.splice(0, 3)];
    asked.push(...young);
    lists({incoming: [{id: "r", user: someone, at: "x"}]});
    await turn();
    asked.push(...old);
    lists();
    await turn();
    seen.crossed = [...store.incoming.keys()];
    return seen;
}"""


def test_an_answer_that_is_older_than_a_push_does_not_take_it_back(glue: Page) -> None:
    seen = glue.evaluate(CROSSING)
    assert seen["pushed"] == ["removed", "removed", [], ["q"]]
    assert seen["again"] == ["/conversations", "/contacts", "/contacts/requests"]
    assert seen["told"] == ["q"]
    assert seen["crossed"] == ["q"]


MARKING = """async () => {
    const {client, store, asked, lists, item, begin, turn} = await setting();
    const read = item({seq: 9, version: 9, my_read: 9, my_delivered: 9});
    const marked = {...read, unread: 3, unread_from: 7};
    const told = from => client.push({type: "receipt", conversation: "c", user: "me", delivered: 9, read: 9,
        unread_from: from});
    const one = () => [store.get("c").marked, store.get("c").unread];
    const again = async (...conversations) => {
        const end = performance.now() + 5000;
        while (asked.length < 3 && performance.now() < end) await turn();
        lists({conversations});
        await turn();
    };
    const seen = {};
    await begin(read);
    // Each answer was made before the push, and comes after it.
    client.loadLists();
    told(7);
    lists({conversations: [read]});
    await turn();
    seen.marked = one()[0];
    await again(marked);
    seen.counted = one();
    client.loadLists();
    told(0);
    lists({conversations: [marked]});
    await turn();
    seen.ended = one();
    await again(read);
    client.loadLists();
    lists({conversations: [marked]});
    await turn();
    seen.listed = one();
    client.loadLists();
    client.read("c", 9);
    lists({conversations: [marked]});
    await turn();
    seen.read = one();
    await again(read);
    seen.quiet = asked.length;
    return seen;
}"""


def test_a_list_that_is_older_than_a_mark_as_unread_does_not_take_it_back(glue: Page) -> None:
    seen = glue.evaluate(MARKING)
    assert seen["marked"] == 7
    assert seen["counted"] == [7, 3]
    assert seen["ended"] == [0, 0]
    assert seen["listed"] == [7, 3], "what nothing was pushed of is as the list says"
    assert seen["read"] == [0, 0]
    assert seen["quiet"] == 0


FAILING = """async () => {
    const {client, asked, answer, item, begin} = await setting();
    const wait = window.setTimeout;
    const timers = [];
    await begin(item());
    client.loadLists();
    answer("/conversations", {conversations: [], sync: "t"});
    answer("/contacts", new Error("503"));
    answer("/contacts/requests", {incoming: [], outgoing: []});
    window.setTimeout = (act, ms) => { timers.push([act, ms]); return timers.length; };
    await Promise.resolve();
    for (let left = 20; left > 0; left -= 1) await Promise.resolve();
    window.setTimeout = wait;
    const [act, ms] = timers.at(-1) ?? [() => {}, 0];
    act();
    return [ms >= 3000 && ms <= 6000, asked.map(one => one.path)];
}"""


def test_lists_of_which_a_part_was_not_answered_are_asked_for_again(glue: Page) -> None:
    assert glue.evaluate(FAILING) == [True, ["/conversations", "/contacts", "/contacts/requests"]]


SYNCING = """async () => {
    const {client, asked, lists, answer, row, turn, item, begin} = await setting();
    await begin(item());
    client.sync();
    // Its last page names somebody new; while their list is on its way, the connection is lost and comes back.
    answer("sync t1", {changes: [row(1, 1, {conversation: "new"})], next: "t2", more: false});
    await turn();
    client.opened({user: {id: "me"}, actors: [], in_flight: 9});
    lists({conversations: [item(), item({id: "new", version: 1, seq: 1})]});
    await turn();
    return asked.map(one => one.path).filter(path => path.startsWith("sync"));
}"""


def test_a_connection_that_comes_back_during_a_sync_is_synced_too(glue: Page) -> None:
    assert glue.evaluate(SYNCING) == ["sync t2"]


CHANGING = """async () => {
    const {client, store, answer, row, turn, item, begin} = await setting();
    await begin(item({seq: 1, version: 9}));
    store.history("c", [row(1, 9)], false);
    client.outbox.opened(9);
    client.sync();
    client.enqueue({kind: "react", conversation: "c", message_id: "m1", emoji: "+", on: true, client_id: "x"});
    // The other's reaction was read for the page before mine was stored; my answer is here first.
    client.frame({type: "ok", id: "x", conversation: "c", seq: 1, version: 11, message_id: "m1", at: "y"});
    answer("sync t1", {changes: [row(1, 10, {reactions: [{emoji: "!", users: ["p"]}]})], next: "t2", more: false});
    await turn();
    return [store.get("c").log.rows.get(1).reactions.map(one => one.emoji), client.outbox.entries.length];
}"""


def test_a_change_of_mine_does_not_hide_what_the_other_changed_just_before(glue: Page) -> None:
    assert glue.evaluate(CHANGING) == [["!", "+"], 0]


BEGUN_AFRESH = """async () => {
    const {client, store, asked, lists, answer, row, turn, item, begin} = await setting();
    await begin(item({seq: 9, version: 9}));
    store.history("c", [row(8, 8), row(9, 9)], true);
    client.older("c");
    const first = asked.at(-1).path;
    client.sync();
    answer("sync t1", Object.assign(new Error(), {code: "invalid"}));
    await turn();
    lists({conversations: [item({seq: 9, version: 9})], sync: "u0"});
    await turn();
    answer("/conversations/c/messages", {messages: [row(6, 6), row(7, 7)], more: true});
    await turn();
    const second = asked.find(one => one.path.startsWith("/conversations/c"))?.path ?? "";
    answer("/conversations/c/messages", {messages: [row(8, 8), row(9, 9)], more: true});
    await turn();
    const {lo, hi} = store.get("c").log;
    return [first, second, lo, hi];
}"""


def test_a_log_that_is_begun_afresh_begins_with_the_newest(glue: Page) -> None:
    first, second, low, high = glue.evaluate(BEGUN_AFRESH)
    assert (first, second) == ("/conversations/c/messages?before=8&limit=50", "/conversations/c/messages?limit=50")
    assert (low, high) == (8, 9)


CLOCK = """async () => {
    const {Api} = await import("/io/api.js");
    const asked = [];
    const real = window.fetch;
    let good = false;
    window.fetch = async url => {
        asked.push(new URL(url, location).pathname.split("/").at(-1));
        if (asked.at(-1) === "refresh") good = true;
        return new Response(JSON.stringify(good ? {expires_in: 600} : {error: {code: "unauthenticated"}}),
            {status: good ? 200 : 401});
    };
    localStorage.setItem("parley.refreshed", String(Date.now() + 3_600_000));
    const api = new Api({onSessionOver: () => asked.push("over")});
    await api.get("/me").catch(() => asked.push("refused"));
    clearTimeout(api.timer);
    window.fetch = real;
    localStorage.clear();
    return asked;
}"""


def test_a_clock_that_was_put_back_does_not_end_a_session(bench: Page) -> None:
    assert bench.evaluate(CLOCK) == ["me", "refresh", "me"]


CLOSED = """async () => {
    const {Disk} = await import("/io/disk.js");
    const disk = new Disk("someone", "tab");
    const entry = {client_id: "a", order: 1, state: "queued"};
    const kept = [await disk.put(entry)];
    disk.database.close();
    kept.push(await disk.put({...entry, client_id: "b"}));
    kept.push(await disk.waiting());
    await disk.clear();
    kept.push(await disk.waiting());
    return kept;
}"""


def test_a_disk_that_the_browser_has_closed_is_opened_again(bench: Page) -> None:
    assert bench.evaluate(CLOSED) == [True, True, 2, 0]


PUT_BACK = """async () => {
    const {client, item, begin} = await setting();
    await begin(item());
    const entry = {kind: "send", conversation: "c", to: "p"};
    const old = {...entry, client_id: "old", order: Date.now() + 3_600_000, body: "x", state: "sent"};
    client.disk.adopt = async () => [old];
    await client.adopt();
    client.outbox.opened(9);
    const {client_id: id} = client.enqueue({...entry, body: "y"});
    const order = client.outbox.entries.map(one => one.client_id === id ? "new" : one.client_id);
    client.refused({id, code: "unavailable", message: "", retry_after: 1});
    const wait = client.outbox.pausedUntil - performance.now();
    clearTimeout(client.pauseTimer);
    return [order, wait > 0 && wait <= 1000];
}"""


def test_a_clock_that_was_put_back_changes_no_order_and_pauses_nothing(glue: Page) -> None:
    assert glue.evaluate(PUT_BACK) == [["old", "new"], True]


BROKEN = """async () => {
    const {Api} = await import("/io/api.js");
    const real = window.fetch;
    const body = parts => new ReadableStream({pull: to => {
        const part = parts.shift();
        if (part === null) to.error(new Error("cut"));
        else if (part === undefined) to.close();
        else to.enqueue(new TextEncoder().encode(part));
    }});
    const said = [];
    for (const [status, parts] of [[200, ['{"a": ', null]], [200, ["<html>"]], [200, []], [200, ['{"a": 1}']],
        [503, ["<html>"]], [409, ['{"error": {"code": "conflict", "message": "no"}}']]]) {
        window.fetch = async () => new Response(body(parts), {status});
        const answer = await new Api({}).get("/x").catch(error => error);
        said.push(answer instanceof Error ? answer.code ?? "no answer" : answer);
    }
    window.fetch = real;
    return said;
}"""


def test_an_answer_that_breaks_off_is_none(bench: Page) -> None:
    assert bench.evaluate(BROKEN) == ["no answer", "no answer", {}, {"a": 1}, "internal", "conflict"]


GREETED = """async () => {
    const {Connection} = await import("/io/socket.js");
    const real = window.WebSocket;
    window.WebSocket = class { close() {} };
    const said = [];
    const on = {open: hello => said.push(hello.user), state: ({up}) => said.push(up)};
    const connection = new Connection({url: "", verify: async () => true, on});
    connection.connect();
    connection.socket.onmessage({data: JSON.stringify({type: "hello", user: "somebody else"})});
    connection.stop();
    window.WebSocket = real;
    return said;
}"""


def test_who_is_greeted_is_known_before_anything_goes_on(bench: Page) -> None:
    assert bench.evaluate(GREETED) == ["somebody else", True]
