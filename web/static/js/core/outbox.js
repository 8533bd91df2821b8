// What waits to be stored, in order: the decisions of the outbox. No DOM, no disk, no socket.
//
// An entry is {client_id, order, kind, conversation, at, state, ...}: kind "send" has to, body, reply_to and file; "edit"
// message_id and body; "delete" message_id; "react" message_id, emoji and on. Its state is "queued" (not on the wire),
// "held" (back until its file has a place at the server; what follows does not wait for it), "sent" (on the wire,
// unanswered) or "failed" (refused for good; code and reason say why).

const MAY_BE_REPEATED = new Set(["rate_limited", "unavailable"]);
const REPEAT_AFTER_MS = 1_000;

/** The frame that carries an entry. Its id is the client_id: what answers it names the entry. */
export function frameOf(entry) {
  const base = { type: entry.kind, id: entry.client_id, client_id: entry.client_id };
  if (entry.kind === "send") {
    const frame = { ...base, to: entry.to, body: entry.body, ...(entry.file && { file: entry.file.id }) };
    return entry.reply_to ? { ...frame, reply_to: entry.reply_to } : frame;
  }
  const target = { ...base, conversation: entry.conversation, message_id: entry.message_id };
  if (entry.kind === "edit") return { ...target, body: entry.body };
  if (entry.kind === "react") return { ...target, emoji: entry.emoji, on: entry.on };
  return target;
}

/** What a stored command makes of its message. The sending socket gets the `ok` only, so the row is made here. */
export function rowAfter(entry, ok, before, me) {
  const base = { conversation: ok.conversation, seq: ok.seq, version: ok.version, message_id: ok.message_id };
  if (entry.kind === "send") {
    const own = { client_id: entry.client_id, sender: me, at: ok.at, body: entry.body };
    const row = { ...base, ...own, ...(entry.file && { file: entry.file }) };
    return entry.reply_to ? { ...row, reply_to: entry.reply_to } : row;
  }
  if (!before || before.version > ok.version) return null;
  if (entry.kind === "edit") return { ...before, ...base, body: entry.body, edited_at: ok.at, at: before.at };
  if (entry.kind === "delete") return { ...before, ...base, deleted: true, body: "", reactions: [], reply_to: null, file: null };
  const others = (before.reactions ?? []).map(({ emoji, users }) => ({
    emoji,
    users: users.filter((user) => emoji !== entry.emoji || user !== me),
  }));
  if (entry.on) {
    const same = others.find((one) => one.emoji === entry.emoji);
    if (same) same.users.push(me);
    else others.push({ emoji: entry.emoji, users: [me] });
  }
  return { ...before, ...base, at: before.at, reactions: others.filter((one) => one.users.length > 0) };
}

export class Outbox {
  constructor() {
    this.entries = [];
    this.window = 0;
    this.pausedUntil = 0;
  }

  /**
   * New entries and those read back from disk; each is kept once, at its place in the order. What another tab had on the
   * wire is not on the wire of this one: nobody would answer it here.
   */
  add(...entries) {
    for (const entry of entries) {
      if (this.find(entry.client_id)) continue;
      this.entries.push(entry);
      if (entry.state === "sent") entry.state = "queued";
    }
    this.entries.sort((one, other) => one.order - other.order);
  }

  find(clientId) {
    return this.entries.find((entry) => entry.client_id === clientId) ?? null;
  }

  of(conversation) {
    return this.entries.filter((entry) => entry.conversation === conversation);
  }

  /** Entries that are not stored and not refused either. */
  get waiting() {
    return this.entries.filter((entry) => entry.state !== "failed").length;
  }

  /** The socket is there and takes `inFlight` unanswered commands. Everything unanswered goes again, in order. */
  opened(inFlight) {
    this.closed();
    this.window = Math.max(1, inFlight);
  }

  /** The socket is gone: whether what was on the wire arrived is unknown, so it is repeated under the same client_id. */
  closed() {
    this.window = 0;
    for (const entry of this.entries) {
      if (entry.state === "sent") entry.state = "queued";
    }
  }

  /** Entries to put on the wire now; they count as sent from here on. */
  take(now) {
    if (now < this.pausedUntil) return [];
    let room = this.window - this.entries.filter((entry) => entry.state === "sent").length;
    const taken = [];
    for (const entry of this.entries) {
      if (room <= 0) break;
      if (entry.state !== "queued") continue;
      entry.state = "sent";
      taken.push(entry);
      room -= 1;
    }
    return taken;
  }

  /** The command was carried out. Returns its entry, or null when it is none of ours. */
  answered(clientId) {
    const entry = this.find(clientId);
    if (entry) this.entries = this.entries.filter((other) => other !== entry);
    return entry;
  }

  /** The command was refused. What may be repeated goes back into the queue and everything behind it waits with it. */
  refused(clientId, error, now) {
    const entry = this.find(clientId);
    if (!entry) return null;
    if (MAY_BE_REPEATED.has(error.code)) {
      entry.state = "queued";
      this.pausedUntil = now + (error.retry_after ? error.retry_after * 1_000 : REPEAT_AFTER_MS);
      return entry;
    }
    entry.state = "failed";
    entry.code = error.code;
    entry.reason = error.message;
    return entry;
  }

  /** The file of a held message has a place. Returns the entry, null when there is no such one. */
  release(clientId, file) {
    const entry = this.find(clientId);
    if (entry?.state !== "held") return null;
    Object.assign(entry, { file, state: "queued" });
    return entry;
  }

  /** A refused message once more, as a new command at the end of the queue. Returns the new entry. */
  again(clientId, newId, order, at) {
    const old = this.answered(clientId);
    if (!old) return null;
    const { code, reason, ...rest } = old;
    const entry = { ...rest, client_id: newId, order, at, state: "queued" };
    // Its file begins anew as well.
    if (entry.file) Object.assign(entry, { file: { ...entry.file, id: "" }, state: "held" });
    this.add(entry);
    return entry;
  }
}
