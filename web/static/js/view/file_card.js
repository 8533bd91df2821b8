// The card of a file in a bubble, for sender and recipient. Its nodes are made once: a film that plays, and a button that
// has the focus, stay what they are while everything around them is drawn again.

import { cardOf, percentOf } from "../core/cards.js";
import { extensionOf, kindOf, nameParts, shownName } from "../core/names.js";
import { sizeOf, speedOf, timeLeft } from "../measures.js";
import { has, say } from "../words.js";
import { arrange, h, icon, tool } from "./dom.js";
import { FileMedia, sealOf } from "./file_media.js";

const ICONS = { pause: "pause", resume: "start", retry: "again", choose: "file", cancel: "close" };
const TYPE_LETTERS = 5;

export class FileCard {
  /**
   * Shows nothing before take(). `actions`: view, pause, resume, retry, choose and cancel, each of a card. `files` tells
   * how far a file is.
   */
  constructor({ clientId, own, files, actions }) {
    Object.assign(this, { clientId, own, files, actions });
    this.file = { id: "" };
    this.state = "";
    this.buttons = new Map();
    this.element = null;
  }

  build() {
    const { file } = this;
    const kind = kindOf(file);
    this.kind = kind;
    this.size = sizeOf(file.size);
    const { start, end, dir } = nameParts(file.name);
    this.media = ["image", "film", "sound"].includes(kind) ? new FileMedia(this) : null;
    this.line = h("span.file-line");
    this.seal = sealOf(".file-seal");
    this.acts = h("div.file-acts");
    this.bar = h("div.file-bar", { role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100, "aria-label": shownName(file.name) }, h("span"));
    // Heard when the state changes, and not at each step of the progress.
    this.told = h("span.unseen", { role: "status" });
    this.element = h(
      "div.file",
      { "data-kind": kind, "data-file": file.id },
      this.media?.element,
      h(
        "div.file-row",
        {},
        h("span.file-type", { "aria-hidden": "true" }, icon(kind), h("small", {}, extensionOf(file.name).slice(0, TYPE_LETTERS))),
        h(
          "div.file-about",
          {},
          h("span.file-name", { dir, title: shownName(file.name) }, h("span", {}, start), h("span", {}, end)),
          h("span.file-state", {}, this.line, this.seal),
        ),
        this.acts,
      ),
      this.bar,
      this.told,
    );
  }

  /** By which the uploads of this browser know it. */
  get key() {
    return this.file.id || this.clientId;
  }

  /** The file as its message has it now: the server may have given it an id since. `refused`: the message was. */
  take(file, refused) {
    this.file = file;
    this.refused = refused;
    if (!this.element) this.build();
    this.media?.take(file);
    this.element.dataset.file = file.id;
    this.update();
  }

  /** Draws what has changed since the last time. */
  update() {
    const { file, files, own } = this;
    const local = own ? files.uploads.view(this.key) : null;
    const card = cardOf({ own, transfer: files.of(file), local, down: files.down });
    // The message offers that itself.
    if (this.refused) card.acts = card.acts.filter((act) => act !== "retry");
    const signature = JSON.stringify([card, file, own && files.uploads.picture(this.key)]);
    if (signature === this.signature) return;
    this.signature = signature;
    this.draw(card);
    this.media?.update(card);
  }

  draw(card) {
    const percent = percentOf(card.offset, this.file.size);
    const moving = ["uploading", "paused", "waiting", "hashing", "verifying"].includes(card.state);
    const words = this.words(card, percent);
    this.element.dataset.state = card.state;
    this.element.classList.toggle("moving", moving);
    if (this.line.textContent !== words) this.line.textContent = words;
    this.seal.hidden = !(card.verified && card.state === "ready");
    this.bar.hidden = !moving;
    this.bar.setAttribute("aria-valuenow", percent);
    this.bar.firstChild.style.width = `${percent}%`;
    this.drawActs(card);
    if (this.state && this.state !== card.state) this.told.textContent = say("file.told", { name: shownName(this.file.name), state: words });
    this.state = card.state;
  }

  words({ state, why, speed, eta }, percent) {
    const specific = `file.state.${state}.${why}`;
    const progress = say("file.progress", { percent, size: this.size });
    const line = say(why && has(specific) ? specific : `file.state.${state}`, { progress, size: this.size });
    const more = [speed > 0 && speedOf(speed), eta !== null && timeLeft(eta)];
    // A line never begins with a dot.
    return [line, ...more].filter(Boolean).join(" · ").replaceAll(" · ", "\u00A0· ");
  }

  drawActs(card) {
    const focused = this.acts.contains(document.activeElement);
    arrange(this.acts, card.acts.map((act) => this.button(act, card.state)));
    // The button that was pressed has become another one.
    if (focused && !this.acts.contains(document.activeElement)) this.acts.firstElementChild?.focus();
  }

  button(act, state) {
    if (act === "download") return this.download(state);
    if (!this.buttons.has(act)) {
      this.buttons.set(act, tool(ICONS[act], say(`file.act.${act}`), () => this.actions[act](this), ".file-act"));
    }
    return this.buttons.get(act);
  }

  /** Works at any time: what is still being sent is downloaded as it arrives. */
  download(state) {
    let link = this.buttons.get("download");
    if (!link) {
      link = h("a.tool.file-act", { download: true }, icon("download"));
      this.buttons.set("download", link);
    }
    link.href = this.files.download(this.file.id);
    const label = say(state === "ready" || state === "unknown" ? "file.act.download" : "file.act.download.early");
    link.setAttribute("aria-label", label);
    link.title = label;
    return link;
  }
}
