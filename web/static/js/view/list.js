// The list of conversations: sorted by last activity, filtered by name, with rows that keep their nodes.

import { waitingAs } from "../core/rows.js";
import { folded, preview } from "../core/text.js";
import { shortOf, wholeOf } from "../dates.js";
import { summaryOf } from "../summary.js";
import { say } from "../words.js";
import { arrange, avatar, badge, button, emptyState, h, icon, nameOf, tool } from "./dom.js";
import { openMenu, reasonOf, toast } from "./overlay.js";
import { dot, isTyping, muteItems, stateOf } from "./status.js";

const TICKS = { queued: "clock", sent: "clock", failed: "alert", stored: "check", delivered: "checks", read: "checks" };

// A press may end where the page does not hear of it.
const PRESS_MOST_MS = 1_000;

/** The tick of a message of mine, with its words for those who do not see it. */
export function ticks(fate, at, timeOf) {
  const label = say(`state.${fate}`, { time: at ? timeOf(at) : "" });
  return h("span.ticks", { "data-fate": fate, role: "img", "aria-label": label, title: label }, icon(TICKS[fate]));
}

export class ConversationList {
  /** `go(path)` changes the page's address; `copyLink()` copies an invitation to this Parley. */
  constructor({ root, client, notifier, drafts, go, copyLink }) {
    this.client = client;
    this.notifier = notifier;
    this.store = client.store;
    this.drafts = drafts;
    this.go = go;
    this.copyLink = copyLink;
    this.current = null;
    this.failed = false;
    this.nodes = new Map();
    this.filter = h("input.input", {
      type: "search",
      placeholder: say("list.jump"),
      "aria-label": say("list.jump"),
      autocomplete: "off",
      spellcheck: "false",
      on: { input: () => this.render(), keydown: (event) => this.filterKey(event) },
    });
    const key = /Mac|iP(hone|ad)/.test(navigator.platform) ? "⌘K" : "Ctrl K";
    this.rows = h("nav.rows", { "aria-label": say("list.title"), on: { pointerdown: () => this.press() } });
    this.pressed = 0;
    root.append(
      h("header.side-head", {}, h("h1", {}, say("list.title")), h("label.search", {}, icon("search"), this.filter, h("kbd", {}, key))),
      this.rows,
    );
    this.render();
  }

  /** The conversations shown, in order: what Alt+Up and Alt+Down step through. */
  get shown() {
    const wanted = folded(this.filter.value.trim());
    const all = this.sorted();
    if (!wanted) return all;
    return all.filter(({ peer }) => folded(`${peer.display_name} ${peer.username}`).includes(wanted));
  }

  /** By last activity; what I wrote just now counts before it is stored. */
  sorted() {
    const at = new Map(this.store.sorted.map((one) => [one, one.lastAt]));
    for (const entry of this.client.outbox.entries) {
      const one = this.store.get(entry.conversation);
      if (entry.kind === "send" && at.has(one) && entry.at > at.get(one)) at.set(one, entry.at);
    }
    return [...at.keys()].sort((one, other) => (at.get(one) < at.get(other) ? 1 : at.get(one) > at.get(other) ? -1 : 0));
  }

  focusFilter() {
    this.filter.focus();
    this.filter.select();
  }

  filterKey(event) {
    if (event.key === "Enter" && this.shown[0] && !event.isComposing) this.open(this.shown[0].id);
    else if (event.key === "ArrowDown") this.rows.querySelector("a")?.focus();
    else if (event.key === "Escape") {
      this.filter.value = "";
      this.filter.blur();
      this.render();
    } else return;
    event.preventDefault();
  }

  open(id) {
    this.filter.value = "";
    this.go(`/chat/${id}`);
    this.render();
  }

  step(by) {
    const all = this.shown;
    const at = all.findIndex((one) => one.id === this.current);
    const next = all[at < 0 ? 0 : at + by];
    if (next) this.open(next.id);
  }

  select(id) {
    this.current = id;
    this.render();
  }

  /** What is drawn anew, or moves, between press and release would lose the click: it waits until that is over. */
  press() {
    const over = () => {
      clearTimeout(this.pressed);
      this.pressed = 0;
      for (const type of ["pointerup", "pointercancel"]) removeEventListener(type, soon);
      this.render();
    };
    // The click comes after it.
    const soon = () => setTimeout(over);
    if (this.pressed) return;
    this.pressed = setTimeout(over, PRESS_MOST_MS);
    for (const type of ["pointerup", "pointercancel"]) addEventListener(type, soon);
  }

  render() {
    if (this.pressed) return;
    const shown = this.shown;
    const children = [];
    if (this.store.incoming.size > 0 && !this.filter.value) children.push(this.requestsRow());
    for (const one of shown) children.push(this.row(one));
    if (shown.length === 0) children.push(this.empty());
    arrange(this.rows, children);
    const alive = new Set(shown.map((one) => one.id));
    for (const id of this.nodes.keys()) if (!alive.has(id)) this.nodes.delete(id);
  }

  empty() {
    if (this.filter.value) return h("p.hint.empty", {}, say("list.noHits"));
    if (!this.store.loaded) return this.failed ? h("p.hint.empty", {}, say("list.offline")) : h("span");
    return emptyState({
      title: say("list.empty"),
      hint: say("list.empty.hint"),
      mark: false,
      actions: [
        button(say("find.people"), () => this.go("/contacts"), ".primary"),
        button(say("find.copyLink"), this.copyLink, ".quiet"),
      ],
    });
  }

  requestsRow() {
    const count = this.store.incoming.size;
    if (this.requests?.count === count) return this.requests.row;
    const row = h(
      "a.row.requests",
      { href: "/contacts", "data-link": true, "data-key": "requests" },
      icon("knock"),
      h("span.row-line", {}, say("list.requests", { n: count }), h("span.badge", { "aria-hidden": "true" }, String(count))),
    );
    this.requests = { count, row };
    return row;
  }

  row(one) {
    const view = this.viewOf(one);
    const known = this.nodes.get(one.id);
    const signature = JSON.stringify(view);
    if (known?.signature === signature) return known.element;
    const { element, link } = known ?? this.rowNode(one.id);
    link.classList.toggle("unread", view.unread > 0);
    link.classList.toggle("muted", view.muted);
    if (view.current) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
    link.replaceChildren(h("span.face", {}, avatar(one.peer), dot(view.presence)), this.lines(view));
    this.nodes.set(one.id, { element, link, signature });
    return element;
  }

  /** The link, and beside it the button of its menu, which a long press or the menu key opens too. */
  rowNode(id) {
    const link = h("a.row", { href: `/chat/${id}`, "data-link": true });
    const more = tool("more", say("list.actions"), () => this.openRowMenu(id, more), ".row-more");
    more.setAttribute("aria-haspopup", "menu");
    link.addEventListener("contextmenu", (event) => {
      event.preventDefault();
      this.openRowMenu(id, event.clientX || event.clientY ? { x: event.clientX, y: event.clientY } : more);
    });
    return { element: h("div.row-box", {}, link, more), link };
  }

  openRowMenu(id, anchor) {
    const one = this.store.get(id);
    if (!one) return;
    const attempt = (promise) => Promise.resolve(promise).catch((error) => toast(reasonOf(error)));
    const muted = this.store.wishes.mutedUntil(one.peer.id, Date.now()) > 0;
    const items = [
      one.unread > 0
        ? { label: say("list.markRead"), icon: "checks", act: () => this.client.read(id, one.seq) }
        : one.last && { label: say("list.markUnread"), icon: "unread", act: () => attempt(this.markUnread(one)) },
      ...(one.relation === "contact" && !one.peer.deleted
        ? muteItems(muted, (how) => attempt(this.notifier.mute(one.peer.id, how)))
        : []),
    ];
    openMenu({ anchor, items: items.filter(Boolean), label: say("list.actions") });
  }

  /** From the other's last message on; it may lie before what is loaded. */
  async markUnread(one) {
    if (one.id === this.current) this.go("/chat");
    const seq = one.last.sender !== this.store.me.id && !one.last.deleted ? one.last.seq : await this.client.lastOfPeer(one.id);
    if (seq > 0) await this.client.markUnread(one.id, seq);
    else toast(say("list.markUnread.none"));
  }

  /** What a row shows, as plain data: a row is drawn again only when this changes. */
  viewOf(one) {
    const me = this.store.me.id;
    const waiting = this.client.outbox.of(one.id).filter((entry) => entry.kind === "send");
    const newest = waiting.at(-1) ?? null;
    const draft = one.id === this.current ? "" : this.drafts.get(one.id);
    const at = newest?.at ?? one.lastAt;
    return {
      name: one.peer.deleted ? say("chat.deletedUser") : nameOf(one.peer),
      user: one.peer.id,
      at: at ? shortOf(at) : "",
      exact: at,
      draft: preview(draft, 80),
      ...this.lastLine(one, newest, me),
      unread: one.unseen,
      current: one.id === this.current,
      presence: stateOf(one, this.store),
      typing: isTyping(one, this.store),
      muted: this.store.wishes.mutedUntil(one.peer.id, Date.now()) > 0,
    };
  }

  lastLine(one, newest, me) {
    if (newest) return { text: say("list.you", { text: summaryOf(newest) }), fate: waitingAs(newest) };
    const last = one.last;
    if (!last) return { text: say("list.nothing"), fate: "" };
    const text = last.deleted ? say("list.deleted") : summaryOf(last);
    if (last.sender !== me) return { text, fate: "" };
    return { text: last.deleted ? text : say("list.you", { text }), fate: last.deleted ? "" : one.fate(last.seq) };
  }

  lines(view) {
    const text = view.typing
      ? h("span.row-text.typing", {}, say("presence.typing"))
      : view.draft
      ? h("span.row-text", {}, h("em", {}, say("list.draft")), h("bdi", {}, view.draft))
      : h("span.row-text", {}, h("bdi", {}, view.text));
    return h(
      "span.row-lines",
      {},
      h(
        "span.row-line",
        {},
        h("span.row-name", {}, h("bdi", {}, view.name)),
        view.muted && h("span.mute-mark", { role: "img", "aria-label": say("mute.is"), title: say("mute.is") }, icon("mute")),
        view.at && h("time.row-time", { datetime: view.exact, title: wholeOf(view.exact) }, view.at),
      ),
      h(
        "span.row-line",
        {},
        view.fate && !view.draft && !view.typing && ticks(view.fate, view.exact, shortOf),
        text,
        badge(view.unread, { "aria-label": say("list.unread", { n: view.unread }) }),
      ),
    );
  }
}
