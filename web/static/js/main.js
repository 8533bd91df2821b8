// Where the page begins: puts the parts together, follows the address, and keeps the title honest.

import { Announcer } from "./announcer.js";
import { Client } from "./client.js";
import { mint } from "./core/ids.js";
import { Store } from "./core/store.js";
import { Files } from "./files.js";
import { Api } from "./io/api.js";
import { Attention } from "./io/attention.js";
import { Bell } from "./io/bell.js";
import { Disk } from "./io/disk.js";
import { Drafts, recall, remember } from "./io/prefs.js";
import { Notifier } from "./notifier.js";
import { Sending } from "./sending.js";
import { say } from "./words.js";
import { Chat, copy } from "./view/chat.js";
import { guardPage } from "./view/drop.js";
import { badge, emptyState, h, icon, nameOf } from "./view/dom.js";
import { ConversationList } from "./view/list.js";
import { NoticeCentre } from "./view/notices.js";
import { closeOverlays, toast } from "./view/overlay.js";
import { People, PeoplePage } from "./view/people.js";
import { SettingsPage, setTheme } from "./view/settings.js";
import { Strips } from "./view/strips.js";

const boot = JSON.parse(document.getElementById("boot").textContent);
const LIMITS = { body: 8_000, file: 2 ** 31, ...boot.limits };
const NAVIGATION = [
  ["/chat", "chat", "nav.chats"],
  ["/contacts", "people", "nav.people"],
  ["/settings", "settings", "nav.settings"],
];

/** What stands where a conversation will be. */
class NothingChosen {
  constructor(store) {
    this.store = store;
    this.element = h("div.chat");
    this.update();
  }

  update() {
    const { store } = this;
    const key = /Mac|iP(hone|ad)/.test(navigator.platform) ? "⌘K" : "Ctrl+K";
    const nobody = store.loaded && store.conversations.size === 0;
    const title = nobody ? say("chat.welcome", { name: nameOf(store.me) }) : say("chat.choose");
    const hint = nobody ? say("chat.welcome.hint") : say("chat.choose.hint", { key });
    this.element.replaceChildren(emptyState({ title, hint }));
  }
}

class Page {
  constructor() {
    const me = boot.user;
    remember("person", me.id);
    this.store = new Store(me);
    this.drafts = new Drafts(me.id);
    this.tab = mint();
    this.disk = new Disk(me.id, this.tab);
    this.places = new Map();
    this.trays = new Map();
    this.dirtyFiles = new Set();
    this.view = null;
    this.path = "";
    this.api = new Api({ onSessionOver: () => this.sessionOver() });
    this.client = new Client({
      store: this.store,
      api: this.api,
      disk: this.disk,
      url: `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`,
      on: {
        connection: (state) => {
          document.documentElement.dataset.link = state.up ? "up" : "down";
          this.strips.connectionIs(state);
          this.notifier.connectionIs(state);
          this.sending.world();
        },
        outbox: (entry, what, former) => this.outboxChanged(entry, what, former),
        hello: (hello) => {
          this.notifier.hello(hello);
          this.files.hello();
        },
        frame: (frame) => {
          this.notifier.frame(frame);
          this.files.frame(frame);
          this.sending.frame(frame);
        },
        resynced: () => this.notifier.resynced(),
        arrived: (frame) => {
          this.notifier.arrived(frame);
          this.view?.arrived?.(frame);
        },
        online: () => {
          this.notifier.announcer.online();
          this.view?.online?.();
        },
        lists: (good) => this.listsLoaded(good),
        stranger: () => this.makeRoom(),
      },
    });
    this.sending = new Sending({ client: this.client, person: me.id, tell: toast, open: () => this.chat });
    this.files = new Files({ client: this.client, uploads: this.sending });
    this.go = (path) => this.navigate(path);
    this.notifier = this.notifierFor(me.id);
    this.centre = new NoticeCentre({ notifier: this.notifier, go: (path, seq) => this.lead({ path, seq }) });
    this.people = new People({ client: this.client, go: this.go });
    this.strips = new Strips({
      root: document.getElementById("strips"),
      store: this.store,
      retry: () => this.client.connection.retryNow(),
    });
    const list = { root: document.getElementById("side"), client: this.client, notifier: this.notifier, drafts: this.drafts };
    this.list = new ConversationList({ ...list, go: this.go, copyLink: () => this.copyLink() });
    this.drawRail();
  }

  notifierFor(person) {
    const bell = new Bell({
      person,
      tab: this.tab,
      lead: () => this.notifier.announcer.lead(),
      opened: (target) => this.lead(target),
    });
    const announcer = new Announcer({ store: this.store, api: this.api, bell });
    return new Notifier({ client: this.client, attention: new Attention(), announcer, bell, viewing: () => this.chat });
  }

  /** The conversation that is open, or "". */
  get chat() {
    return this.view instanceof Chat ? this.view.id : "";
  }

  start() {
    this.store.listen((topic, id) => this.changed(topic, id));
    document.addEventListener("click", (event) => this.clicked(event));
    document.addEventListener("keydown", (event) => this.keyed(event));
    addEventListener("popstate", () => this.follow());
    addEventListener("focus", () => this.adopt());
    addEventListener("beforeunload", (event) => {
      const chosen = [...this.trays.values()].some((tray) => tray.items.length > 0);
      if (!this.api.over && (chosen || this.client.unkept.size > 0)) event.preventDefault();
    });
    guardPage();
    addEventListener("storage", (event) => {
      if (event.key === "parley.theme") setTheme(recall("theme"));
      // Of another tab. From then on all that this one asks for would be asked, and answered, in the other one's name.
      if (event.key === "parley.person" && event.newValue && event.newValue !== boot.user.id) this.makeRoom();
    });
    this.follow();
    this.arrive();
    this.client.start();
    this.sending.adoptSoon();
    this.api.renewLater();
    this.everyMidnight();
  }

  // The address

  navigate(path, replace = false) {
    if (path !== location.pathname) history[replace ? "replaceState" : "pushState"](null, "", path);
    this.follow();
  }

  /** To what a notice is about: `seq` is the message, 0 for none. */
  lead({ path, seq = 0 }) {
    this.navigate(path);
    if (seq > 0 && this.view instanceof Chat) this.view.show(seq);
  }

  /** Opened by a notification: the message stands behind the address. */
  arrive() {
    const seq = Number(/^#at=(\d+)$/.exec(location.hash)?.[1] ?? 0);
    if (seq === 0) return;
    history.replaceState(null, "", location.pathname);
    if (this.view instanceof Chat) this.view.show(seq);
  }

  /** Shows what the address says. */
  follow() {
    const path = location.pathname;
    if (path === this.path && this.view) return;
    this.path = path;
    closeOverlays();
    this.view?.close?.();
    const [, page, id] = path.split("/");
    const app = document.getElementById("app");
    app.dataset.pane = page !== "chat" ? "page" : id ? "chat" : "list";
    this.view = this.viewFor(page, id);
    document.getElementById("view").replaceChildren(this.view.element);
    this.list.select(page === "chat" ? id : null);
    this.notifier.attend();
    this.sending.left();
    this.drawRail();
    this.drawTitle();
  }

  viewFor(page, id) {
    const { client, notifier, files, people, drafts, places, trays, go } = this;
    if (page === "contacts") return new PeoplePage({ client, people, copyLink: () => this.copyLink() });
    if (page === "settings") {
      return new SettingsPage({
        client,
        notifier,
        operator: boot.operator,
        leave: (path) => this.leave(path),
        unsent: () => this.unsent(),
      });
    }
    if (id) return new Chat({ client, notifier, files, drafts, places, trays, people, go, id, limits: LIMITS });
    return new NothingChosen(this.store);
  }

  clicked(event) {
    const link = event.target.closest?.("a[data-link]");
    if (!link || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.defaultPrevented) return;
    event.preventDefault();
    this.navigate(new URL(link.href).pathname);
  }

  keyed(event) {
    const control = event.ctrlKey || event.metaKey;
    if (control && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k") {
      if (document.getElementById("app").dataset.pane !== "list" && innerWidth < 640) this.navigate("/chat");
      this.list.focusFilter();
    } else if (event.altKey && !control && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
      this.list.step(event.key === "ArrowUp" ? -1 : 1);
    } else return;
    event.preventDefault();
  }

  // What changes

  /** Views are drawn once for all that changes in one go. */
  changed(topic, id) {
    this.dirty ??= new Set();
    if (topic === "file") this.dirtyFiles.add(id);
    if (topic === "log" && id !== this.view?.id) return;
    this.dirty.add(topic);
    if (this.scheduled) return;
    this.scheduled = true;
    queueMicrotask(() => this.flush());
  }

  flush() {
    this.scheduled = false;
    const dirty = this.dirty;
    this.dirty = new Set();
    const files = this.dirtyFiles;
    this.dirtyFiles = new Set();
    if (files.size > 0 && this.view instanceof Chat) this.view.filesChanged(files);
    const people = dirty.has("presence") || dirty.has("wishes");
    if ((dirty.has("log") || people) && this.view instanceof Chat) this.view.update();
    if (dirty.has("list") || dirty.has("contacts") || people) this.list.render();
    if (dirty.has("list") || dirty.has("contacts")) this.drawRail();
    if (dirty.has("list") && this.view instanceof NothingChosen) this.view.update();
    if (dirty.has("contacts") && this.view instanceof PeoplePage) this.view.update();
    if (dirty.has("notices") || dirty.has("contacts") || dirty.has("list")) this.centre.update();
    if (dirty.has("wishes") && this.view instanceof SettingsPage) this.view.wishesChanged();
    if (dirty.has("me") && this.view instanceof SettingsPage) this.view.update();
    if (dirty.has("actors")) this.strips.render();
    this.drawTitle();
  }

  /** What a tab that is gone had not finished. */
  async adopt() {
    await this.client.adopt();
    this.sending.adoptSoon();
  }

  outboxChanged(entry, what, former) {
    this.sending.outbox(entry, what, former);
    if (what === "refused") toast(say("message.refused", { reason: entry.reason ?? "" }));
    this.changed("log", entry.conversation);
    this.changed("list");
  }

  listsLoaded(good) {
    this.list.failed = !good;
    if (good) this.notifier.announcer.listsAreHere();
    this.list.render();
    if (this.view instanceof Chat) this.view.update();
  }

  drawRail() {
    const rail = document.getElementById("rail");
    const current = `/${location.pathname.split("/")[1]}`;
    this.railLinks ??= NAVIGATION.map(([href, glyph, words]) => {
      const link = h("a.rail-link", { href, "data-link": true }, icon(glyph), say(words));
      rail.append(link);
      return link;
    });
    if (!this.centre.bell.isConnected) rail.insertBefore(this.centre.bell, this.railLinks.at(-1));
    const counts = { "/chat": this.store.unread, "/contacts": this.store.incoming.size };
    for (const link of this.railLinks) {
      const href = link.getAttribute("href");
      if (href === current) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
      link.querySelector(".badge")?.remove();
      if (counts[href] > 0) link.append(badge(counts[href]));
    }
  }

  drawTitle() {
    const { unread } = this.store;
    const one = this.view instanceof Chat ? this.view.conversation : null;
    const names = { contacts: say("people.title"), settings: say("settings.title") };
    const name = one ? nameOf(one.peer) : names[location.pathname.split("/")[1]];
    const title = [name, say("app")].filter(Boolean).join(" - ");
    document.title = unread > 0 ? `(${unread}) ${title}` : title;
    const favicon = document.querySelector("link[rel=icon]");
    const wanted = new URL(unread > 0 ? "../favicon-unread.svg" : "../favicon.svg", import.meta.url).pathname;
    if (favicon.getAttribute("href") !== wanted) favicon.setAttribute("href", wanted);
  }

  /** "Today" is another day then. */
  everyMidnight() {
    const next = new Date();
    next.setHours(24, 0, 1, 0);
    setTimeout(() => {
      this.changed("list");
      if (this.view instanceof Chat) this.view.update();
      this.everyMidnight();
    }, next - Date.now());
  }

  // The way out

  async unsent() {
    const kept = await this.disk.waiting().catch(() => 0);
    // Where nothing can be kept, the page alone knows.
    return Math.max(kept, this.client.outbox.waiting) + this.sending.unfinished;
  }

  /** Somebody else signed in at this browser: nothing of the former person may stay on this page. */
  makeRoom() {
    this.api.over = true;
    this.client.connection.stop();
    this.sending.close(false);
    location.reload();
  }

  /** Logged out: nothing of this person stays at this browser. */
  async leave(path) {
    this.api.over = true;
    this.client.connection.stop();
    this.view?.close?.();
    await this.disk.clear().catch(() => {});
    await this.sending.close(true).catch(() => {});
    await this.notifier.announcer.forget().catch(() => {});
    this.drafts.clear();
    remember("person", "");
    location.replace(path);
  }

  /** The session ended elsewhere: the page is cleared, drafts and the outbox wait for the same person to come back. */
  sessionOver() {
    this.client.connection.stop();
    this.sending.close(false);
    this.view?.close?.();
    this.notifier.bell.close().catch(() => {});
    document.getElementById("app").replaceChildren();
    remember("person", "");
    location.replace(`/login?next=${encodeURIComponent(location.pathname)}`);
  }

  copyLink() {
    copy(`${location.origin}/register`);
  }
}

new Page().start();
