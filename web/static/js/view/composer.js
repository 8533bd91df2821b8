// Where a message is written, edited, or answered; or the reason why none can be sent.

import { lengthOf } from "../core/text.js";
import { pasted, pick } from "../io/choosing.js";
import { enterSends } from "../io/prefs.js";
import { summaryOf } from "../summary.js";
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
   * `on`: send({body, reply_to, files}), edit(row, body), editLast(), act(relation), typed(some) at each key of a new
   * message. `limit`: most characters of a body. `tray`: the files that go with the next message.
   */
  constructor({ conversation, drafts, limit, tray, on }) {
    Object.assign(this, { conversation, drafts, limit, tray, on });
    this.editing = null;
    this.replying = null;
    this.about = h("div.composer-about", { hidden: true });
    this.text = h("textarea", {
      rows: "1",
      dir: "auto",
      "aria-label": say("composer.label", { name: nameOf(conversation.peer) }),
      placeholder: say("composer.placeholder"),
      enterkeyhint: "send",
      on: {
        input: () => this.typed(),
        keydown: (event) => this.keyed(event),
        paste: (event) => this.pasted(event),
      },
    });
    this.chooser = h("input", { type: "file", multiple: true, hidden: true, on: { change: () => this.chosen() } });
    this.attach = tool("clip", say("composer.attach"), () => this.pickFiles(), ".attach");
    this.button = h("button.send", { type: "submit", "aria-label": say("composer.send"), title: say("composer.send") }, icon("send"));
    this.counter = h("div.counter", { hidden: true, role: "status" });
    this.asFile = button(say("composer.asFile"), () => this.textAsFile(), ".quiet");
    this.asFile.hidden = true;
    this.form = h(
      "form.composer-box",
      { on: { submit: (event) => this.submit(event) } },
      this.about,
      tray.element,
      h("div.composer-line", {}, this.attach, this.text, this.button),
      h("div.composer-foot", {}, this.asFile, this.counter),
      this.chooser,
    );
    tray.changed = () => this.changed();
    this.element = h("footer.composer");
    this.kept = drafts.get(conversation.id);
    this.text.value = this.kept;
    this.leaving = () => this.keep();
    addEventListener("pagehide", this.leaving);
    this.takeUp();
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
    this.asFile.hidden = left >= 0 || this.editing !== null;
    const files = this.editing ? 0 : this.tray.items.length;
    this.button.disabled = (this.text.value.trim() === "" && !this.mayBeEmpty) || left < 0;
    this.attach.hidden = this.editing !== null;
    this.text.placeholder = say(files === 1 ? "composer.caption" : "composer.placeholder");
    this.text.setAttribute("aria-invalid", String(left < 0));
    if (this.editing) return;
    // Not put off by each further key: who writes without a pause would have no draft.
    this.draftTimer ??= setTimeout(() => this.keep(), DRAFT_MS);
  }

  /** Whether no words are needed, because of files that go with them or whose caption this is. */
  get mayBeEmpty() {
    return this.editing ? Boolean(this.editing.file) : this.tray.items.length > 0;
  }

  /** The draft, where a crash or a switch finds it again. Only what was written here: another tab may have it newer. */
  keep() {
    clearTimeout(this.draftTimer);
    this.draftTimer = null;
    const text = this.editing ? this.draftBefore : this.text.value;
    if (text === this.kept) return;
    this.kept = text;
    this.drafts.set(this.conversation.id, text);
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
    const { editing, replying } = this;
    if (lengthOf(body) > this.limit || (body === "" && !this.mayBeEmpty)) return;
    if (editing) {
      this.cancel();
      if (body !== editing.body) this.on.edit(editing, body);
      return;
    }
    this.text.value = "";
    this.replying = null;
    this.drawAbout();
    this.changed();
    this.on.send({ body, reply_to: replying?.message_id, files: this.tray.take() });
    this.keep();
    this.focus();
  }

  // Files

  get takesFiles() {
    return this.editing === null && this.reason() === null;
  }

  addFiles(found, more) {
    this.tray.add(found, more);
    this.focus();
  }

  async pickFiles() {
    const found = await pick(this.chooser);
    if (found.length > 0) this.addFiles(found);
  }

  chosen() {
    this.addFiles([...this.chooser.files].map((file) => ({ file, handle: null })));
    this.chooser.value = "";
  }

  pasted(event) {
    const found = this.takesFiles && event.clipboardData ? pasted(event.clipboardData) : [];
    if (found.length === 0) return;
    event.preventDefault();
    this.addFiles(found);
  }

  /** What is too long for a message goes as what it is. */
  textAsFile() {
    const file = new File([this.text.value], say("composer.asFile.name"), { type: "text/plain" });
    this.text.value = "";
    this.addFiles([{ file, handle: null }]);
  }

  reply(row, name) {
    if (this.editing) this.cancel();
    this.replying = row;
    this.answered = name;
    this.drawAbout(say("composer.replying", { name }), summaryOf(row), "reply");
    this.focus();
  }

  /** `text`: how far it has come already. */
  edit(row, text = row.body) {
    if (!this.editing) this.draftBefore = this.text.value;
    this.replying = null;
    this.editing = row;
    this.text.value = text;
    this.drawAbout(say("composer.editing"), summaryOf(row), "edit");
    this.changed();
    this.focus();
    this.text.setSelectionRange(text.length, text.length);
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

  /** What was being edited or answered when the conversation was left, unless that is gone meanwhile. */
  takeUp() {
    const begun = this.drafts.begun.get(this.conversation.id);
    if (!begun) return;
    this.drafts.begun.delete(this.conversation.id);
    const { row, name, text } = begun;
    if (this.conversation.log?.find(row.message_id)?.deleted) return;
    if (name) this.reply(row, name);
    else this.edit(row, text);
  }

  close() {
    removeEventListener("pagehide", this.leaving);
    this.keep();
    const { editing, replying, answered, text } = this;
    if (editing) this.drafts.begun.set(this.conversation.id, { row: editing, text: text.value });
    else if (replying) this.drafts.begun.set(this.conversation.id, { row: replying, name: answered });
  }
}
