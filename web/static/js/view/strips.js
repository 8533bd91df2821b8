// Lines across the page: the connection when it is lost for more than a moment, and features that are paused.

import { has, say } from "../words.js";
import { arrange, button, h, icon } from "./dom.js";

const LOST_AFTER_MS = 2_000;
const BACK_FOR_MS = 2_000;

export class Strips {
  constructor({ root, store, retry }) {
    Object.assign(this, { root, store, retry });
    this.connection = { up: true, attempt: 0, since: 0 };
    this.shownLost = false;
    this.back = false;
    this.nodes = new Map();
  }

  connectionIs(state) {
    this.connection = state;
    clearTimeout(this.timer);
    if (state.up) {
      this.back = this.shownLost;
      this.shownLost = false;
      if (this.back) {
        this.timer = setTimeout(() => {
          this.back = false;
          this.render();
        }, BACK_FOR_MS);
      }
    } else {
      this.back = false;
      const wait = LOST_AFTER_MS - (Date.now() - state.since);
      this.shownLost = wait <= 0;
      if (wait > 0) this.timer = setTimeout(() => this.connectionIs(this.connection), wait);
    }
    this.render();
  }

  render() {
    const wanted = [];
    if (this.shownLost) wanted.push(["lost", say("connection.lost", { n: this.connection.attempt })]);
    if (this.back) wanted.push(["back", say("connection.back")]);
    for (const [name, state] of this.store.actors) {
      if (state === "down" && has(`down.${name}`)) wanted.push([name, say(`down.${name}`)]);
    }
    arrange(this.root, wanted.map(([key, words]) => this.strip(key, words)));
  }

  strip(key, words) {
    let node = this.nodes.get(key);
    if (!node) {
      const glyph = { lost: "offline", back: "check" }[key] ?? "pause";
      node = h(`div.strip${key === "back" ? ".good" : ""}`, { "data-strip": key }, icon(glyph), h("span"));
      if (key === "lost") node.append(button(say("connection.retry"), this.retry, ".quiet"));
      this.nodes.set(key, node);
    }
    const text = node.querySelector("span");
    if (text.textContent !== words) text.textContent = words;
    return node;
  }
}
