// Which notices are announced at this browser, once each, by the tab that leads. Further ways to announce belong here.

import { Announced } from "./core/notices.js";
import { recall, remember } from "./io/prefs.js";
import { say } from "./words.js";
import { aboutNotice, previewOf } from "./about.js";

const PAGE_MOST = 200;
const AT_ONCE = 8;
const AGAIN_MS = 3_000;
const HEARD_EVERY_MS = 5_000;

export const tagOf = (notice) => (notice.kind === "messages" ? `chat-${notice.conversation}` : `notice-${notice.id}`);

export class Announcer {
  constructor({ store, api, bell }) {
    Object.assign(this, { store, api, bell });
    this.key = `bell.${store.me.id}`;
    this.head = null;
    this.heardAt = -Infinity;
    this.reading = null;
    this.behind = false;
    // Conversations that stand on the desktop, with the place of the last message of each.
    this.cards = new Map();
    store.listen((topic, id) => {
      if (topic === "log" && this.cards.has(id)) this.readUp(id);
    });
    this.announced = new Announced();
    // Without the lists nobody's name is known yet, nor what a message says.
    this.listed = new Promise((resolve) => {
      this.listsAreHere = resolve;
    });
  }

  /** This tab announces from now on. */
  lead() {
    this.announced = Announced.of(recall(this.key) || "null");
    if (this.announced.cursor === null && this.head !== null) this.begin(this.head);
    this.catchUp();
    this.takeOver();
  }

  /** What the tab before this one, or this one before a reload, has put on the desktop. */
  async takeOver() {
    for (const { data } of await this.bell.shown()) {
      if (data?.last && !this.cards.has(data.conversation)) this.cards.set(data.conversation, data.last);
    }
    await this.listed;
    for (const id of this.cards.keys()) this.readUp(id);
  }

  begin(cursor) {
    this.announced = new Announced({ cursor });
    this.save();
  }

  save() {
    remember(this.key, String(this.announced));
  }

  /** Logged out: nothing stays on the desktop, nor of what was shown there. */
  async forget() {
    remember(this.key, "");
    await this.bell.close();
  }

  /** On hello: notices can be read up to the change `head`. */
  greeted(head) {
    this.head = head;
    const { cursor } = this.announced;
    // Of what was before this browser came first nothing is announced; nor of another database than before.
    if (this.bell.leads && (cursor === null || cursor > head)) this.begin(head);
  }

  /** The page has read what else there is to read after a hello. */
  online() {
    if (this.announced.cursor < this.head) this.catchUp();
  }

  /**
   * Reads the log on: what was pushed while this browser was away, or was lost on its way. Whoever asks for it meanwhile
   * may mean what came after the last page: showing what was found takes its time.
   */
  catchUp() {
    this.behind = this.reading !== null;
    this.reading ??= this.readOn()
      .catch(() => this.later())
      .finally(() => {
        this.reading = null;
      });
    return this.reading;
  }

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.catchUp(), AGAIN_MS);
  }

  async readOn() {
    do {
      this.behind = false;
      await this.readPages();
    } while (this.behind);
  }

  async readPages() {
    if (!this.bell.leads || this.announced.cursor === null) return;
    const found = new Map();
    let { cursor } = this.announced;
    for (let more = true; more; ) {
      const page = await this.api.get(`/notices?since=${cursor}&limit=${PAGE_MOST}`);
      for (const notice of page.notices) found.set(notice.id, notice);
      ({ next: cursor, more } = page);
    }
    const fresh = [...found.values()].filter((notice) => this.announced.lacks(notice));
    await this.announce(fresh.filter((notice) => !notice.read).slice(-AT_ONCE));
    for (const notice of fresh) if (notice.read) this.withdraw(notice);
    this.announced.reached(cursor);
    this.save();
  }

  /** A push. */
  take(notice) {
    if (!this.bell.leads) return;
    if (notice.read) this.withdraw(notice);
    if (!this.announced.lacks(notice)) return;
    if (notice.read) {
      this.announced.done(notice);
      this.save();
    } else this.announce([notice]);
    if (this.announced.full) this.catchUp();
  }

  /** Each on the desktop where that is wished and allowed; else one tone for all of them. */
  async announce(notices) {
    await this.listed;
    let tone = false;
    for (const notice of notices) {
      // While one of several is put there, the next may have come by push as well.
      if (!this.announced.lacks(notice)) continue;
      this.announced.done(notice);
      if (notice.conversation && (await this.bell.isViewed(notice.conversation))) continue;
      const sound = notice.sound && this.mayBeHeard();
      const wished = notice.desktop && this.store.wishes.preferences?.desktop !== false;
      const shown = wished && (await this.bell.show({ ...this.card(notice), silent: !sound }));
      if (shown) this.shown(notice);
      tone ||= sound && !shown;
    }
    this.save();
    if (tone) await this.bell.tone();
  }

  shown(notice) {
    // Read meanwhile, at another device.
    if (this.store.notices.rows.get(notice.id)?.read) this.withdraw(notice);
    else if (notice.kind === "messages") {
      this.cards.set(notice.conversation, notice.to_seq);
      this.readUp(notice.conversation);
    }
  }

  /** Read here or at another device: nothing stays on the desktop until notifier has come to it. */
  readUp(id) {
    if ((this.store.get(id)?.floor ?? 0) < this.cards.get(id)) return;
    this.bell.close(`chat-${id}`, this.cards.get(id));
    this.cards.delete(id);
  }

  /** A conversation's next notice has the same tag, and often comes with the word that the one before was read. */
  withdraw(notice) {
    this.bell.close(tagOf(notice), notice.to_seq);
  }

  /** Somebody who writes ten lines in a row is heard once. */
  mayBeHeard() {
    const now = performance.now();
    if (now - this.heardAt < HEARD_EVERY_MS) return false;
    this.heardAt = now;
    return true;
  }

  card(notice) {
    const { title, text, path, seq } = aboutNotice(notice, this.store);
    const body = (notice.preview && previewOf(notice, this.store)) || text;
    const target = { path, seq, conversation: notice.conversation, last: notice.to_seq };
    return { tag: tagOf(notice), title: title || say("app"), body, at: new Date(notice.at).getTime(), target };
  }
}
