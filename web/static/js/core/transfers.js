// How far files are, as the server tells it: in `file` frames, in rows of messages, and by GET /files. Pure.
//
// Of these words some are lost and some are overtaken by younger ones. A file only ever moves on, so the furthest holds.

import { Meter } from "./meter.js";

const RANK = { open: 0, verifying: 1, ready: 2, failed: 2, cancelled: 3, expired: 3 };
// Cards name theirs again when they are drawn.
const FILES_MOST = 1_000;

const rankOf = (state) => RANK[state] ?? -1;

class Transfer {
  constructor(id) {
    this.id = id;
    // "" until the server has said something.
    this.state = "";
    this.offset = 0;
    this.size = 0;
    this.active = false;
    this.verified = false;
    this.reason = "";
    this.meter = new Meter();
  }

  get settled() {
    return rankOf(this.state) >= RANK.ready;
  }

  /** Takes what was said at `now`. Returns whether that was news. */
  take({ state, offset = 0, size, active = false, verified = false, reason = "" }, now) {
    const rank = rankOf(state) - rankOf(this.state);
    if (rank < 0 || (rank === 0 && offset < this.offset)) return false;
    // The sender's digest may come to be known after all else.
    if (rank === 0 && this.settled && (this.verified || !verified)) return false;
    const before = JSON.stringify([this.state, this.offset, this.active, this.verified]);
    this.state = state;
    this.offset = offset;
    this.size = size ?? this.size;
    this.active = active && state === "open";
    this.verified = verified;
    this.reason = reason;
    if (this.active) this.meter.sample(now, offset);
    else this.meter.stop();
    return before !== JSON.stringify([this.state, this.offset, this.active, this.verified]);
  }

  /** Bytes a second, 0 while nobody can tell. */
  get speed() {
    return this.meter.speed;
  }

  /** Seconds until the last byte, null while nobody can tell. */
  get eta() {
    return this.meter.eta(this.size - this.offset);
  }
}

export class Transfers {
  constructor() {
    this.files = new Map();
    // Of a file that the server has not given an id yet.
    this.none = new Transfer("");
  }

  /** What is known of a file; one that was never heard of has the state "". */
  of(id) {
    let one = this.files.get(id);
    if (!one) {
      one = new Transfer(id);
      this.files.set(id, one);
      if (this.files.size > FILES_MOST) this.files.delete(this.files.keys().next().value);
    }
    return one;
  }

  /** A frame, or what a message says of its file. Returns whether that was news. */
  take(told, now) {
    return rankOf(told.state) >= 0 && this.of(told.id).take(told, now);
  }

  /** Those of which more may have been said than was heard. */
  get unsettled() {
    return [...this.files.values()].filter((one) => !one.settled).map((one) => one.id);
  }
}
