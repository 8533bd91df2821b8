// What a person can do about another: ask, accept, remove, block; and the page where people are found.

import { shortOf } from "../dates.js";
import { say } from "../words.js";
import { arrange, avatar, button, emptyState, h, icon, keepFocus, nameOf } from "./dom.js";
import { confirmDialog, reasonOf, toast } from "./overlay.js";

const DEBOUNCE_MS = 200;
const LEAST = 2;

/** Carries out what changes a relation, and tells the store what the answer says. */
export class People {
  constructor({ client, go }) {
    this.client = client;
    this.store = client.store;
    this.go = go;
  }

  /** `act`: request, cancel, accept, decline, remove, block, unblock. Errors become a note on the page. */
  async act(act, user) {
    if (!(await this.sure(act, user))) return;
    try {
      await this.carryOut(act, user);
    } catch (error) {
      toast(reasonOf(error));
    }
  }

  async sure(act, user) {
    if (act !== "remove" && act !== "block") return true;
    const words = { title: say(`people.${act}.ask`, { name: nameOf(user) }), hint: say(`people.${act}.hint`) };
    return Boolean(await confirmDialog({ ...words, action: say(`people.${act}`), danger: true }));
  }

  async carryOut(act, user) {
    const { client, store } = this;
    const pending = store.incoming.get(user.id) ?? store.outgoing.get(user.id);
    const request = `/contacts/requests/${pending?.id ?? "gone"}`;
    const [method, path, body] = {
      request: ["POST", "/contacts/requests", { user_id: user.id }],
      cancel: ["DELETE", request],
      accept: ["POST", `${request}/accept`],
      decline: ["POST", `${request}/decline`],
      remove: ["DELETE", `/contacts/${user.id}`],
      block: ["PUT", `/contacts/${user.id}/block`],
      unblock: ["DELETE", `/contacts/${user.id}/block`],
    }[act];
    const before = store.relationOf(user.id);
    const answer = await client.command(method, path, body);
    const now = answer.contact ?? { ...answer.request, request: answer.request.id };
    // The other may have gone on while the answer was on its way, or was asked for a second time: a push told that.
    const overtaken = ![before, now.relation].includes(store.relationOf(user.id));
    if (overtaken || store.contact(now)) await client.loadLists();
    if (now.relation === "contact") this.openChat(user);
  }

  conversationWith(userId) {
    for (const one of this.store.conversations.values()) if (one.peer.id === userId) return one;
    return null;
  }

  openChat(user) {
    const one = this.conversationWith(user.id) ?? this.store.contacts.get(user.id);
    if (one) this.go(`/chat/${one.conversation ?? one.id}`);
  }
}

/** The page: search, requests both ways, contacts, blocked. */
export class PeoplePage {
  constructor({ client, people, copyLink }) {
    Object.assign(this, { client, people, copyLink });
    this.store = client.store;
    this.hits = null;
    this.chosen = -1;
    this.asked = 0;
    this.search = h("input.input", {
      type: "search",
      id: "people-search",
      placeholder: say("people.search"),
      "aria-label": say("people.search"),
      autocomplete: "off",
      autocapitalize: "none",
      spellcheck: "false",
      on: { input: () => this.typed(), keydown: (event) => this.keyed(event) },
    });
    this.results = h("div", { "aria-live": "polite" });
    this.inner = h(
      "div.panel-inner",
      {},
      h("h1", {}, say("people.title")),
      h(
        "div.section",
        {},
        h("label.search", {}, icon("search"), this.search),
        h("p.hint", {}, say("people.search.hint")),
        this.results,
      ),
    );
    this.sections = h("div.section.sections");
    this.inner.append(this.sections);
    this.element = h("div.panel", {}, this.inner);
    if (matchMedia("(hover: hover)").matches) queueMicrotask(() => this.search.focus());
    this.update();
  }

  typed() {
    clearTimeout(this.timer);
    const text = this.search.value.trim();
    if ([...text].length < LEAST) {
      this.hits = null;
      this.asked += 1;
      this.drawResults();
      return;
    }
    this.timer = setTimeout(() => this.look(text), DEBOUNCE_MS);
  }

  async look(text) {
    const turn = (this.asked += 1);
    const { moves } = this.store;
    try {
      const { users } = await this.client.api.get(`/users?q=${encodeURIComponent(text)}`);
      if (turn !== this.asked) return;
      // Older than what was pushed about somebody meanwhile.
      if (moves !== this.store.moves) {
        this.look(text);
        return;
      }
      for (const user of users) this.store.relations.set(user.id, user.relation);
      this.hits = users;
      this.chosen = users.length > 0 ? 0 : -1;
    } catch (error) {
      if (turn !== this.asked) return;
      this.hits = null;
      toast(reasonOf(error));
    }
    this.drawResults();
  }

  keyed(event) {
    if (!this.hits?.length || event.isComposing) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) this.chosen = (this.chosen + step + this.hits.length) % this.hits.length;
    else if (event.key === "Enter") this.results.querySelectorAll(".person")[this.chosen]?.querySelector("button")?.click();
    else return;
    event.preventDefault();
    this.drawResults();
  }

  /** What can be seen of it is read out, so it is drawn only when it has changed. */
  drawResults() {
    const seen = JSON.stringify([this.chosen, this.hits?.map((user) => [user, this.relation(user)]), this.hits?.length === 0 && this.search.value]);
    if (seen === this.resultsSeen) return;
    this.resultsSeen = seen;
    keepFocus(this.results, () => this.drawHits());
  }

  drawHits() {
    if (this.hits === null) {
      this.results.replaceChildren();
      return;
    }
    if (this.hits.length === 0) {
      const title = say("people.noHits", { text: this.search.value.trim() });
      const actions = [button(say("find.copyLink"), this.copyLink)];
      const empty = emptyState({ title, hint: say("people.noHits.hint"), actions, mark: false });
      this.results.replaceChildren(h("div.card", {}, empty));
      return;
    }
    const rows = this.hits.map((user, at) => {
      const relation = this.relation(user);
      const row = this.person(user, relation, relation === "none" ? "" : say(`people.is.${relation}`));
      if (at === this.chosen) row.dataset.chosen = "true";
      return row;
    });
    this.results.replaceChildren(h("div.card", { role: "group", "aria-label": say("people.results") }, rows));
  }

  relation(user) {
    return user.id === this.store.me.id ? "self" : this.store.relationOf(user.id);
  }

  person(user, relation, words = "") {
    return h(
      `div.person${relation === "incoming" ? ".wide-actions" : ""}`,
      { "data-user": user.id, "data-relation": relation },
      avatar(user),
      h("span.who", {}, h("b", {}, h("bdi", {}, nameOf(user))), h("span", {}, `@${user.username}${words ? ` · ${words}` : ""}`)),
      h("span.actions", {}, this.actions(user, relation)),
    );
  }

  /** One fitting action; for who asks me, the choice. */
  actions(user, relation) {
    const named = (act, click, kind = "") => {
      const made = button(say(`people.${act}`), click, kind);
      made.dataset.key = `${user.id} ${act}`;
      return made;
    };
    const does = (act, kind) => named(act, () => this.people.act(act, user), kind);
    if (relation === "self") return [];
    if (relation === "contact") return [named("open", () => this.people.openChat(user))];
    if (relation === "incoming") return [does("accept", ".primary"), does("decline"), does("block", ".quiet")];
    if (relation === "outgoing") return [does("cancel")];
    if (relation === "blocked") return [does("unblock")];
    return [does("request", ".primary")];
  }

  update() {
    const { incoming, outgoing, contacts, blocked } = this.store;
    if (this.hits) this.drawResults();
    // A button that is made anew between press and release is not clicked.
    const seen = JSON.stringify([incoming, outgoing, contacts, blocked].map((map) => [...map.values()]));
    if (seen === this.sectionsSeen) return;
    this.sectionsSeen = seen;
    const asked = (one) => (one.at ? say("people.asked", { time: shortOf(one.at) }) : "");
    const sections = [
      this.section("people.requests", [...incoming.values()].map((one) => this.person(one.user, "incoming", asked(one))), "people.requests.none"),
      outgoing.size > 0 && this.section("people.outgoing", [...outgoing.values()].map((one) => this.person(one.user, "outgoing", asked(one)))),
      contacts.size > 0
        ? this.section("people.contacts", byName(contacts).map((one) => this.person(one.user, "contact")))
        : this.noContacts(),
      blocked.size > 0 && this.section("people.blocked", byName(blocked).map((one) => this.person(one.user, "blocked"))),
    ];
    arrange(this.sections, sections.filter(Boolean));
  }

  section(title, rows, none = "") {
    const inside = rows.length > 0 ? h("div.card", {}, rows) : h("p.hint", {}, say(none));
    return h("section.section", { "data-section": title }, h("h2", {}, say(title)), inside);
  }

  noContacts() {
    const actions = [
      button(say("find.people"), () => this.search.focus(), ".primary"),
      button(say("find.copyLink"), this.copyLink, ".quiet"),
    ];
    const empty = emptyState({ title: say("people.contacts.none"), hint: say("people.contacts.hint"), actions });
    return h("section.section", {}, h("h2", {}, say("people.contacts")), h("div.card", {}, empty));
  }

  close() {
    clearTimeout(this.timer);
  }
}

function byName(map) {
  return [...map.values()].sort((one, other) => nameOf(one.user).localeCompare(nameOf(other.user)));
}

