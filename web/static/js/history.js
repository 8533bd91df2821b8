// What was said before: pages of history, and what is missing between changes that came.

const GAP_WAIT_MS = 400;
const PAGE = 50;
const PAGE_MOST = 200;
const PAGES_BACK = 5;

export class History {
  /** `changes(list)` takes in a page of changes. */
  constructor({ store, api, changes }) {
    Object.assign(this, { store, api, changes });
    this.loading = new Map();
    this.gaps = new Map();
  }

  /** Older messages of a conversation; one request at a time. Resolves with whether something came. */
  older(id, limit = PAGE) {
    const running = this.loading.get(id);
    if (running) return running;
    const job = this.loadOlder(id, limit).finally(() => this.loading.delete(id));
    this.loading.set(id, job);
    return job;
  }

  async loadOlder(id, limit) {
    const log = this.store.openLog(id);
    if (!log || log.complete) return false;
    const before = log.rows.size > 0 ? `before=${log.lo}&` : "";
    const page = await this.api.get(`/conversations/${id}/messages?${before}limit=${Math.min(limit, PAGE_MOST)}`);
    // Begun afresh meanwhile: a page of what was before would stand in for the newest one.
    if (this.store.get(id)?.log !== log) return this.loadOlder(id, limit);
    this.store.history(id, page.messages, page.more);
    return true;
  }

  /** A version is missing between those that came: give it a moment to arrive by itself, then read it up. */
  gapLater(id) {
    if (this.gaps.has(id)) return;
    this.gaps.set(id, setTimeout(() => this.fillGap(id), GAP_WAIT_MS));
  }

  async fillGap(id) {
    const conversation = this.store.get(id);
    try {
      while (conversation?.gap) {
        const page = await this.api.get(`/conversations/${id}/messages?since=${conversation.version}&limit=${PAGE_MOST}`);
        this.changes(page.messages);
        conversation.reached(page.next);
        if (!page.more) {
          conversation.ahead.clear();
          break;
        }
      }
    } catch {
      // The next hello syncs anyway.
    } finally {
      this.gaps.delete(id);
    }
  }

  /** The place of the newest message of the other that is not deleted, or 0. */
  async lastOfPeer(id) {
    const log = this.store.openLog(id);
    const theirs = () => [...log.rows.values()].filter((row) => row.sender !== this.store.me.id && !row.deleted);
    const newest = () => theirs().reduce((highest, row) => Math.max(highest, row.seq), 0);
    for (let left = PAGES_BACK; left > 0 && newest() === 0 && !log.complete; left -= 1) await this.older(id, PAGE_MOST);
    return newest();
  }
}
