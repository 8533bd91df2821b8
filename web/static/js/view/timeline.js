// The messages of one conversation on the page: a window over the loaded log that keeps what is read where it is.
//
// Rendered are the messages with `from` <= seq <= `to`; `to` is Infinity while the newest ones are among them. At most
// KEPT are on the page, so that a long history stays as light as a short one.

import { overlaid, ownKey, pendingRow, rowsOf } from "../core/rows.js";
import { dayLabel } from "../dates.js";
import { say } from "../words.js";
import { arrange, avatar, button, h, icon, keepFocus, nameOf } from "./dom.js";
import { bubbleNode, drawBubble } from "./bubble.js";

const KEPT = 160;
const STEP = 50;
const NEAR_PX = 400;
const BOTTOM_PX = 100;

export class Timeline {
  /** `load(limit)` fetches older messages; `moved()` hears of every scroll and change. */
  constructor({ client, files, conversation, actions, load, moved }) {
    Object.assign(this, { client, files, conversation, actions, load, moved });
    this.store = client.store;
    this.from = 1;
    this.to = Infinity;
    this.divider = 0;
    this.dividerCount = 0;
    this.unseen = 0;
    // Up to here those that arrived are counted: a push may come twice.
    this.counted = 0;
    this.sticking = true;
    // Where the scroller was when it was last put or heard to be somewhere.
    this.top = 0;
    this.loading = false;
    this.loadFailed = false;
    this.nodes = new Map();
    this.days = new Map();
    this.ready = false;
    this.build();
  }

  build() {
    const name = nameOf(this.conversation.peer);
    this.top = h("div.older");
    this.inner = h("div.timeline-inner");
    this.scroller = h(
      "div.timeline",
      {
        role: "log",
        "aria-live": "polite",
        "aria-relevant": "additions",
        "aria-label": say("chat.log", { name }),
        "aria-busy": "true",
        tabindex: "0",
      },
      this.inner,
    );
    this.scroller.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.scroller.addEventListener("keydown", (event) => this.keyed(event));
    this.scroller.addEventListener("contextmenu", (event) => this.pressed(event));
    this.jump = h("button.jump", { type: "button", hidden: true, on: { click: () => this.toBottom() } });
    this.element = h("div.stage", {}, this.scroller, this.jump);
    this.sizes = new ResizeObserver(() => this.resized());
    this.sizes.observe(this.scroller);
    this.sizes.observe(this.inner);
  }

  get log() {
    return this.conversation.log;
  }

  get atBottom() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    return this.to === Infinity && scrollHeight - scrollTop - clientHeight <= BOTTOM_PX;
  }

  // What is shown

  rows() {
    const me = this.store.me.id;
    const waiting = this.client.outbox.of(this.conversation.id);
    const stored = this.log?.loaded ? this.log.between(this.from, this.to) : (this.log?.arrived ?? []);
    const messages = stored.map((row) => overlaid(row, waiting, me));
    const sends = this.to === Infinity ? waiting.filter((entry) => entry.kind === "send") : [];
    return rowsOf({
      messages,
      pending: sends.map((entry) => pendingRow(entry, me)),
      me,
      fate: (seq) => this.conversation.fate(seq),
      divider: this.divider,
      unread: this.dividerCount,
    });
  }

  /** Draws everything anew where it changed; `hold` keeps what is read at its place, otherwise the bottom may follow. */
  render({ hold } = {}) {
    this.letLoose();
    hold ??= !this.sticking;
    const anchor = hold ? this.anchor() : null;
    this.place(this.rows());
    if (anchor) this.restore(anchor);
    else if (this.sticking) this.pin();
    this.drawJump();
    this.moved();
  }

  /** More is known of these files. */
  filesChanged(ids) {
    const cards = [...this.nodes.values()].map((node) => node.card).filter((card) => card && (ids.has(card.file.id) || ids.has(card.clientId)));
    if (cards.length === 0) return;
    const anchor = this.sticking ? null : this.anchor();
    for (const card of cards) card.update();
    if (anchor) this.restore(anchor);
  }

  place(rows) {
    const sections = [];
    const alive = new Set();
    let children = [];
    for (const row of rows) {
      alive.add(row.key);
      if (row.kind === "day") {
        const section = this.day(row);
        children = [section.label];
        sections.push({ section, children });
      } else children.push(this.node(row));
    }
    this.arrange(sections);
    for (const map of [this.nodes, this.days]) {
      for (const key of map.keys()) if (!alive.has(key)) map.delete(key);
    }
  }

  /** Who had the focus in a bubble that goes has it in the one that comes to its place. */
  arrange(sections) {
    const at = this.visibleNodes().findIndex((node) => node.contains(document.activeElement));
    const draw = () => {
      for (const { section, children } of sections) arrange(section.element, children);
      arrange(this.inner, [this.head(), ...sections.map(({ section }) => section.element)]);
    };
    keepFocus(this.inner, draw, () => {
      const left = this.visibleNodes();
      return left[Math.min(at, left.length - 1)] ?? this.scroller;
    });
  }

  /** Sent again it is another message, and has the bubble that it had. */
  renamed(former, clientId) {
    const node = this.nodes.get(ownKey(former));
    if (!node) return;
    this.nodes.delete(ownKey(former));
    this.nodes.set(ownKey(clientId), node);
  }

  day({ key, at }) {
    const known = this.days.get(key);
    if (known) {
      const text = dayLabel(at);
      if (known.label.textContent !== text) known.label.textContent = text;
      return known;
    }
    const label = h("h2.day-label", {}, dayLabel(at));
    const made = { label, element: h("section.day", {}, label) };
    this.days.set(key, made);
    return made;
  }

  node(row) {
    if (row.kind === "divider") {
      const words = say("chat.unread", { n: row.count });
      const known = this.nodes.get(row.key) ?? h("div.divider", { role: "separator" });
      if (known.textContent !== words) known.textContent = words;
      this.nodes.set(row.key, known);
      return known;
    }
    let node = this.nodes.get(row.key);
    if (!node) {
      node = bubbleNode(this.actions);
      if (this.ready && !this.loading && this.sticking) node.classList.add("arriving");
      this.nodes.set(row.key, node);
    }
    drawBubble(node, row, {
      me: this.store.me.id,
      peer: this.conversation.peer,
      files: this.files,
      actions: this.actions,
      quote: (id) => this.log?.find(id) ?? null,
    });
    return node;
  }

  /** Above the oldest message: a spinner, a way to try again, or the beginning. */
  head() {
    const log = this.log;
    const state = this.loadFailed ? "failed" : !log?.complete || this.from > log.lo ? "older" : this.conversation.last ? "start" : "hello";
    if (this.headState !== state) {
      this.headState = state;
      this.headNode = this.headFor(state);
    }
    return this.headNode;
  }

  headFor(state) {
    const { peer } = this.conversation;
    const name = nameOf(peer);
    if (state === "older") return h("div.older", {}, h("span.spinner", { role: "img", "aria-label": say("chat.loading") }));
    if (state === "failed") {
      const again = button(say("chat.tryAgain"), () => this.up(), ".quiet");
      return h("div.older", { role: "alert" }, h("span", {}, say("chat.loadFailed"), " ", again));
    }
    return h("div.start", {}, avatar(peer, ".large"), h("p", {}, say(`chat.${state}`, { name })));
  }

  // Where the reader is

  visibleNodes() {
    return [...this.scroller.querySelectorAll(".msg")];
  }

  /** The first message that can be seen, and where it is: afterwards it must be there still. */
  anchor() {
    const top = this.scroller.getBoundingClientRect().top;
    for (const node of this.visibleNodes()) {
      const box = node.getBoundingClientRect();
      if (box.bottom > top + 1) return { node, seq: Number(node.dataset.seq ?? 0), offset: box.top - top };
    }
    return null;
  }

  restore({ node, seq, offset }) {
    const there = node?.isConnected ? node : this.scroller.querySelector(`.msg[data-seq="${seq}"]`);
    if (!there) return;
    const top = this.scroller.getBoundingClientRect().top;
    const moved = there.getBoundingClientRect().top - top - offset;
    if (Math.abs(moved) >= 0.5) this.scroller.scrollTop += moved;
  }

  pin() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.top = this.scroller.scrollTop;
  }

  /** Of a step up the event comes with the next frame: whoever has taken it is not drawn back to the bottom meanwhile. */
  letLoose() {
    if (this.ready && this.sticking && this.scroller.scrollTop < this.top - 1 && !this.atBottom) this.sticking = false;
  }

  resized() {
    this.letLoose();
    if (this.sticking && this.ready) this.pin();
  }

  scrolled() {
    if (!this.ready) return;
    this.top = this.scroller.scrollTop;
    this.sticking = this.atBottom;
    if (this.sticking) this.unseen = 0;
    this.drawJump();
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    if (scrollTop < NEAR_PX) this.up();
    if (scrollHeight - scrollTop - clientHeight < NEAR_PX) this.down();
    this.moved();
  }

  /** Older messages: from what is loaded, else from the server. */
  async up() {
    const log = this.log;
    if (this.loading || !log) return;
    if (this.from > log.lo) {
      this.show(Math.max(log.lo, this.from - STEP), this.to, "from");
      return;
    }
    if (log.complete) return;
    this.loading = true;
    this.loadFailed = false;
    this.scroller.setAttribute("aria-busy", "true");
    try {
      await this.load(STEP);
    } catch {
      this.loadFailed = true;
    }
    if (this.log === log) this.show(Math.max(log.lo, this.from - STEP), this.to, "from");
    this.loading = false;
    this.scroller.setAttribute("aria-busy", "false");
    this.moved();
  }

  down() {
    if (this.to === Infinity || this.loading) return;
    const to = this.to + STEP;
    this.show(this.from, to >= this.log.hi ? Infinity : to, "to");
  }

  /** Moves the window; the far end is cut off so that the page stays light. */
  show(from, to, grown) {
    const newest = to === Infinity ? this.log.hi : to;
    this.from = from;
    this.to = to;
    if (newest - from > KEPT) {
      if (grown === "from") this.to = from + KEPT;
      else this.from = newest - KEPT;
    }
    this.render({ hold: true });
  }

  drawJump() {
    const away = this.ready && !this.atBottom;
    this.jump.hidden = !away;
    if (!away) return;
    const words = this.unseen > 0 ? say("chat.latest.count", { n: this.unseen }) : say("chat.latest");
    if (this.jump.getAttribute("aria-label") === words) return;
    this.jump.setAttribute("aria-label", words);
    this.jump.title = words;
    this.jump.replaceChildren(icon("down"), ...(this.unseen > 0 ? [h("span.badge", {}, String(this.unseen))] : []));
  }

  toBottom() {
    this.follow();
    this.render({ hold: false });
  }

  /** From the next drawing on, the newest messages are shown and the bottom is kept in view. */
  follow() {
    const log = this.log;
    this.to = Infinity;
    this.top = 0;
    if (log && log.hi - this.from > KEPT) this.from = Math.max(log.lo, log.hi - KEPT);
    this.sticking = true;
    this.unseen = 0;
  }

  // Opening

  /** Lands at the divider when something is unread, at a former place, or at the bottom. */
  open({ place = null }) {
    this.ready = false;
    const log = this.log;
    this.counted = log.hi;
    const unread = this.conversation.unread;
    this.divider = unread > 0 ? log.firstUnread(this.conversation.floor, this.store.me.id) : 0;
    this.dividerCount = unread;
    const wanted = this.divider || place?.seq || 0;
    this.from = Math.max(log.lo === Infinity ? 1 : log.lo, (wanted || log.hi) - STEP);
    this.to = wanted && log.hi - this.from > KEPT ? this.from + KEPT : Infinity;
    this.sticking = !wanted;
    this.render({ hold: false });
    if (this.divider) this.toDivider();
    else if (place) this.restore({ seq: place.seq, offset: place.offset });
    this.ready = true;
    this.sticking = this.atBottom;
    this.scroller.setAttribute("aria-busy", "false");
    this.scrolled();
  }

  /** The divider at the upper third. */
  toDivider() {
    const line = this.nodes.get("divider");
    if (!line) return;
    const offset = line.getBoundingClientRect().top - this.scroller.getBoundingClientRect().top;
    this.scroller.scrollTop += offset - this.scroller.clientHeight / 3;
  }

  /** Where the reader left off, for the next visit; null at the bottom. */
  get lastPlace() {
    const anchor = this.ready && !this.atBottom ? this.anchor() : null;
    return anchor?.seq ? { seq: anchor.seq, offset: anchor.offset } : null;
  }

  /** A message of the other while this is open. Unseen when scrolled up; a divider when nobody looks at the page. */
  arrived(frame) {
    if (frame.seq <= this.counted) return;
    this.counted = frame.seq;
    if (!document.hasFocus()) {
      // When all before it was read, what is new begins here, wherever it began the last time.
      if (!this.divider || this.conversation.unread <= 1) {
        this.divider = frame.seq;
        this.dividerCount = 0;
      }
      this.dividerCount += 1;
    }
    if (!this.sticking) this.unseen += 1;
  }

  /** I wrote something, which is about to be drawn: that ends what was unread. */
  wrote() {
    this.divider = 0;
    this.follow();
  }

  /** Brings a message into view and flashes it, loading older ones as far as it takes. */
  async jumpTo(messageId, pages = 10) {
    for (let left = pages; left > 0 && !this.log.find(messageId) && !this.log.complete; left -= 1) await this.load(200);
    const row = this.log.find(messageId);
    if (row) this.flash(row);
  }

  /** As jumpTo, by place. What is new already begins in view: then nothing moves. */
  async showPlace(seq, pages = 10) {
    for (let left = pages; left > 0 && seq < this.log.lo && !this.log.complete; left -= 1) await this.load(200);
    const row = this.log.rows.get(seq);
    if (row && seq !== this.divider) this.flash(row);
    else if (row) this.toDivider();
  }

  flash(row) {
    if (row.seq < this.from || row.seq > this.to) {
      this.from = Math.max(this.log.lo, row.seq - STEP);
      this.to = this.log.hi - this.from > KEPT ? this.from + KEPT : Infinity;
    }
    this.sticking = false;
    this.render({ hold: false });
    const node = this.scroller.querySelector(`.msg[data-seq="${row.seq}"]`);
    node?.scrollIntoView({ block: "center" });
    node?.classList.remove("flash");
    requestAnimationFrame(() => node?.classList.add("flash"));
    setTimeout(() => node?.classList.remove("flash"), 1_600);
  }

  /** The highest place of the other's messages whose end can be seen. */
  get seenUpTo() {
    const box = this.scroller.getBoundingClientRect();
    const nodes = this.visibleNodes();
    for (let at = nodes.length - 1; at >= 0; at -= 1) {
      const node = nodes[at];
      if (!node.classList.contains("other")) continue;
      const { bottom } = node.getBoundingClientRect();
      if (bottom <= box.bottom + 4 && bottom > box.top) return Number(node.dataset.seq);
      if (bottom <= box.top) return 0;
    }
    return 0;
  }

  // Keyboard and long press

  keyed(event) {
    const node = event.target.closest(".msg");
    const steps = { ArrowUp: -1, ArrowDown: 1 };
    if (event.key in steps && (node || event.target === this.scroller) && !event.altKey) {
      const all = this.visibleNodes();
      const at = node ? all.indexOf(node) + steps[event.key] : all.length - 1;
      const next = all[Math.max(0, Math.min(all.length - 1, at))];
      next?.focus({ preventScroll: true });
      next?.scrollIntoView({ block: "nearest" });
      event.preventDefault();
    } else if (event.key === "Enter" && node && event.target === node) {
      this.actions.menu(node, node.more);
      event.preventDefault();
    }
  }

  pressed(event) {
    const node = event.target.closest?.(".msg");
    if (!node || !matchMedia("(hover: none)").matches) return;
    event.preventDefault();
    this.actions.menu(node, { x: event.clientX, y: event.clientY });
  }

  close() {
    this.sizes.disconnect();
    for (const node of this.nodes.values()) clearTimeout(node.lateTimer);
  }
}

