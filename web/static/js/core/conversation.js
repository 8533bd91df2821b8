// One conversation as this page knows it: counters for the list, and the loaded end of its log. No DOM, no network.
//
// Messages come in any order and more than once: live, in pages of history, in pages of sync. Two numbers put them
// right: `seq`, the place in the log, and `version`, which every change of the conversation moves by one.

export class Conversation {
  constructor(item, me) {
    this.id = item.id;
    this.me = me;
    this.seq = 0;
    this.version = 0;
    this.ahead = new Set();
    this.unreadBase = 0;
    this.unreadFrom = 0;
    this.unreadFresh = new Set();
    // Whether `unreadBase` is only a bound, until the log or the list says more.
    this.guessed = false;
    this.myRead = 0;
    // As the server has said it: what I read may be ahead of that, or have been lost on its way there.
    this.confirmedRead = 0;
    this.marked = 0;
    // When a mark last came or went, as the store counts that.
    this.markedAt = 0;
    // Up to here it is being looked at: read in a moment, and not to be counted as unread meanwhile.
    this.inView = 0;
    this.myDelivered = 0;
    this.peerRead = 0;
    this.peerDelivered = 0;
    this.last = null;
    this.log = null;
    this.merge(item);
  }

  /**
   * The server's row for the list. Never moves anything back: what was pushed meanwhile may be newer. Unless `fresh`, what
   * is known of people is; unless `counted`, what is known to be unread.
   */
  merge(item, { fresh = true, counted = true } = {}) {
    if (fresh) Object.assign(this, { peer: item.peer, relation: item.relation });
    this.since ??= "";
    if (item.version >= this.version && item.seq >= this.seq) {
      if (item.last_message) this.last = item.last_message;
      if (counted) this.recounted(item);
    }
    this.seq = Math.max(this.seq, item.seq);
    this.reached(item.version);
    this.myRead = Math.max(this.myRead, item.my_read);
    this.confirmedRead = Math.max(this.confirmedRead, item.my_read);
    this.myDelivered = Math.max(this.myDelivered, item.my_delivered);
    this.peerRead = Math.max(this.peerRead, item.peer_read);
    this.peerDelivered = Math.max(this.peerDelivered, item.peer_delivered);
  }

  /** As the server counts what is unread. */
  recounted({ unread, seq, unread_from: marked = 0, my_read: read }) {
    this.unreadBase = unread;
    this.unreadFrom = seq;
    this.unreadFresh.clear();
    this.guessed = false;
    this.marked = marked;
    if (this.myRead <= read) return;
    // I read on while the answer travelled.
    const mine = this.myRead;
    this.myRead = read;
    this.readUpTo(mine);
  }

  /** Everything up to `version` is known. */
  reached(version) {
    this.version = Math.max(this.version, version);
    for (const one of [...this.ahead].sort((a, b) => a - b)) {
      if (one <= this.version) this.ahead.delete(one);
      else if (one === this.version + 1) {
        this.version = one;
        this.ahead.delete(one);
      }
    }
  }

  /** Whether something between the versions that arrived is missing. */
  get gap() {
    return this.ahead.size > 0;
  }

  get unread() {
    return this.unreadBase + this.unreadFresh.size;
  }

  /** What is unread and not in view just now. */
  get unseen() {
    return this.inView >= this.seq ? 0 : this.unread;
  }

  /** Everything up to here counts as read: below a mark only what is below it. */
  get floor() {
    return this.marked > 0 ? this.marked - 1 : this.myRead;
  }

  get lastAt() {
    return this.last?.at ?? this.since;
  }

  /**
   * A message as it was at row.version. `live` rows move the conversation's version; rows of a page of history or
   * sync do not, because a page tells each message once and skips versions by nature.
   */
  take(row, live) {
    // The server leaves out what is empty: a file needs no words.
    row.body ??= "";
    const fresh = row.version > this.version && !this.ahead.has(row.version);
    if (live && fresh) {
      this.ahead.add(row.version);
      this.reached(this.version);
    }
    this.count(row, fresh);
    if (row.seq > this.seq) this.seq = row.seq;
    if (!this.last || row.seq > this.last.seq || (row.seq === this.last.seq && row.version >= this.last.version)) {
      this.last = row;
    }
    return this.log ? this.log.put(row) : fresh;
  }

  count(row, fresh) {
    if (row.sender === this.me || row.seq <= this.floor) return;
    if (row.seq > this.unreadFrom) {
      if (row.deleted) this.unreadFresh.delete(row.seq);
      else this.unreadFresh.add(row.seq);
      return;
    }
    const known = this.log?.rows.get(row.seq);
    const newly = known ? !known.deleted : fresh;
    if (row.deleted && newly && this.unreadBase > 0) this.unreadBase -= 1;
  }

  /**
   * Cumulative, of either side; never goes back. Only my mark as unread, in my own, comes and goes: from `marked` on,
   * 0 for none. Returns false when what is unread cannot be counted here any more, and the list has to be read again.
   */
  receipt(user, delivered, read, marked = 0) {
    if (user === this.me) {
      this.myDelivered = Math.max(this.myDelivered, delivered);
      this.confirmedRead = Math.max(this.confirmedRead, read);
      if (marked > 0) return this.mark(marked, read);
      this.readUpTo(read);
      return !this.guessed || read < this.myRead || this.recount();
    }
    this.peerDelivered = Math.max(this.peerDelivered, delivered, read);
    this.peerRead = Math.max(this.peerRead, read);
    return true;
  }

  mark(marked, read) {
    const known = marked === this.marked && read <= this.myRead;
    this.marked = marked;
    this.myRead = Math.max(this.myRead, read);
    return known || this.recount();
  }

  /** Counts what is unread in the loaded log. Returns whether that reaches far enough. */
  recount() {
    if (!this.log?.loaded || this.log.lo > this.floor + 1 || this.log.hi < this.seq) return false;
    const rows = this.log.between(this.floor + 1, this.seq);
    this.unreadBase = rows.filter((row) => row.sender !== this.me && !row.deleted).length;
    this.unreadFrom = this.seq;
    this.unreadFresh.clear();
    this.guessed = false;
    return true;
  }

  /** Ends a mark as well, when it lies at or below `seq`. */
  readUpTo(seq) {
    const ends = this.marked > 0 && seq >= this.marked;
    if (seq <= this.myRead && !ends) return;
    if (ends) this.marked = 0;
    this.myRead = Math.max(this.myRead, seq);
    for (const one of [...this.unreadFresh]) {
      if (one <= this.myRead) this.unreadFresh.delete(one);
    }
    if (this.recount()) return;
    // Some of what lies between may be mine, or deleted: as many as these at most.
    this.unreadBase = this.myRead >= this.unreadFrom ? 0 : Math.min(this.unreadBase, this.unreadFrom - this.myRead);
    this.guessed = this.unreadBase > 0;
  }

  /** "stored", "delivered" or "read": what became of my message at `seq`. */
  fate(seq) {
    if (seq <= this.peerRead) return "read";
    return seq <= this.peerDelivered ? "delivered" : "stored";
  }
}

/** The loaded end of a conversation's log: every message from `lo` up to the newest one. */
export class Log {
  constructor() {
    this.rows = new Map();
    this.places = new Map();
    this.lo = Infinity;
    this.hi = 0;
    this.complete = false;
    this.loaded = false;
    this.early = [];
  }

  /**
   * Keeps the newer of two versions of a message; a message below what is loaded comes with its page. What arrives
   * while the first page travels is laid over it afterwards: the page may have been read before.
   */
  put(row) {
    if (!this.loaded) {
      this.early.push(row);
      return true;
    }
    return row.seq >= this.lo && this.keep(row);
  }

  /** A page of history, ascending; `more` tells whether there are older messages still. */
  page(messages, more) {
    for (const row of messages) this.keep(row);
    if (!more) {
      this.complete = true;
      this.lo = 1;
    }
    this.loaded = true;
    for (const row of this.early.splice(0)) this.put(row);
  }

  keep(row) {
    const known = this.rows.get(row.seq);
    if (known && known.version > row.version) return false;
    this.rows.set(row.seq, row);
    this.places.set(row.message_id, row.seq);
    this.lo = Math.min(this.lo, row.seq);
    this.hi = Math.max(this.hi, row.seq);
    return true;
  }

  /** Before there is a page to lay them over: what has arrived, ascending. */
  get arrived() {
    const newest = new Map();
    for (const row of this.early) if (!(newest.get(row.seq)?.version > row.version)) newest.set(row.seq, row);
    return [...newest.values()].sort((one, other) => one.seq - other.seq);
  }

  find(messageId) {
    return this.rows.get(this.places.get(messageId)) ?? null;
  }

  /** Messages from `from` to `to`, both included, ascending. */
  between(from, to) {
    const found = [];
    for (let seq = Math.max(from, this.lo); seq <= Math.min(to, this.hi); seq += 1) {
      const row = this.rows.get(seq);
      if (row) found.push(row);
    }
    return found;
  }

  /** The place of the first message of the other above `seq` that is not deleted, or 0. */
  firstUnread(seq, me) {
    for (let place = Math.max(seq + 1, this.lo); place <= this.hi; place += 1) {
      const row = this.rows.get(place);
      if (row && row.sender !== me && !row.deleted) return place;
    }
    return 0;
  }
}
