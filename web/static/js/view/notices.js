// The notice centre: a bell with a count, and a panel of what one was told or missed.

import { aboutNotice } from "../about.js";
import { shortOf, wholeOf } from "../dates.js";
import { say } from "../words.js";
import { arrange, avatar, badge, button, emptyState, h, icon, keepFocus, tool } from "./dom.js";
import { choices } from "./forms.js";
import { reasonOf, toast } from "./overlay.js";

export class NoticeCentre {
  /** `go(path, seq)` leads to what a notice is about. */
  constructor({ notifier, go }) {
    this.notifier = notifier;
    this.store = notifier.store;
    this.go = go;
    this.only = "unread";
    this.open = false;
    this.nodes = new Map();
    this.bell = h(
      "button.rail-link.bell",
      { type: "button", "aria-haspopup": "dialog", "aria-expanded": "false" },
      icon("bell"),
      h("span", { "aria-hidden": "true" }, say("notices.short")),
    );
    this.panel = this.build();
    // As its target, so that a click on the bell of an open panel closes it, and nothing else.
    this.bell.popoverTargetElement = this.panel;
    document.body.append(this.panel);
    this.update();
  }

  build() {
    const filters = [
      ["unread", say("notices.unread")],
      ["all", say("notices.all")],
    ];
    const filter = choices(say("notices.which"), filters, this.only, (which) => {
      this.only = which;
      this.drawList();
    });
    this.all = button(say("notices.readAll"), () => this.read({ up_to: this.store.notices.newest }), ".quiet");
    this.list = h("ul.notice-list");
    this.rest = h("div.notice-rest");
    const close = tool("close", say("notices.close"), () => this.panel.hidePopover());
    const panel = h(
      "section.notices",
      { popover: "auto", role: "dialog", "aria-labelledby": "notices-title" },
      h("header", {}, h("h2", { id: "notices-title", tabindex: "-1" }, say("notices.title")), close),
      h("div.notices-line", {}, filter, this.all),
      this.list,
      this.rest,
    );
    panel.addEventListener("beforetoggle", (event) => {
      this.open = event.newState === "open";
      this.bell.setAttribute("aria-expanded", String(this.open));
      if (this.open) this.drawList();
    });
    panel.addEventListener("toggle", () => {
      if (this.open) panel.querySelector("h2").focus({ focusVisible: false });
    });
    return panel;
  }

  async read(what) {
    await this.notifier.markRead(what).catch((error) => toast(reasonOf(error)));
  }

  update() {
    const { notices } = this.store;
    const { unread } = notices;
    this.bell.setAttribute("aria-label", unread > 0 ? say("notices.count", { n: unread }) : say("notices.title"));
    this.bell.querySelector(".badge")?.remove();
    if (unread > 0) this.bell.append(badge(unread, { "aria-hidden": "true" }));
    // The list costs a look at everybody whom a notice names: not at each message while nobody sees it.
    if (this.open) this.drawList();
  }

  drawList() {
    const { notices } = this.store;
    this.all.disabled = notices.unread === 0;
    const shown = notices.list.filter((one) => this.only === "all" || !one.read);
    const alive = new Set(shown.map((one) => one.id));
    for (const id of this.nodes.keys()) if (!alive.has(id)) this.nodes.delete(id);
    // What was read is gone from the unread ones, and with it the button that was pressed.
    const rest = () => this.list.querySelector("button") ?? this.panel.querySelector("h2");
    keepFocus(this.list, () => arrange(this.list, shown.map((one) => this.item(one))), rest);
    this.drawRest(shown.length);
  }

  item(notice) {
    const about = aboutNotice(notice, this.store);
    const signature = JSON.stringify([notice, about, shortOf(notice.at)]);
    const known = this.nodes.get(notice.id);
    if (known?.signature === signature) return known.element;
    const element = known?.element ?? h("li");
    const follow = () => this.follow(notice, about);
    const face = about.user ? h("span.face", {}, avatar(about.user), h("span.kind", {}, icon(about.glyph))) : h("span.face.plain", {}, icon(about.glyph));
    const words = h("span.who", {}, h("b", {}, h("bdi", {}, about.title)), h("span", { dir: "auto" }, about.text));
    const time = h("time", { datetime: notice.at, title: wholeOf(notice.at) }, shortOf(notice.at));
    element.className = notice.read ? "notice-item" : "notice-item fresh";
    element.dataset.kind = notice.kind;
    const mark = !notice.read && tool("check", say("notices.read"), () => this.read({ ids: [notice.id] }));
    const label = notice.read ? null : h("span.unseen", {}, say("notices.new"));
    const open = h("button.notice-open", { type: "button", "data-key": "open", on: { click: follow } }, face, words, label, time);
    keepFocus(element, () => element.replaceChildren(...[open, mark].filter(Boolean)), () => open);
    this.nodes.set(notice.id, { element, signature });
    return element;
  }

  follow(notice, { path, seq }) {
    this.panel.hidePopover();
    if (!notice.read) this.read({ ids: [notice.id] });
    this.go(path, seq);
  }

  /** Below the list: nothing there, not readable at the moment, or older ones. */
  drawRest(count) {
    const { notices } = this.store;
    const state = !notices.known ? "late" : count === 0 ? `empty ${this.only}` : notices.whole || this.only === "unread" ? "" : "older";
    if (state === this.restState) return;
    this.restState = state;
    const inside = {
      late: () => h("p.hint", {}, say("notices.late")),
      older: () => button(say("notices.older"), () => this.notifier.readOlder().catch((error) => toast(reasonOf(error))), ".quiet"),
      "empty unread": () => emptyState({ title: say("notices.none"), hint: say("notices.none.hint"), mark: false }),
      "empty all": () => emptyState({ title: say("notices.nothing"), hint: say("notices.nothing.hint"), mark: false }),
    }[state];
    this.rest.replaceChildren(...(inside ? [inside()] : []));
  }
}
