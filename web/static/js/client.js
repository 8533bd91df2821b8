// Glue between the shells and the state: what happens on a hello, a frame, a loss; and what a person can do.

import { mint } from "./core/ids.js";
import { frameOf, Outbox, rowAfter } from "./core/outbox.js";
import { History } from "./history.js";
import { ApiError } from "./io/api.js";
import { Connection } from "./io/socket.js";
import { Lists } from "./lists.js";
import { Receipts } from "./receipts.js";

// Frames held back during a sync; those beyond are applied at once, and the versions put right what they outran.
const HELD_FRAMES = 1_000;
const SYNC_AGAIN_MS = 3_000;
const SYNC_AFTER_PUSHES = 500;

export class Client {
  /**
   * `on.outbox(entry, what)` hears what became of an entry: "added" (with its former client_id when it is sent again),
   * "released", "stored", "failed", "refused", "gone". `on.hello`,
   * `on.frame` and `on.resynced` hear what the server says, once it was taken in here. `on.stranger` hears that somebody
   * else is signed in at this browser.
   */
  constructor({ store, api, disk, url, on }) {
    this.store = store;
    this.api = api;
    this.disk = disk;
    this.on = on;
    this.outbox = new Outbox();
    this.token = null;
    this.held = null;
    this.syncing = null;
    this.behind = false;
    this.pushes = 0;
    // Entries that are nowhere but on this page.
    this.unkept = new Set();
    this.connection = new Connection({
      url,
      verify: () => api.verify(),
      on: {
        open: (hello) => this.opened(hello),
        frame: (frame) => this.frame(frame),
        closed: () => this.outbox.closed(),
        state: (state) => on.connection(state),
      },
    });
    this.lists = new Lists({
      store,
      api,
      connected: () => this.connection.up,
      on: { token: (token) => this.listed(token), lists: (good) => on.lists(good) },
    });
    this.history = new History({ store, api, changes: (list) => this.changes(list) });
    this.receipts = new Receipts({ store, connection: this.connection });
    store.listen((topic, id) => {
      if (topic === "gap") this.history.gapLater(id);
      if (topic === "stale") this.lists.soon();
      if (topic === "log" || topic === "list") this.receipts.deliveredSoon();
    });
  }

  async start() {
    await this.adopt();
    this.connection.start();
    await this.loadLists();
  }

  async adopt() {
    const found = await this.disk.adopt().catch(() => []);
    this.outbox.add(...found);
    // What is written from here on comes after them, even where the clock was put back.
    this.lastOrder = found.reduce((highest, { order }) => Math.max(highest, order), this.lastOrder ?? 0);
    for (const entry of found) this.on.outbox(entry, "added");
    this.pump();
  }

  // Lists and history

  loadLists() {
    return this.lists.load();
  }

  /** The first list's token starts the sync. */
  listed(token) {
    if (this.token !== null) return;
    this.token = token;
    if (this.connection.up) this.sync();
  }

  older(id, limit) {
    return this.history.older(id, limit);
  }

  lastOfPeer(id) {
    return this.history.lastOfPeer(id);
  }

  // The socket

  async opened(hello) {
    if (hello.user.id !== this.store.me.id) {
      this.on.stranger();
      return;
    }
    this.store.rename(hello.user);
    for (const { name, state } of hello.actors) this.store.actor(name, state);
    this.outbox.opened(hello.in_flight);
    this.on.hello(hello);
    this.pump();
    const again = this.token !== null;
    await this.sync();
    if (again) await this.loadLists();
    this.on.online();
    this.receipts.again();
    this.adopt();
  }

  /** Reads on from the token. Whoever asks for it meanwhile may have missed what came after the last page was read. */
  sync() {
    if (this.token === null) return Promise.resolve();
    this.behind = this.syncing !== null;
    this.syncing ??= this.readOn().finally(() => {
      this.syncing = null;
    });
    return this.syncing;
  }

  async readOn() {
    do {
      this.behind = false;
      await this.readPages();
    } while (this.behind);
  }

  /** What is pushed meanwhile is held back, so that changes apply in order. */
  async readPages() {
    this.held = [];
    let refusal = null;
    try {
      for (let more = true; more; ) {
        const page = await this.connection.ask({ type: "sync", since: this.token });
        const strangers = this.changes(page.changes);
        this.token = page.next;
        more = page.more;
        if (strangers.size > 0) await this.loadLists();
      }
      this.pushes = 0;
    } catch (error) {
      // null: the socket closed, and the next hello begins again.
      refusal = error;
    }
    const held = this.held;
    this.held = null;
    for (const frame of held) this.take(frame);
    if (refusal?.code === "invalid") await this.startOver();
    else if (refusal) this.syncLater();
  }

  /** A page of changes. A message of mine in it was stored, whether its `ok` arrived or not. */
  changes(list) {
    for (const change of list) {
      if (change.type === "receipt" || change.sender !== this.store.me.id) continue;
      const mine = this.outbox.answered(change.client_id);
      if (mine) this.settled(mine, "stored");
    }
    return this.store.changes(list);
  }

  /** The log cannot be read at the moment. */
  syncLater() {
    clearTimeout(this.syncTimer);
    this.syncTimer = setTimeout(() => {
      if (this.connection.up) this.sync();
    }, SYNC_AGAIN_MS);
  }

  /** The token was refused (restored database, too old): the lists and open logs are read afresh. */
  async startOver() {
    this.token = null;
    const open = [...this.store.conversations.values()].filter((one) => one.log);
    for (const one of open) one.log = null;
    await this.loadLists();
    await Promise.allSettled(open.map((one) => this.older(one.id)));
  }

  frame(frame) {
    if (this.held && this.held.length < HELD_FRAMES && this.mayWait(frame)) this.held.push(frame);
    else this.take(frame);
  }

  /** A change of mine is made of the message as it is here, and the page that is being read may know more of it. */
  mayWait({ type, id }) {
    if (type === "ok") return (this.outbox.find(id)?.kind ?? "send") !== "send";
    return type !== "error";
  }

  take(frame) {
    if (frame.type === "ok") this.stored(frame);
    else if (frame.type === "error") this.refused(frame);
    else this.push(frame);
  }

  push(frame) {
    const store = this.store;
    if (frame.type === "message" || frame.type === "message_changed") this.message(frame);
    else if (frame.type === "receipt") store.receipt(frame);
    else if (frame.type === "actor") store.actor(frame.name, frame.state);
    else if (frame.type === "contact" && store.contact(frame)) this.loadLists();
    else if (frame.type === "resync") this.resync(frame.source);
    this.on.frame(frame);
    this.pushes += 1;
    // Moves the token on now and then, so that a reconnect after a long day does not read that whole day.
    if (this.pushes >= SYNC_AFTER_PUSHES) this.sync();
  }

  message(frame) {
    const mine = frame.sender === this.store.me.id ? this.outbox.answered(frame.client_id) : null;
    if (mine) this.settled(mine, "stored");
    if (!this.store.message(frame)) this.loadLists();
    else if (frame.sender !== this.store.me.id && frame.type === "message") this.on.arrived(frame);
  }

  /** Something that an owner pushed may have been missed: what is its own is read again, without `source` everything. */
  async resync(source) {
    const of = (owner) => !source || source === owner;
    if (of("router")) {
      this.outbox.opened(this.outbox.window || 1);
      this.pump();
      await this.sync();
    }
    if (of("contacts")) await this.loadLists();
    if (of("router")) this.receipts.again();
    if (of("notifier")) this.on.resynced();
  }

  // Receipts

  read(id, seq) {
    return this.receipts.read(id, seq);
  }

  /** From the place `seq` on it counts as unread, for me alone. What comes of it is pushed to all my devices. */
  markUnread(id, seq) {
    return this.command("PUT", `/conversations/${id}/unread`, { seq });
  }

  // The outbox

  order() {
    this.lastOrder = Math.max(Date.now(), (this.lastOrder ?? 0) + 1);
    return this.lastOrder;
  }

  /** Takes a command on: shown and on disk at once, on the wire when there is one. */
  enqueue(entry) {
    const base = { client_id: mint(), order: this.order(), at: new Date().toISOString() };
    const whole = { ...base, ...entry, state: entry.file && !entry.file.id ? "held" : "queued" };
    this.outbox.add(whole);
    this.on.outbox(whole, "added");
    this.pump();
    this.keep(whole);
    return whole;
  }

  /** On disk, where a reload finds it. What has no room there is lost with the page, unless it was stored before. */
  async keep(entry) {
    const kept = await this.disk.put(entry).catch(() => false);
    if (kept || this.outbox.find(entry.client_id) !== entry) this.unkept.delete(entry.client_id);
    else this.unkept.add(entry.client_id);
  }

  /** The file of a message has got its place at the server: it goes out. */
  release(clientId, file) {
    const entry = this.outbox.release(clientId, file);
    if (!entry) return;
    this.keep(entry);
    this.on.outbox(entry, "released");
    this.pump();
  }

  /** The file of a message was refused for good, and so is the message. */
  refuse(clientId, code, message) {
    const entry = this.outbox.refused(clientId, { code, message }, performance.now());
    if (!entry) return;
    this.keep(entry);
    this.on.outbox(entry, "failed");
  }

  pump() {
    const now = performance.now();
    for (const entry of this.outbox.take(now)) {
      if (!this.connection.write(frameOf(entry))) {
        this.outbox.closed();
        return;
      }
    }
    if (this.outbox.pausedUntil > now) {
      clearTimeout(this.pauseTimer);
      this.pauseTimer = setTimeout(() => this.pump(), this.outbox.pausedUntil - now + 20);
    }
  }

  settled(entry, what) {
    this.unkept.delete(entry.client_id);
    this.disk.remove(entry.client_id).catch(() => {});
    this.on.outbox(entry, what);
    this.pump();
  }

  stored(frame) {
    const entry = this.outbox.answered(frame.id);
    if (!entry) return;
    const before = this.store.get(frame.conversation)?.log?.find(frame.message_id);
    const row = rowAfter(entry, frame, before, this.store.me.id);
    if (row) this.store.message(row);
    this.settled(entry, "stored");
  }

  refused(frame) {
    if (!frame.id) return;
    const entry = this.outbox.refused(frame.id, frame, performance.now());
    if (!entry) return;
    if (entry.state === "queued") {
      this.pump();
    } else if (entry.kind === "send") {
      this.keep(entry);
      this.on.outbox(entry, "failed");
      this.pump();
    } else {
      this.outbox.answered(entry.client_id);
      this.settled(entry, "refused");
    }
  }

  /** A refused message once more. Returns its new entry, or null when it is not there any more. */
  retry(clientId) {
    const entry = this.outbox.again(clientId, mint(), this.order(), new Date().toISOString());
    if (!entry) return null;
    this.unkept.delete(clientId);
    this.disk.remove(clientId).catch(() => {});
    this.keep(entry);
    this.on.outbox(entry, "added", clientId);
    this.pump();
    return entry;
  }

  /** Gives up a refused message. */
  discard(clientId) {
    const entry = this.outbox.answered(clientId);
    if (entry) this.settled(entry, "gone");
  }

  /** HTTP commands that a person waits for; a network failure repeats once under the same key. */
  async command(method, path, body) {
    const key = mint();
    try {
      return await this.api.command(method, path, body, key);
    } catch (error) {
      if (error instanceof ApiError) throw error;
      return this.api.command(method, path, body, key);
    }
  }
}
