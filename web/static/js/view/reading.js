// Tells the server what was read: in view for a second, on a visible page that has the focus; once a second at most.
//
// A mark as unread that is set while the conversation is open, here or on another device, stands until it is left.

const LOOK_MS = 1_000;
const EVERY_MS = 1_000;

export class Reading {
  /**
   * `seen()` is the highest place of the other's messages in view; `tell(seq)` sends it and returns whether it left;
   * `viewed(seq)` hears what is in view of somebody who looks, 0 for nothing.
   */
  constructor({ conversation, attention, seen, tell, viewed }) {
    Object.assign(this, { conversation, attention, seen, tell, viewed });
    this.timer = 0;
    // By a clock that nobody puts back: what is read would not be told for as long as it takes to come there again.
    this.toldAt = -Infinity;
    this.markedBefore = conversation.marked;
    this.unlisten = attention.listen(() => this.check());
  }

  get attentive() {
    if (this.conversation.marked === 0) this.markedBefore = 0;
    return this.attention.focused && this.conversation.marked === this.markedBefore;
  }

  check() {
    if (!this.attentive) {
      clearTimeout(this.timer);
      this.timer = 0;
      this.viewed(0);
      return;
    }
    const seq = this.seen();
    this.viewed(seq);
    if (this.timer || seq <= this.conversation.floor) return;
    const wait = Math.max(LOOK_MS, this.toldAt + EVERY_MS - performance.now());
    this.timer = setTimeout(() => {
      this.timer = 0;
      this.settle(seq);
    }, wait);
  }

  /** What was in view a second ago and still is, or was scrolled past, has been read. */
  settle(before) {
    if (!this.attentive) return;
    const seq = Math.min(before, this.seen() || before);
    if (seq > this.conversation.floor && this.tell(seq)) this.toldAt = performance.now();
    this.check();
  }

  close() {
    clearTimeout(this.timer);
    this.unlisten();
    this.viewed(0);
  }
}
