// Tells the server what has arrived here and what was read.

const DELIVERED_WAIT_MS = 150;

export class Receipts {
  constructor({ store, connection }) {
    Object.assign(this, { store, connection });
    this.deliveredTimer = 0;
  }

  /** What was told on a connection that broke may have been lost with it. */
  again() {
    for (const one of this.store.conversations.values()) {
      one.toldDelivered = 0;
      // A mark as unread is younger than what it takes back.
      if (!one.marked && (one.toldRead ?? 0) > one.confirmedRead) this.read(one.id, one.toldRead);
    }
    this.deliveredSoon();
  }

  /** Cumulative, and coalesced over a short moment. */
  deliveredSoon() {
    if (this.deliveredTimer || !this.connection.up) return;
    this.deliveredTimer = setTimeout(() => {
      this.deliveredTimer = 0;
      for (const one of this.store.conversations.values()) {
        const told = Math.max(one.myDelivered, one.myRead, one.toldDelivered ?? 0);
        if (one.seq <= told || one.relation !== "contact" || !one.last) continue;
        if (this.connection.write({ type: "delivered", conversation: one.id, seq: one.seq })) one.toldDelivered = one.seq;
      }
    }, DELIVERED_WAIT_MS);
  }

  /** What lies at or below `seq` was read. Returns whether that left. */
  read(id, seq) {
    if (!this.connection.write({ type: "read", conversation: id, seq })) return false;
    this.store.read(id, seq);
    const conversation = this.store.get(id);
    if (conversation) conversation.toldRead = Math.max(seq, conversation.toldRead ?? 0);
    return true;
  }
}
