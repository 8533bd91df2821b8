"""Parts of the page by themselves, on an empty one: what is drawn again takes no focus and counts nothing twice."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from tests.support.real_page import ROOT

pytestmark = pytest.mark.e2e

SETTING = """window.showing = async () => {
    const {Timeline} = await import("/view/timeline.js");
    const {Store} = await import("/core/store.js");
    const store = new Store({id: "me"});
    const peer = {id: "p", username: "p", display_name: "P"};
    store.conversationList([{id: "c", peer, relation: "contact", last_message: null, unread: 0, unread_from: 0, seq: 2,
        version: 2, my_read: 2, my_delivered: 2, peer_read: 0, peer_delivered: 0}]);
    const row = (seq, more = {}) => ({conversation: "c", seq, version: seq, message_id: `m${seq}`, client_id: `k${seq}`,
        sender: "me", at: "2026-01-01T00:00:00.000Z", body: `v${seq}`, ...more});
    store.openLog("c");
    const timeline = new Timeline({client: {store, outbox: {of: () => []}}, files: {}, conversation: store.get("c"),
        actions: {react: () => {}, menu: () => {}}, load: () => {}, moved: () => {}});
    document.body.replaceChildren(timeline.element);
    return {store, timeline, row, peer};
}"""


@pytest.fixture(scope="module")
def stage(bench: Page) -> Iterator[Page]:
    bench.evaluate(SETTING)
    yield bench
    bench.evaluate("document.body.replaceChildren()")


BUBBLE = """async () => {
    const {store, timeline, row} = await showing();
    const chips = users => ({reactions: users.map((emoji, at) => ({emoji, users: ["me", "p"].slice(0, at + 1)}))});
    store.history("c", [row(1, chips(["+", "!"])), row(2)], false);
    timeline.open({});
    const focused = () => document.activeElement?.dataset.key ?? document.activeElement?.className;
    const seen = [];
    timeline.element.querySelector("[data-key='!']").focus();
    store.receipt({conversation: "c", user: "p", delivered: 2, read: 0});
    timeline.render();
    seen.push(focused());
    store.message(row(1, {version: 3, ...chips(["+"])}));
    timeline.render();
    seen.push(focused().split(" ")[0]);
    timeline.element.querySelector(".msg[data-seq='2'] .more").focus();
    store.receipt({conversation: "c", user: "p", delivered: 2, read: 2});
    timeline.render();
    seen.push(focused());
    return seen;
}"""


def test_the_focus_stays_on_what_is_drawn_again(stage: Page) -> None:
    assert stage.evaluate(BUBBLE) == ["!", "msg", "tool more"]


PRESSED = """async () => {
    const {store, timeline, row} = await showing();
    window.heard = [];
    timeline.actions.react = (message, emoji, on) => heard.push([message.version, emoji, on]);
    timeline.actions.jump = id => heard.push(id);
    const reacted = (...users) => [{emoji: "!", users: ["p"]}, {emoji: "+", users}].slice(users.length > 1 ? 1 : 0);
    store.history("c", [row(1), row(2, {reply_to: "m1", reactions: reacted("p")})], false);
    timeline.open({});
    window.meanwhile = {
        // Another chip before it goes, the count comes, the ticks change.
        "[data-key='+'] .chip-face": () => {
            store.message(row(2, {version: 3, reply_to: "m1", reactions: reacted("p", "me")}));
            store.receipt({conversation: "c", user: "p", delivered: 2, read: 2});
            timeline.render();
        },
        ".quote span": () => {
            store.message(row(2, {version: 4, reply_to: "m1", edited_at: "2026-01-01T00:01:00.000Z", body: "other"}));
            timeline.render();
        },
    };
}"""


def test_what_is_drawn_again_while_it_is_pressed_is_clicked_all_the_same(stage: Page) -> None:
    stage.evaluate(PRESSED)
    for pressed in ("[data-key='+'] .chip-face", ".quote span"):
        stage.locator(pressed).hover()
        stage.mouse.down()
        stage.evaluate("pressed => meanwhile[pressed]()", pressed)
        stage.mouse.up()
    assert stage.evaluate("heard") == [[3, "+", False], "m1"]


BEGUN = """async () => {
    const {Composer} = await import("/view/composer.js");
    const {Drafts} = await import("/io/prefs.js");
    const {store, row} = await showing();
    const seen = [], done = [];
    const drafts = new Drafts("me");
    const on = {edit: (row, body) => done.push(["edit", row.message_id, body]), typed: () => {},
        send: ({body, reply_to}) => done.push(["send", reply_to ?? "", body])};
    let composer = null;
    // Leaves what there is and comes back.
    const open = () => {
        composer?.close();
        const tray = {element: document.createElement("div"), items: [], take: () => []};
        composer = new Composer({conversation: store.get("c"), drafts, limit: 99, tray, on});
        document.body.replaceChildren(composer.element);
        const {about, text} = composer;
        seen.push([about.hidden ? "" : about.querySelector("b").textContent, text.value]);
    };
    const type = text => { composer.text.value = text; composer.changed(); };
    const send = () => composer.submit(new Event("submit"));
    store.history("c", [row(1), row(2, {sender: "p"})], false);
    open();
    type("a draft");
    composer.edit(row(1));
    type("half edi");
    open();
    type("edited");
    send();
    seen.push(composer.text.value);
    composer.reply(row(2), "P");
    open();
    send();
    open();
    composer.edit(row(1));
    store.message(row(1, {version: 3, deleted: true, body: ""}));
    open();
    composer.reply(row(2), "P");
    composer.cancel();
    open();
    composer.close();
    localStorage.clear();
    return {seen, done};
}"""


def test_an_edit_and_an_answer_are_taken_up_again(stage: Page) -> None:
    told = stage.evaluate(BEGUN)
    edited, answered = "Editing your message", "Reply to P"
    assert told["seen"] == [
        ["", ""],
        [edited, "half edi"],
        "a draft",
        [answered, "a draft"],
        ["", ""],
        ["", ""],
        ["", ""],
    ]
    assert told["done"] == [["edit", "m1", "edited"], ["send", "m2", "a draft"]]


TWICE = """async () => {
    const {store, timeline, row} = await showing();
    store.history("c", [row(1), row(2)], false);
    timeline.open({});
    timeline.sticking = false;
    for (const seq of [2, 3, 3, 4]) timeline.arrived(row(seq, {sender: "p"}));
    return timeline.unseen;
}"""


def test_a_message_that_is_pushed_twice_is_counted_once(stage: Page) -> None:
    assert stage.evaluate(TWICE) == 2


SESSIONS = """async () => {
    const {SettingsPage} = await import("/view/settings.js");
    const {Store} = await import("/core/store.js");
    const store = new Store({id: "me", username: "me", display_name: "Me"});
    let sessions = ["here", "a", "b", "c"].map(id =>
        ({id, current: id === "here", agent: "", address: "", last_used_at: "2026-01-01T00:00:00Z"}));
    const client = {
        store,
        api: {get: async path => path === "/auth/sessions" ? {sessions} : {reasons: []}},
        command: async (method, path) => { sessions = sessions.filter(({id}) => !path.endsWith(`/${id}`)); },
    };
    const notifier = {store, client, bell: {permission: "default"}};
    const page = new SettingsPage({client, notifier, operator: false, leave: () => {}, unsent: () => 0});
    document.body.replaceChildren(page.element);
    const turn = () => new Promise(resolve => setTimeout(resolve));
    await turn();
    const of = id => page.element.querySelector(`[data-session=${id}] button`);
    const focused = () => document.activeElement.closest("[data-session]")?.dataset.session;
    const seen = [];
    of("c").focus();
    await page.loadSessions();
    seen.push(focused());
    for (const id of ["b", "c", "a"]) {
        of(id).focus();
        of(id).click();
        await turn();
        seen.push(focused() ?? document.activeElement === page.sessions);
    }
    page.close();
    return seen;
}"""


def test_the_focus_goes_on_where_a_session_was_ended(stage: Page) -> None:
    assert stage.evaluate(SESSIONS) == ["c", "c", "a", True]


LISTED = """async () => {
    const {ConversationList} = await import("/view/list.js");
    const {store, row} = await showing();
    const peer = {id: "q", username: "q", display_name: "Q"};
    store.conversationList([{id: "d", peer, relation: "contact", last_message: row(1, {conversation: "d"}), unread: 0,
        seq: 1, version: 1, my_read: 1, my_delivered: 1, peer_read: 0, peer_delivered: 0}]);
    const root = document.createElement("div");
    document.body.replaceChildren(root);
    const list = new ConversationList({root, client: {store, outbox: {entries: [], of: () => []}}, notifier: {store},
        drafts: {get: () => ""}, go: () => {}, copyLink: () => {}});
    window.heard = [];
    window.order = () => [...root.querySelectorAll("a.row")].map(link => link.pathname.at(-1));
    root.addEventListener("click", event => {
        event.preventDefault();
        heard.push(event.target.closest("a")?.pathname ?? "nothing");
    });
    window.meanwhile = () => {
        store.message(row(3, {conversation: "c", sender: "p", at: "2026-01-02T00:00:00.000Z"}));
        list.render();
    };
    return order();
}"""


def test_a_row_that_would_move_while_it_is_pressed_waits(stage: Page) -> None:
    assert stage.evaluate(LISTED) == ["d", "c"]
    stage.locator("a[href='/chat/c'] .row-text bdi").hover()
    stage.mouse.down()
    stage.evaluate("meanwhile()")
    stage.mouse.up()
    stage.wait_for_function("order()[0] === 'c'")
    assert stage.evaluate("heard") == ["/chat/c"]
    # Of a press that is never over, as far as the page hears.
    stage.evaluate("document.querySelector('.rows').dispatchEvent(new Event('pointerdown'))")
    stage.fill("input", "Q")
    stage.wait_for_function("order().join() === 'd'")


PEOPLE = """async () => {
    const {PeoplePage} = await import("/view/people.js");
    const {Store} = await import("/core/store.js");
    const store = new Store({id: "me"});
    const person = id => ({id, username: id, display_name: id});
    const asks = id =>
        store.contact({user: person(id), relation: "incoming", request: `r${id}`, conversation: `c${id}`});
    asks("a");
    asks("b");
    const page = new PeoplePage({client: {store}, people: {act: () => {}}, copyLink: () => {}});
    document.body.replaceChildren(page.element);
    // The page itself takes the focus to its search a moment later.
    await new Promise(resolve => setTimeout(resolve));
    const accept = () => page.element.querySelector("[data-user=b] button");
    const first = accept();
    first.focus();
    page.update();
    const seen = [accept() === first];
    asks("c");
    page.update();
    seen.push(accept() !== first, document.activeElement === accept());
    page.close();
    return seen;
}"""


def test_a_button_of_a_person_stays_itself_and_keeps_the_focus(stage: Page) -> None:
    assert stage.evaluate(PEOPLE) == [True, True, True]


ROWS = """async () => {
    const {arrange, h} = await import("/view/dom.js");
    const list = h("div");
    document.body.replaceChildren(list);
    const [a, b, c] = ["a", "b", "c"].map(name => h("button", {}, name));
    arrange(list, [a, b, c]);
    c.focus();
    arrange(list, [c, a, b]);
    return [document.activeElement.textContent, list.textContent];
}"""


def test_a_row_that_moves_up_takes_the_focus_with_it(stage: Page) -> None:
    assert stage.evaluate(ROWS) == ["c", "cab"]


PUT_BACK = """async () => {
    const {Reading} = await import("/view/reading.js");
    const real = Date.now;
    const conversation = {floor: 0, marked: 0};
    const told = [];
    let heard = () => {}, newest = 1;
    const attention = {focused: true, listen: () => () => {}};
    const tell = seq => { told.push(seq); conversation.floor = seq; heard(); return true; };
    const reading = new Reading({conversation, attention, seen: () => newest, viewed: () => {}, tell});
    const next = () => Promise.race([new Promise(resolve => { heard = () => resolve(told.at(-1)); }),
        new Promise(resolve => setTimeout(resolve, 10_000, "never"))]);
    reading.check();
    const first = await next();
    Date.now = () => real() - 3_600_000;
    newest = 2;
    reading.check();
    const second = await next();
    Date.now = real;
    reading.close();
    return [first, second];
}"""


def test_a_clock_that_was_put_back_does_not_hold_up_what_was_read(stage: Page) -> None:
    assert stage.evaluate(PUT_BACK) == [1, 2]


LEAD = """async worker => {
    const listeners = {};
    const said = [];
    const tab = (path, visibilityState) => ({url: `https://parley.test${path}`, visibilityState,
        postMessage: what => said.push([path, what.type]), focus: async () => {}});
    const click = async tabs => {
        let done;
        const clients = {matchAll: async () => tabs, openWindow: async path => said.push([path, "new"])};
        const self = {clients, addEventListener: (name, listener) => { listeners[name] = listener; }};
        new Function("self", worker)(self);
        const notification = {close: () => {}, data: {path: "/chat/c", seq: 7}};
        listeners.notificationclick({notification, waitUntil: promise => { done = promise; }});
        await done;
    };
    await click([tab("/api/v1/files/f", "visible"), tab("/settings", "hidden")]);
    await click([tab("/ops", "visible"), tab("/login", "visible")]);
    return said;
}"""


def test_a_clicked_notification_leads_to_a_tab_that_listens(bench: Page) -> None:
    worker = (ROOT / "web" / "static" / "sw.js").read_text()
    assert bench.evaluate(LEAD, worker) == [["/settings", "open"], ["/chat/c#at=7", "new"]]


BEHIND = """async () => {
    const {Announcer} = await import("/announcer.js");
    const {Store} = await import("/core/store.js");
    const asked = [];
    const shown = [];
    let release;
    const show = card => { shown.push(card.tag); return new Promise(resolve => { release = resolve; }); };
    const bell = {leads: true, permission: "granted", shown: async () => [], close: () => {}, show};
    const notice = (id, change) =>
        ({id, change, kind: "request", user: "u", desktop: true, read: false, at: "2026-01-01"});
    const log = [notice("a", 1)];
    const api = {get: async path => {
        const since = Number(/since=(\\d+)/.exec(path)[1]);
        asked.push(since);
        return {notices: log.filter(one => one.change > since), next: log.at(-1).change, more: false};
    }};
    const announcer = new Announcer({store: new Store({id: "me"}), api, bell});
    announcer.listsAreHere();
    announcer.begin(0);
    const done = announcer.catchUp();
    while (!release) await new Promise(resolve => setTimeout(resolve));
    // Its push was lost, and the resync comes while the first one is being shown.
    log.push(notice("b", 2));
    announcer.catchUp();
    const first = release;
    bell.show = async card => { shown.push(card.tag); return true; };
    first(true);
    await done;
    localStorage.clear();
    return shown;
}"""


def test_what_is_lost_while_something_is_announced_is_announced_after_it(bench: Page) -> None:
    assert bench.evaluate(BEHIND) == ["notice-a", "notice-b"]
