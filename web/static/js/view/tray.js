// What is about to be sent: files with their previews and captions. Nothing of it leaves the browser before it is confirmed.

import { extensionOf, kindOf, nameParts, shownName } from "../core/names.js";
import { portrait } from "../io/preview.js";
import { sizeOf } from "../measures.js";
import { say } from "../words.js";
import { h, icon, tool } from "./dom.js";

const MOST = 20;
const TYPE_LETTERS = 5;

export class Tray {
  /** `limit` is the most bytes of a file, `captionLimit` the most characters of a caption. */
  constructor({ limit, captionLimit }) {
    Object.assign(this, { limit, captionLimit });
    this.items = [];
    this.changed = () => {};
    this.list = h("ul.tray-list");
    this.note = h("p.tray-note", { role: "alert" });
    this.count = h("p.unseen", { role: "status" });
    this.element = h("div.tray", { role: "group", "aria-label": say("tray.label"), hidden: true }, this.list, this.note, this.count);
  }

  /** Takes in {file, handle} as io/choosing.js gives them; what cannot be sent is named, with the reason. */
  add(found, { folders = 0 } = {}) {
    const notes = folders > 0 ? [say("tray.folders")] : [];
    for (const { file, handle } of found) {
      if (file.size > this.limit) notes.push(say("tray.tooLarge", { name: shownName(file.name), size: sizeOf(file.size), limit: sizeOf(this.limit) }));
      else if (this.items.length >= MOST) notes.push(say("tray.tooMany", { n: MOST }));
      else this.items.push(this.item(file, handle));
    }
    this.note.textContent = [...new Set(notes)].join(" ");
    this.render();
  }

  item(file, handle) {
    const { start, end, dir } = nameParts(file.name);
    const item = { file, handle, about: portrait(file), url: "" };
    item.thumb = h("span.tray-thumb", { "aria-hidden": "true" }, icon(kindOf(file)), h("small", {}, extensionOf(file.name).slice(0, TYPE_LETTERS)));
    item.caption = h("input.tray-caption", {
      type: "text",
      dir: "auto",
      maxlength: this.captionLimit,
      placeholder: say("tray.caption"),
      "aria-label": say("tray.caption.of", { name: shownName(file.name) }),
      autocomplete: "off",
    });
    const remove = tool("close", say("tray.remove", { name: shownName(file.name) }), () => this.remove(item), ".tray-remove");
    const name = h("span.file-name", { dir, title: shownName(file.name) }, h("span", {}, start), h("span", {}, end));
    item.element = h(
      "li.tray-item",
      {},
      item.thumb,
      h("div.tray-about", {}, name, h("span.tray-size", {}, sizeOf(file.size)), item.caption),
      remove,
    );
    this.picture(item);
    return item;
  }

  async picture(item) {
    const { preview } = await item.about;
    if (!preview || !this.items.includes(item)) return;
    item.url = URL.createObjectURL(preview);
    item.thumb.replaceChildren(h("img", { src: item.url, alt: "" }));
  }

  remove(item) {
    const at = this.items.indexOf(item);
    this.items.splice(at, 1);
    this.forget(item);
    this.note.textContent = "";
    this.render();
    (this.items[at] ?? this.items.at(-1))?.element.querySelector("button").focus();
  }

  forget(item) {
    if (item.url) URL.revokeObjectURL(item.url);
  }

  /** Empties it. Returns what was in it: {file, handle, about, body}, body its own caption. */
  take() {
    const taken = this.items.splice(0);
    for (const item of taken) this.forget(item);
    this.note.textContent = "";
    this.render();
    return taken.map(({ file, handle, about, caption }) => ({ file, handle, about, body: caption.value.trim() }));
  }

  render() {
    const { length } = this.items;
    this.list.replaceChildren(...this.items.map((item) => item.element));
    // What is written below belongs to a single one, unless it has words of its own: those stay in sight.
    for (const item of this.items) item.caption.hidden = length === 1 && item.caption.value.trim() === "";
    this.element.hidden = length === 0 && this.note.textContent === "";
    const words = length > 0 ? say("tray.count", { n: length }) : "";
    if (this.count.textContent !== words) this.count.textContent = words;
    this.changed();
  }
}
