// Where a message is written, edited, or answered; or the reason why none can be sent.

import { lengthOf, preview } from "../core/text.js";
import { enterSends } from "../io/prefs.js";
import { say } from "../words.js";
import { button, h, icon, nameOf, tool } from "./dom.js";

const COUNT_FROM = 500;
const DRAFT_MS = 250;

/** Whether this key press sends: Enter, or Ctrl/Cmd+Enter where chosen; never while an input method composes. */
export function sends(event, enter) {
  if (event.key !== "Enter" || event.isComposing || event.keyCode === 229 || event.shiftKey || event.altKey) return false;
  return enter || event.ctrlKey || event.metaKey;
}

export class Composer {
  /**
   * `on`: send({body, reply_to}), edit(row, body), editLast(), act(relation), typed(some) at each key of a new message.
   * `limit`: most characters of a body.
   */
  constructor({ conversation, drafts, limit, on }) {
    Object.assign(this, { conversation, drafts, limit, on });
    this.editing = null;
    this.replying = null;
    this.about = h("div.composer-about", { hidden: true });
    this.text = h("textarea", {
      rows: "1",
      dir: "auto",
      "aria-label": say("composer.label", { name: nameOf(conversation.peer) }),
      placeholder: say("composer.placeholder"),
      enterkeyhint: "send",
      on: { input: () => this.typed(), keydown: (event) => this.keyed(event) },
    });
    this.button = h("button.send", { type: "submit", "aria-label": say("composer.send"), title: say("composer.send") }, icon("send"));
    this.counter = h("div.counter", { hidden: true, role: "status" });
    this.form = h(
      "form.composer-box",
      { on: { submit: (event) => this.submit(event) } },
      this.about,
      h("div.composer-line", {}, this.text, this.button),
      this.counter,
    );
    this.element = h("footer.composer");
    this.text.value = drafts.get(conversation.id);
    this.render();
    queueMicrotask(() => this.changed());
  }

  /** The box, or in its place why nothing can be sent. */
  render() {
    const reason = this.reason();
    const key = reason ? JSON.stringify(reason) : "box";
    if (this.shown === key) return;
    this.shown = key;
    if (!reason) {
      this.element.replaceChildren(this.form);
      return;
    }
    const actions = reason.acts.map(([act, label]) => button(label, () => this.on.act(act), act === "accept" ? ".primary" : ""));
    this.element.replaceChildren(h("div.composer-reason", { role: "status" }, h("span", {}, reason.words), ...actions));
  }

  reason() {
    const { relation, peer } = this.conversation;
    const name = nameOf(peer);
    if (peer.deleted) return { words: say("composer.deleted"), acts: [] };
    if (relation === "contact") return null;
    const acts = {
      removed: [["request", say("composer.ask")]],
      none: [["request", say("composer.ask")]],
      blocked: [["unblock", say("people.unblock")]],
      outgoing: [["cancel", say("people.cancel")]],
      incoming: [
        ["accept", say("people.accept")],
        ["decline", say("people.decline")],
      ],
    }[relation];
    return { words: say(`composer.${relation}`, { name }), acts: acts ?? [] };
  }

  focus() {
    this.text.focus({ preventScroll: true });
  }

  typed() {
    this.changed();
    if (!this.editing) this.on.typed(this.text.value.trim() !== "");
  }

  changed() {
    this.grow();
    const left = this.limit - lengthOf(this.text.value);
    this.counter.hidden = left > COUNT_FROM;
    this.counter.classList.toggle("over", left < 0);
    this.counter.textContent = say(left < 0 ? "composer.over" : "composer.left", { n: Math.abs(left) });
    this.button.disabled = this.text.value.trim() === "" || left < 0;
    this.text.setAttribute("aria-invalid", String(left < 0));
    if (this.editing) return;
    clearTimeout(this.draftTimer);
    this.draftTimer = setTimeout(() => this.keep(), DRAFT_MS);
  }

  /** The draft, where a crash or a switch finds it again. */
  keep() {
    clearTimeout(this.draftTimer);
    this.drafts.set(this.conversation.id, this.editing ? this.draftBefore : this.text.value);
  }

  grow() {
    this.text.style.height = "auto";
    this.text.style.height = `${Math.max(44, this.text.scrollHeight)}px`;
  }

  keyed(event) {
    if (sends(event, enterSends())) {
      event.preventDefault();
      this.submit(event);
    } else if (event.key === "Escape" && (this.editing || this.replying)) {
      event.preventDefault();
      event.stopPropagation();
      this.cancel();
    } else if (event.key === "ArrowUp" && this.text.value === "" && !this.editing && !event.isComposing) {
      event.preventDefault();
      this.on.editLast();
    }
  }

  submit(event) {
    event.preventDefault();
    const body = this.text.value.trim();
    if (body === "" || lengthOf(body) > this.limit) return;
    const { editing, replying } = this;
    if (editing) {
      this.cancel();
      if (body !== editing.body) this.on.edit(editing, body);
      return;
    }
    this.text.value = "";
    this.replying = null;
    this.drawAbout();
    this.changed();
    this.on.send({ body, reply_to: replying?.message_id });
    this.keep();
    this.focus();
  }

  reply(row, name) {
    if (this.editing) this.cancel();
    this.replying = row;
    this.drawAbout(say("composer.replying", { name }), preview(row.body), "reply");
    this.focus();
  }

  edit(row) {
    if (!this.editing) this.draftBefore = this.text.value;
    this.replying = null;
    this.editing = row;
    this.text.value = row.body;
    this.drawAbout(say("composer.editing"), preview(row.body), "edit");
    this.changed();
    this.focus();
    this.text.setSelectionRange(row.body.length, row.body.length);
  }

  cancel() {
    if (this.editing) this.text.value = this.draftBefore;
    this.editing = null;
    this.replying = null;
    this.drawAbout();
    this.changed();
    this.focus();
  }

  drawAbout(title = "", text = "", name = "") {
    this.about.hidden = title === "";
    const label = say(this.editing ? "composer.save" : "composer.send");
    this.button.setAttribute("aria-label", label);
    this.button.title = label;
    if (title === "") return;
    const lines = h("div.about", {}, h("b", {}, title), h("span", { dir: "auto" }, text));
    this.about.replaceChildren(icon(name), lines, tool("close", say("composer.cancel"), () => this.cancel()));
  }

  close() {
    this.keep();
  }
}
