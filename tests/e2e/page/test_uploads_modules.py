"""The modules about sending files by themselves: digests, and who takes which step when."""

import hashlib
from typing import Any

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.e2e

DIGESTS = """async cuts => {
    const {Sha256} = await import("/core/sha256.js");
    const bytes = length => new Uint8Array(length).map((_, at) => (at * 31 + 7) % 251);
    return cuts.map(lengths => {
        const sum = new Sha256();
        const all = bytes(lengths.reduce((one, other) => one + other, 0));
        let at = 0;
        for (const length of lengths) sum.update(all.subarray(at, (at += length)));
        return sum.hex();
    });
}"""


def test_digests_are_those_of_the_standard_however_the_bytes_come(bench: Page) -> None:
    ends = [[length] for length in (0, 1, 3, 55, 56, 57, 63, 64, 65, 119, 120, 128, 1_000, 100_003)]
    cuts = [*ends, [1, 62, 1, 64, 200], [63, 1], [60, 5, 0, 3, 1_000], [64, 64, 7]]
    wanted = [hashlib.sha256(bytes((at * 31 + 7) % 251 for at in range(sum(cut)))).hexdigest() for cut in cuts]
    assert bench.evaluate(DIGESTS, cuts) == wanted


def test_the_worker_tells_a_digest_its_way_there_and_a_print(bench: Page) -> None:
    seen = bench.evaluate("""async () => {
        const {Hashing} = await import("/io/hashing.js");
        const hashing = new Hashing();
        const made = (length, change = -1) => {
            const bytes = new Uint8Array(length).map((_, at) => at % 253);
            if (change >= 0) bytes[change] ^= 1;
            return new Blob([bytes]);
        };
        const way = [];
        const [digest, empty] = await Promise.all([
            hashing.digest(made(5e6), {progress: bytes => way.push(bytes)}),
            hashing.digest(new Blob([])),
        ]);
        const prints = [];
        for (const change of [-1, 0, 2.5e6, 5e6 - 1]) prints.push(await hashing.print(made(5e6, change)));
        const stop = new AbortController();
        const stopped = hashing.digest(made(5e6), {signal: stop.signal}).catch(error => error.name);
        stop.abort();
        return {digest, empty, way, prints, stopped: await stopped, idle: hashing.worker === null};
    }""")
    assert seen["digest"] == hashlib.sha256(bytes(at % 253 for at in range(5_000_000))).hexdigest()
    assert seen["empty"] == hashlib.sha256(b"").hexdigest()
    assert seen["way"][-1] == 5_000_000
    same, first, middle, last = seen["prints"]
    assert len({same, first, last}) == 3
    assert middle == same, "a print looks at the ends only"
    assert seen["stopped"] == "AbortError"
    assert seen["idle"], "no worker lives on without work"


STAGE = """async play => {
    const {Uploads, viewOf, AT_A_TIME} = await import("/core/uploads.js");
    const uploads = new Uploads();
    const add = (clientId, more = {}) => uploads.add({clientId, name: clientId, size: 100, ...more});
    const half = () => 0.5;
    const take = now => uploads.take(now).map(({upload, step}) => `${upload.clientId} ${step}`);
    const look = upload => {
        const {state, reason} = viewOf(upload, uploads);
        return reason ? `${state} ${reason}` : state;
    };
    const up = (now = 0, serving = true) => uploads.world({up: true, serving}, now, half);
    return await eval(play)({uploads, add, half, take, look, up, viewOf, AT_A_TIME});
}"""


def play(bench: Page, script: str) -> Any:
    return bench.evaluate(STAGE, f"async ({{uploads, add, half, take, look, up, viewOf, AT_A_TIME}}) => {{{script}}}")


def test_an_upload_goes_its_way_step_by_step(bench: Page) -> None:
    seen = play(
        bench,
        """
        const a = add("a");
        const way = [[look(a), take(0)]];
        up();
        const step = (facts, now) => { way.push([look(a), take(now)]); uploads.done(a, facts, now); };
        step({id: "A", offset: 0}, 1);
        step({offset: 40}, 1000);
        step({offset: 100}, 2000);
        way.push([look(a), take(2000)]);
        uploads.hash(a, 100, "digest");
        step({declared: true}, 2001);
        way.push([look(a), take(2500), uploads.wait(2500)]);
        way.push([look(a), take(4100)]);
        uploads.done(a, {state: "ready"}, 4100);
        return [...way, [look(a), take(9999), uploads.wait(9999)]];
        """,
    )
    assert seen == [
        ["paused offline", []],
        ["waiting", ["a create"]],
        ["waiting", ["a send"]],
        ["waiting", ["a send"]],
        ["hashing", []],
        ["verifying", ["a declare"]],
        ["verifying", [], 1501],
        ["verifying", ["a watch"]],
        ["ready", [], 0],
    ]


def test_four_move_at_a_time_and_places_are_asked_for_in_order(bench: Page) -> None:
    seen = play(
        bench,
        """
        up();
        for (const name of "abcdef") add(name);
        const created = [];
        for (let now = 0; now < 6; now += 1) {
            const taken = uploads.take(now);
            created.push(taken.filter(({step}) => step === "create").map(({upload}) => upload.clientId).join());
            for (const {upload, step} of taken) {
                if (step === "create") uploads.done(upload, {id: upload.clientId, offset: 0}, now);
            }
        }
        const moving = () => uploads.all.filter(one => one.busy === "send").map(one => one.clientId).join("");
        const first = [moving(), take(7)];
        uploads.done(uploads.find("b"), {offset: 50}, 8);
        const next = [take(8), moving()];
        uploads.pause(uploads.find("c"));
        uploads.refused(uploads.find("c"), {code: "aborted"}, 9, half);
        return {created, first, next, freed: [take(9), moving(), AT_A_TIME]};
        """,
    )
    assert seen["created"] == list("abcdef")
    assert seen["first"] == ["abcd", []]
    assert seen["next"] == [["b send"], "abcd"]
    assert seen["freed"] == [["e send"], "abde", 4]


def test_what_time_mends_is_tried_again_and_says_why_it_waits(bench: Page) -> None:
    seen = play(
        bench,
        """
        up();
        const a = add("a", {id: "A", offset: 0});
        const fail = (error, now) => {
            const [{step}] = uploads.take(now);
            uploads.refused(a, error, now, half);
            return [step, look(a), Math.round(uploads.wait(now))];
        };
        const way = [fail({code: ""}, 0), fail({code: "unavailable", retryAfter: 3}, 1000)];
        uploads.take(9000);
        uploads.done(a, {offset: 40}, 9000);
        way.push([look(a)], fail({code: "storage_full"}, 9001), fail({code: "conflict"}, 50000));
        way.push(fail({code: "rate_limited", retryAfter: 60}, 60000));
        uploads.resume(a);
        return [...way, take(60001)];
        """,
    )
    assert seen == [
        ["send", "paused offline", 250],
        ["look", "paused server", 3_000],
        ["waiting"],
        ["send", "paused full", 30_000],
        ["look", "waiting", 500],
        ["look", "waiting", 60_000],
        ["a look"],
    ]


def test_a_world_that_is_better_again_wakes_what_waited_for_it(bench: Page) -> None:
    seen = play(
        bench,
        """
        up();
        const a = add("a", {id: "A", offset: 0});
        uploads.take(0);
        uploads.refused(a, {code: "unavailable", retryAfter: 20}, 0, half);
        uploads.world({up: true, serving: false}, 1, half);
        const down = [look(a), take(30000)];
        up(100);
        const back = [look(a), take(599), take(601)];
        uploads.world({up: false, serving: true}, 700, half);
        return {down, back, away: look(a)};
        """,
    )
    assert seen["down"] == ["paused server", []]
    assert seen["back"] == ["paused server", [], ["a look"]]
    assert seen["away"] == "paused offline"


def test_what_is_over_stays_over_and_is_let_go(bench: Page) -> None:
    seen = play(
        bench,
        """
        up();
        const ends = {};
        for (const code of ["too_large", "gone", "not_a_contact"]) {
            const one = add(code);
            take(0);
            uploads.refused(one, {code}, 0, half);
            ends[code] = [look(one), take(99999)];
        }
        const broken = add("broken");
        for (let now = 0; now < 9; now += 1) {
            uploads.take(now * 1e6);
            uploads.refused(broken, {code: "internal"}, now * 1e6, half);
        }
        ends.internal = look(broken);
        const told = add("told", {id: "T", offset: 10});
        take(0);
        uploads.frame({id: "T", state: "failed", reason: "checksum_mismatch"});
        uploads.refused(told, {code: "conflict"}, 1, half);
        uploads.frame({id: "T", state: "ready"});
        ends.told = look(told);
        const dropped = add("dropped", {id: "D", offset: 10});
        take(0);
        uploads.cancel(dropped);
        uploads.refused(dropped, {code: "aborted"}, 1, half);
        ends.dropped = [look(dropped), take(2)];
        uploads.refused(dropped, {code: ""}, 2, half);
        ends.later = take(99999);
        uploads.refused(dropped, {code: "not_found"}, 99999, half);
        ends.done = take(999999);
        uploads.restart(told, "anew");
        ends.anew = [look(told), take(999999), uploads.find("told"), uploads.find("T")];
        return ends;
        """,
    )
    assert seen["too_large"] == ["failed too_large", []]
    assert seen["gone"] == ["expired", []]
    assert seen["not_a_contact"] == ["failed not_a_contact", []]
    assert seen["internal"] == "failed internal"
    assert seen["told"] == "failed checksum_mismatch"
    assert seen["dropped"] == ["cancelled", ["dropped drop"]]
    assert seen["later"] == ["dropped drop"]
    assert seen["done"] == []
    assert seen["anew"] == ["waiting", ["anew create"], None, None]


def test_without_its_file_an_upload_asks_for_it_and_says_what_it_can(bench: Page) -> None:
    seen = play(
        bench,
        """
        up();
        const a = add("a", {id: "A", offset: null, lacks: "file"});
        const way = [look(a), take(0)];
        uploads.done(a, {offset: 40}, 0);
        way.push(look(a), take(1), viewOf(a, uploads).sent);
        a.lacks = "";
        way.push(take(2), look(a));
        const whole = add("w", {id: "W", offset: null, lacks: "permission", sha256: "known"});
        take(3);
        uploads.done(whole, {offset: 100}, 3);
        return [...way, look(whole), take(4)];
        """,
    )
    assert seen == [
        "paused file",
        ["a look"],
        "paused file",
        [],
        40,
        ["a send"],
        "uploading",
        "verifying",
        ["w declare"],
    ]


def test_a_message_waits_for_its_file_and_nothing_waits_for_it(bench: Page) -> None:
    seen = bench.evaluate("""async () => {
        const {Outbox, frameOf} = await import("/core/outbox.js");
        const {pendingRow} = await import("/core/rows.js");
        const box = new Outbox();
        const base = {kind: "send", conversation: "c", to: "u", body: ""};
        const send = (client_id, order, more) => ({...base, client_id, order, ...more});
        box.add(send("f", 1, {state: "held", file: {id: "", name: "a"}}), send("t", 2, {state: "queued", body: "hi"}));
        box.opened(9);
        const taken = () => box.take(0).map(entry => entry.client_id);
        const seen = {before: taken(), shown: pendingRow(box.find("f"), "me").pending};
        box.opened(9);
        box.answered("t");
        seen.none = [box.release("t", {}), box.release("x", {})];
        box.release("f", {id: "F", name: "a"});
        seen.after = [taken(), frameOf(box.find("f"))];
        box.refused("f", {code: "not_found", message: "no"}, 0);
        const again = box.again("f", "g", 3, "later");
        seen.again = [again.state, again.file.id, taken()];
        return seen;
    }""")
    assert seen["before"] == ["t"]
    assert seen["shown"] == "queued"
    assert seen["none"] == [None, None]
    frame = {"type": "send", "id": "f", "client_id": "f", "to": "u", "body": "", "file": "F"}
    assert seen["after"] == [["f"], frame]
    assert seen["again"] == ["held", "", []]


def test_names_fit_and_travel_in_any_script(bench: Page) -> None:
    seen = bench.evaluate("""async () => {
        const {fitting} = await import("/core/names.js");
        const {metadataOf} = await import("/io/uploader.js");
        const size = text => new TextEncoder().encode(text).length;
        const long = fitting("\u00e9".repeat(200) + ".tar");
        return {
            plain: fitting("a.txt"), none: fitting(""), long: [size(long), long.slice(-5)],
            metadata: metadataOf({filename: "\u0411 \ud83d\ude00.txt", filetype: "", promised: "1", height: 12}),
        };
    }""")
    assert seen["plain"] == "a.txt"
    assert seen["none"] == "file"
    assert seen["long"] == [254, "\u00e9.tar"]
    assert seen["metadata"] == "filename 0JEg8J+YgC50eHQ=,promised MQ==,height MTI="


LET_GO = """async () => {
    const {Sending} = await import("/sending.js");
    const {Store} = await import("/core/store.js");
    const {Outbox} = await import("/core/outbox.js");
    const store = new Store({id: "me"});
    const outbox = new Outbox();
    let open = "c";
    const client = {store, outbox, connection: {up: false}};
    const sending = new Sending({client, person: "x", tell: () => {}, open: () => open});
    sending.kept = {remove: async () => {}};
    const file = new File(["abc"], "a.png", {type: "image/png"});
    const begun = (clientId, conversation) => {
        const upload = sending.uploads.add({clientId, id: `f-${clientId}`, conversation, name: "a.png", size: 3});
        sending.files.set(clientId, file);
        sending.portraits.set(clientId, Promise.resolve({preview: null}));
        outbox.add({client_id: clientId, kind: "send", file: {}, order: 1, state: "sent"});
        sending.picturing(upload, file, null);
        return upload;
    };
    const stored = clientId => sending.outbox(outbox.answered(clientId), "stored");
    const told = (clientId, state) => {
        const frame = {type: "file", id: `f-${clientId}`, state};
        store.transfers.take(frame, 0);
        sending.frame(frame);
    };
    const here = clientId =>
        [sending.files, sending.portraits, sending.pictures, sending.uploads.known].map(map => map.has(clientId));
    const seen = {};
    for (const [id, conversation] of [["a", "c"], ["b", "d"], ["e", "c"]]) begun(id, conversation);
    const address = sending.pictures.get("a");
    told("a", "ready");
    seen.unstored = here("a");
    stored("a");
    seen.open = here("a");
    stored("b");
    seen.under_way = here("b");
    told("b", "ready");
    seen.elsewhere = here("b");
    stored("e");
    told("e", "failed");
    open = "d";
    sending.left();
    seen.left = here("a");
    seen.failed = here("e");
    seen.address = await fetch(address).then(() => true, () => false);
    // Its picture is found when it is over.
    const late = begun("g", "c");
    stored("g");
    told("g", "ready");
    sending.picturing(late, file, null);
    seen.late = here("g");
    return seen;
}"""


def test_of_a_file_that_is_over_nothing_is_kept_but_what_is_shown(bench: Page) -> None:
    seen = bench.evaluate(LET_GO)
    everything, nothing = [True] * 4, [False] * 4
    assert seen["unstored"] == everything, "a message that is refused takes its file along, and may go again with it"
    assert seen["open"] == [False, False, True, True]
    assert seen["under_way"] == everything
    assert seen["elsewhere"] == nothing
    assert (seen["left"], seen["address"]) == (nothing, False)
    assert seen["failed"] == everything, "it can be sent once more"
    assert seen["late"] == nothing
