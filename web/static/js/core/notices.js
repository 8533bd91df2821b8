// Notices as this page knows them, and what of them has been announced at this browser. Pure.

const IDS_MOST = 200;
// notifier keeps 1,000 a person; a page that stays open for weeks keeps no more than this.
const ROWS_MOST = 1_500;

/** Whether the list shows it: messages only when they came while no page could be seen. */
const isListed = (notice) => notice.kind !== "messages" || Boolean(notice.away);

export class Notices {
  constructor() {
    this.rows = new Map();
    this.counted = 0;
    this.whole = false;
    this.known = false;
  }

  /** A page of the list; the first one (`fresh`) replaces what was known, but nothing that was pushed since. */
  page({ notices, unread, more }, fresh) {
    const last = notices.at(-1);
    const meets = this.whole && last && this.rows.get(last.id)?.change === last.change;
    if (fresh) this.drop(notices, more);
    for (const row of [...notices].reverse()) this.put(row);
    this.counted = unread;
    // The first page of a list that was whole leaves it whole, where it ends at something known.
    this.whole = !more || Boolean(fresh && meets);
    this.known = true;
  }

  /** What the server has no more, as far as its page reaches. */
  drop(notices, more) {
    const highest = notices[0]?.change ?? 0;
    const lowest = more ? notices.at(-1).change : 0;
    const listed = new Set(notices.map((one) => one.id));
    for (const [id, row] of this.rows) {
      if (row.change >= lowest && row.change <= highest && !listed.has(id)) this.rows.delete(id);
    }
  }

  /** The newer of two states of a notice stays; what was read here does not come back as unread. */
  put(row) {
    const old = this.rows.get(row.id);
    if (old && old.change > row.change) return;
    this.rows.delete(row.id);
    this.rows.set(row.id, old?.change === row.change ? { ...row, read: row.read || old.read } : row);
    if (this.rows.size > ROWS_MOST) this.rows.delete(this.rows.keys().next().value);
  }

  /** Read here or at another device: everything up to a change, and those of some ids. Returns what those rows were. */
  read({ up_to: upTo = 0, ids = [] }) {
    const named = new Set(ids);
    const changed = [...this.rows.values()].filter((row) => !row.read && (row.change <= upTo || named.has(row.id)));
    for (const row of changed) this.rows.set(row.id, { ...row, read: true });
    return changed;
  }

  /** It could not be told: those rows are as before, but for what came about them since. */
  restore(rows) {
    for (const row of rows) if (this.rows.get(row.id)?.change === row.change) this.rows.set(row.id, row);
  }

  /** The newest first. */
  get list() {
    return [...this.rows.values()].filter(isListed).sort((one, other) => other.change - one.change);
  }

  /** Exact while the whole list is here, else what the server said last. */
  get unread() {
    return this.whole ? this.list.filter((row) => !row.read).length : this.counted;
  }

  /** The lowest change of the list: older ones come before it. */
  get oldest() {
    return this.list.at(-1)?.change ?? 0;
  }

  get newest() {
    return this.list[0]?.change ?? 0;
  }
}

/**
 * What was announced: everything up to `cursor`, and beyond it the notices of `ids`. Only a page of the log moves the
 * cursor, because of two pushes the first may be lost; pushes are remembered one by one.
 */
export class Announced {
  constructor({ cursor = null, ids = {} } = {}) {
    this.cursor = cursor;
    this.ids = new Map(Object.entries(ids));
  }

  static of(text) {
    try {
      return new Announced(JSON.parse(text));
    } catch {
      return new Announced();
    }
  }

  toString() {
    return JSON.stringify({ cursor: this.cursor, ids: Object.fromEntries(this.ids) });
  }

  /** Whether a notice is new to this browser, as far as it has grown. */
  lacks(notice) {
    return notice.change > (this.cursor ?? Infinity) && notice.change > (this.ids.get(notice.id) ?? 0);
  }

  done(notice) {
    const change = Math.max(notice.change, this.ids.get(notice.id) ?? 0);
    this.ids.delete(notice.id);
    this.ids.set(notice.id, change);
    if (this.ids.size > IDS_MOST) this.ids.delete(this.ids.keys().next().value);
  }

  /** Everything up to a change is known. */
  reached(change) {
    this.cursor = Math.max(this.cursor ?? 0, change);
    for (const [id, at] of this.ids) if (at <= this.cursor) this.ids.delete(id);
  }

  /** Time to read the log, so that a push which was lost comes up and `ids` stays short. */
  get full() {
    return this.ids.size >= IDS_MOST / 4;
  }
}
