// The newest lines of one log, and what is added to it.

import { h } from "../view/dom.js";
import { say } from "./words.js";

const MOST = 200;
const NEAR_PX = 40;

export class Log {
  /** `follow(name)` asks for that log's lines; null ends it. */
  constructor({ follow }) {
    this.follow = follow;
    this.name = null;
    this.names = [];
    this.choice = h("select.input", { "aria-label": say("log.whose"), on: { change: () => this.choose() } });
    this.lines = h("pre.log-lines", { role: "log", "aria-live": "off", tabindex: 0, "aria-labelledby": "log-title" });
    this.empty = h("p.quiet", {}, say("log.choose"));
    this.element = h("div.log", {}, this.empty, this.lines);
    this.lines.hidden = true;
    this.offer([]);
  }

  /** Whose logs there may be; the choice that was made stays. */
  offer(names) {
    const all = [...names, "supervisor", "audit"];
    if (all.join() === this.names.join() && this.choice.options.length > 0) return;
    this.names = all;
    const label = (name) => (name === "audit" ? say("log.audit") : name);
    this.choice.replaceChildren(
      h("option", { value: "" }, say("log.none")),
      ...all.map((name) => h("option", { value: name }, label(name))),
    );
    this.choice.value = this.name && all.includes(this.name) ? this.name : "";
  }

  show(name) {
    this.choice.value = name;
    this.choose();
    this.element.scrollIntoView({ block: "nearest", behavior: "smooth" });
    this.choice.focus({ preventScroll: true });
  }

  choose() {
    this.name = this.choice.value || null;
    this.clear(this.name ? say("log.empty") : say("log.choose"));
    this.follow(this.name);
  }

  /** After a reconnect the new socket knows of no choice. */
  again() {
    if (this.name) this.follow(this.name);
  }

  clear(text) {
    this.lines.replaceChildren();
    this.lines.hidden = true;
    this.empty.textContent = text;
    this.empty.hidden = false;
  }

  take({ name, lines, fresh }) {
    if (name !== this.name) return;
    if (fresh) this.clear(say("log.empty"));
    if (lines.length === 0) return;
    const box = this.lines;
    const atEnd = fresh || box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_PX;
    this.empty.hidden = true;
    box.hidden = false;
    box.append(...lines.map((line) => h("span", { "data-level": levelOf(line) }, `${line}\n`)));
    while (box.childElementCount > MOST) box.firstChild.remove();
    if (atEnd) box.scrollTop = box.scrollHeight;
  }
}

/** WARNING and ERROR, in our own lines and in JSON ones, stand out. */
export function levelOf(line) {
  const found = /\b(WARNING|ERROR|CRITICAL)\b/.exec(line.slice(0, 160));
  if (!found) return null;
  return found[1] === "WARNING" ? "warning" : "error";
}
