// Tells the server what was read: in view for a second, on a visible page that has the focus; once a second at most.

const LOOK_MS = 1_000;
const EVERY_MS = 1_000;

export class Reading {
  /** `seen()` is the highest place in view; `tell(seq)` sends it and returns whether it left. */
  constructor({ conversation, seen, tell }) {
    this.conversation = conversation;
    this.seen = seen;
    this.tell = tell;
    this.timer = 0;
    this.toldAt = 0;
    this.look = () => this.check();
    addEventListener("focus", this.look);
    addEventListener("blur", this.look);
    document.addEventListener("visibilitychange", this.look);
  }

  get attentive() {
    return document.visibilityState === "visible" && document.hasFocus();
  }

  check() {
    if (!this.attentive) {
      clearTimeout(this.timer);
      this.timer = 0;
      return;
    }
    const seq = this.seen();
    if (this.timer || seq <= this.conversation.floor) return;
    const wait = Math.max(LOOK_MS, this.toldAt + EVERY_MS - Date.now());
    this.timer = setTimeout(() => {
      this.timer = 0;
      this.settle(seq);
    }, wait);
  }

  /** What was in view a second ago and still is, or was scrolled past, has been read. */
  settle(before) {
    if (!this.attentive) return;
    const seq = Math.min(before, this.seen() || before);
    if (seq > this.conversation.floor && this.tell(seq)) this.toldAt = Date.now();
    this.check();
  }

  close() {
    clearTimeout(this.timer);
    removeEventListener("focus", this.look);
    removeEventListener("blur", this.look);
    document.removeEventListener("visibilitychange", this.look);
  }
}
