// Conversations, contacts and requests as the server lists them: all that is not in the sync stream.

const SOON_MS = 50;
const AGAIN_MS = 3_000;

export class Lists {
  /** `on.token(token)` hears where the changes after the list begin, `on.lists(good)` whether conversations were answered. */
  constructor({ store, api, connected, on }) {
    Object.assign(this, { store, api, connected, on });
    this.asked = 0;
    this.taken = 0;
  }

  /**
   * Repeated on every hello. Of two answers that cross the younger holds, and what was pushed about somebody, or of a mark
   * as unread, while an answer travelled is younger than it.
   */
  async load() {
    const turn = (this.asked += 1);
    const { moves, marks } = this.store;
    const [list, contacts, requests] = await Promise.allSettled([
      this.api.get("/conversations"),
      this.api.get("/contacts"),
      this.api.get("/contacts/requests"),
    ]);
    const whole = [list, contacts, requests].every(({ status }) => status === "fulfilled");
    if (turn < this.taken) return;
    if (whole) this.taken = turn;
    const fresh = moves === this.store.moves;
    if (list.status === "fulfilled") {
      this.store.conversationList(list.value.conversations, { fresh, marks });
      this.on.token(list.value.sync);
    }
    if (fresh && contacts.status === "fulfilled") this.store.contactList(contacts.value);
    if (fresh && requests.status === "fulfilled") this.store.requestList(requests.value);
    if (!whole) this.later();
    else if (!fresh || marks !== this.store.marks) this.soon();
    this.on.lists(list.status === "fulfilled");
  }

  /** Once for all that asks for it within a moment. */
  soon() {
    this.soonTimer ??= setTimeout(() => {
      this.soonTimer = null;
      this.load();
    }, SOON_MS);
  }

  /** Some of it was not answered. Where the connection is lost as well, the next hello asks again, but for the first start. */
  later() {
    clearTimeout(this.laterTimer);
    this.laterTimer = setTimeout(() => {
      if (!this.api.over && (this.connected() || !this.store.loaded)) this.load();
    }, AGAIN_MS * (1 + Math.random()));
  }
}
