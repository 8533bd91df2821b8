// What notifier tells this page and is told by it: who is there, who writes, notices, preferences. Worth nothing to text:
// while notifier is away all of this rests, and nothing else notices.

import { TypingSignal } from "./core/presence.js";

const AGAIN_MS = 3_000;
const SOON_MS = 300;
// As long as the page itself says nothing of it.
const LOST_AFTER_MS = 2_000;
// All pages hear at the same moment that notifier is back.
const SPREAD_MS = 3_000;
// Timers and clocks round differently.
const EARLY_MS = 5;
const LIST = 50;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export class Notifier {
  /** `viewing()` is the conversation that is open, or "". */
  constructor({ client, attention, announcer, bell, viewing }) {
    Object.assign(this, { client, attention, announcer, bell, viewing });
    this.store = client.store;
    this.signals = new Map();
    this.told = "";
    attention.listen(() => this.attend());
  }

  get down() {
    return this.store.actors.get("notifier") === "down";
  }

  // From the server

  /** First of all, whoever is here says so: without it a person counts as away. */
  hello({ notices }) {
    this.told = "";
    this.attend();
    if (notices) this.announcer.greeted(notices.change);
    this.readAll();
  }

  /** What may have been missed. */
  resynced() {
    this.told = "";
    this.attend();
    this.announcer.catchUp();
    this.readAll();
  }

  readAll() {
    clearTimeout(this.readTimer);
    this.readTimer = null;
    this.readPresence();
    this.readNotices();
    this.readWishes();
  }

  /** What was known last says nothing about now, once nothing has been heard for more than a moment. */
  connectionIs({ up }) {
    if (up) {
      clearTimeout(this.lostTimer);
      this.lostTimer = null;
    } else this.lostTimer ??= setTimeout(() => this.forgetPresence(), LOST_AFTER_MS);
  }

  forgetPresence() {
    // Nor does an answer that is still on its way.
    this.turn = (this.turn ?? 0) + 1;
    this.store.presence.clear();
    this.store.tell("presence");
  }

  frame(frame) {
    const { presence, wishes } = this.store;
    if (frame.type === "typing") this.typing(frame);
    else if (frame.type === "presence") presence.one(frame);
    else if (frame.type === "notice") this.notice(frame);
    else if (frame.type === "notices_read") this.noticesRead(frame);
    else if (frame.type === "preferences") wishes.prefer(frame);
    else if (frame.type === "mute") this.muted(frame);
    else if (frame.type === "contact") this.contact(frame);
    else if (frame.type === "actor" && frame.name === "notifier") this.actor(frame.state);
    else return;
    const topics = { notice: "notices", notices_read: "notices", preferences: "wishes", mute: "wishes" };
    this.store.tell(topics[frame.type] ?? "presence");
  }

  actor(state) {
    // What was known last says nothing about now.
    if (state === "down") this.store.presence.clear();
    else if (state === "running") this.readTimer ??= setTimeout(() => this.readAll(), Math.random() * SPREAD_MS);
  }

  contact({ user, relation }) {
    if (relation === "contact") this.presenceSoon(SOON_MS);
    else this.store.presence.one({ user: user.id, state: "unknown" });
  }

  // Presence and typing

  async readPresence() {
    const { presence } = this.store;
    // The next hello asks.
    if (!this.client.connection.up) return;
    const turn = (this.turn = (this.turn ?? 0) + 1);
    presence.asking();
    // Without an answer nobody is shown: the next hello asks again.
    const { presence: list, late } = await this.client.api.get("/presence").catch(() => ({ presence: [] }));
    if (turn !== this.turn) return;
    presence.all(list);
    if (late && !this.down) this.presenceSoon(AGAIN_MS * (1 + Math.random()));
    this.store.tell("presence");
  }

  presenceSoon(wait) {
    clearTimeout(this.presenceTimer);
    this.presenceTimer = setTimeout(() => this.readPresence(), wait);
  }

  typing({ conversation, user }) {
    if (user === this.store.me.id) return;
    this.store.presence.types(conversation, performance.now());
    this.lapse();
  }

  lapse() {
    const next = this.store.presence.lapse(performance.now());
    clearTimeout(this.lapseTimer);
    if (next === 0) return;
    this.lapseTimer = setTimeout(() => {
      this.lapse();
      this.store.tell("presence");
    }, next + 10);
  }

  /** The other's message is here: they have stopped writing it. */
  arrived({ conversation }) {
    if (this.store.presence.wrote(conversation)) this.store.tell("presence");
  }

  /** A key in the composer of a conversation. */
  typed(conversation) {
    const signal = this.signals.get(conversation) ?? new TypingSignal();
    this.signals.set(conversation, signal);
    const wait = signal.typed(performance.now());
    if (wait === 0) this.signal(conversation);
    else {
      clearTimeout(this.signalTimer);
      this.signalTimer = setTimeout(() => this.signal(conversation), wait + EARLY_MS);
    }
  }

  signal(conversation) {
    if (this.down || !this.client.connection.up || !this.signals.get(conversation).due(performance.now())) return;
    this.client.connection.write({ type: "typing", conversation });
  }

  /** Sent, or nothing is left of it. */
  stopped(conversation) {
    this.signals.get(conversation)?.stop();
  }

  /** Tells what this device shows, when that has changed or nobody knows it yet. */
  attend() {
    const viewing = this.attention.focused ? this.viewing() : "";
    if (this.bell.viewing !== viewing) this.bell.view(viewing);
    const frame = { type: "attention", visible: this.attention.visible, ...(viewing && { conversation: viewing }) };
    const told = JSON.stringify(frame);
    if (told !== this.told && this.client.connection.up && this.client.connection.write(frame)) this.told = told;
  }

  // Notices

  async readNotices() {
    try {
      this.store.notices.page(await this.client.api.get(`/notices?limit=${LIST}`), true);
      // The greeting could not say where the log ends: then it ends here.
      if (this.announcer.head === null) this.announcer.greeted(this.store.notices.newest);
    } catch {
      // The next hello, or notifier when it is back, brings us here again.
    }
    this.store.tell("notices");
  }

  async readOlder() {
    this.store.notices.page(await this.client.api.get(`/notices?before=${this.store.notices.oldest}&limit=${LIST}`), false);
    this.store.tell("notices");
  }

  notice(frame) {
    this.store.notices.put(frame);
    this.announcer.take(frame);
    this.countSoon();
  }

  noticesRead(frame) {
    for (const notice of this.store.notices.read(frame)) this.announcer.take({ ...notice, read: true });
    this.countSoon();
  }

  /** Where older notices are not loaded, only the server can count. */
  countSoon() {
    if (this.store.notices.whole) return;
    this.countTimer ??= setTimeout(() => {
      this.countTimer = null;
      this.readNotices();
    }, SOON_MS);
  }

  /** `what`: {ids} or {up_to}. Shown at once; every device hears of it. */
  async markRead(what) {
    const before = this.store.notices.read(what);
    this.store.tell("notices");
    try {
      await this.client.command("POST", "/notices/read", what);
      for (const notice of before) this.announcer.take({ ...notice, read: true });
      this.countSoon();
    } catch (error) {
      this.store.notices.restore(before);
      this.store.tell("notices");
      // Only the answer may be lost, and another device may have read them as well.
      this.readNotices();
      throw error;
    }
  }

  // Preferences and mutes

  async readWishes() {
    const turn = this.store.wishes.asking();
    // Where it fails, as with notices.
    this.store.wishes.answered(turn, await this.client.api.get("/me/preferences").catch(() => null));
    this.mutesLapse();
    this.store.tell("wishes");
  }

  async prefer(values) {
    const { preferences } = await this.client.command("PATCH", "/me/preferences", values);
    this.store.wishes.prefer(preferences);
    this.store.tell("wishes");
  }

  /** `how`: {seconds} or {forever: true}; null ends it. */
  async mute(user, how) {
    const path = `/contacts/${user}/mute`;
    const { mute } = how ? await this.client.command("PUT", path, how) : await this.client.command("DELETE", path);
    this.muted(mute);
    this.store.tell("wishes");
  }

  muted(mute) {
    this.store.wishes.mute(mute);
    this.mutesLapse();
  }

  mutesLapse() {
    clearTimeout(this.muteTimer);
    const next = this.store.wishes.nextEnd(Date.now());
    if (next === 0) return;
    this.muteTimer = setTimeout(() => {
      this.mutesLapse();
      this.store.tell("wishes");
    }, Math.min(next + 100, LONGEST_TIMER_MS));
  }
}
