// Dead letters: why each could not be handled, and what it holds only when somebody asks for it.

import { dayLabel, timeOf, wholeOf } from "../dates.js";
import { button, h } from "../view/dom.js";
import { reasonOf } from "../view/overlay.js";
import { say } from "./words.js";

export class LetterList {
  constructor({ api, actors, note }) {
    this.api = api;
    this.actors = actors;
    this.note = note;
    this.element = h("div.letters", { "aria-live": "polite" });
    this.again = button(say("letters.again"), () => this.look(), ".small");
  }

  /** Never by itself, but for the first time: whoever looks holds the letters for a moment. */
  async look() {
    this.again.disabled = true;
    this.element.replaceChildren(h("p.quiet", {}, say("letters.looking")));
    const parts = [];
    for (const actor of this.actors) parts.push(...(await this.of(actor)));
    this.element.replaceChildren(...(parts.length > 0 ? parts : [h("p.quiet", {}, say("letters.none"))]));
    this.again.disabled = false;
  }

  async of(actor) {
    try {
      const { letters, more } = await this.api.get(`/ops/letters?actor=${encodeURIComponent(actor)}`);
      const rows = letters.map((letter) => this.row(letter));
      return more ? [...rows, h("p.quiet", {}, say("letters.more", { actor }))] : rows;
    } catch (error) {
      return [h("p.quiet.bad", {}, `${actor}: ${say("letters.failed", { reason: reasonOf(error) })}`)];
    }
  }

  row(letter) {
    return h(
      "article.letter",
      { "data-mark": letter.mark },
      h(
        "p",
        {},
        h("b", {}, letter.actor),
        " ",
        h("time", { datetime: letter.at, title: wholeOf(letter.at) }, `${dayLabel(letter.at)} ${timeOf(letter.at)}`),
        " ",
        h("code", {}, letter.mark),
      ),
      h("p.reason", {}, letter.reason),
      button(say("letters.show"), () => this.open(letter), ".small"),
    );
  }

  async open(letter) {
    try {
      const path = `/ops/letters/${encodeURIComponent(letter.mark)}?actor=${encodeURIComponent(letter.actor)}`;
      const { text } = await this.api.get(path);
      show(letter, text);
    } catch (error) {
      this.note(reasonOf(error));
    }
  }
}

function show(letter, text) {
  const close = button(say("letters.close"), () => dialog.close(), ".primary");
  const dialog = h(
    "dialog.dialog.letter-dialog",
    { "aria-labelledby": "letter-title" },
    h("h2", { id: "letter-title" }, say("letters.title", { mark: letter.mark })),
    h("p", {}, letter.reason),
    h("pre", { tabindex: 0 }, text),
    h("p", {}, say("letters.noted")),
    h("div.actions", {}, close),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  close.focus();
}
