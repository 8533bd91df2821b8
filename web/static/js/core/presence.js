// How contacts are, and who is writing. Pure: moments are handed in, in milliseconds.

const TYPING_MS = 6_000;

export class Presence {
  constructor() {
    this.states = new Map();
    this.typing = new Map();
    this.pushed = null;
  }

  /** The list of everybody is being read: what is pushed from here on is newer than it, what was pushed before is not. */
  asking() {
    this.pushed = new Map();
  }

  /** GET /presence. Whoever is not in it is not known. */
  all(list) {
    this.states = new Map(list.map(({ user, state, last_seen }) => [user, { state, lastSeen: last_seen ?? "" }]));
    const newer = this.pushed ?? [];
    this.pushed = null;
    for (const [user, frame] of newer) this.one({ ...frame, user });
  }

  /** A push about one contact; `unknown` means that there is nothing to show any more. */
  one({ user, state, last_seen }) {
    this.pushed?.set(user, { state, last_seen });
    if (state === "unknown") this.states.delete(user);
    else this.states.set(user, { state, lastSeen: last_seen ?? "" });
  }

  /** Nobody can tell how they are. */
  clear() {
    this.states.clear();
    this.typing.clear();
  }

  /** {state: "online" | "away" | "offline", lastSeen} or null where nothing is known. */
  of(user) {
    return this.states.get(user) ?? null;
  }

  types(conversation, now) {
    this.typing.set(conversation, now + TYPING_MS);
  }

  /** The other has sent what they were writing. Returns whether they were known to write. */
  wrote(conversation) {
    return this.typing.delete(conversation);
  }

  isTyping(conversation) {
    return this.typing.has(conversation);
  }

  /** Lets signals lapse. Returns the milliseconds until the next one does, or 0 when there is none. */
  lapse(now) {
    let next = Infinity;
    for (const [conversation, until] of this.typing) {
      if (until <= now) this.typing.delete(conversation);
      else next = Math.min(next, until - now);
    }
    return next === Infinity ? 0 : next;
  }
}

// A front takes a signal each 3 s and drops what is early, be it by a millisecond.
const SIGNAL_EVERY_MS = 3_300;
const STOPPED_MS = 2_000;

/** When to tell that I am writing. One for each conversation, kept when it is left. */
export class TypingSignal {
  constructor() {
    this.toldAt = -Infinity;
    this.keyAt = -Infinity;
  }

  /** A key at `now`. Returns the milliseconds after which to ask `due`. */
  typed(now) {
    this.keyAt = now;
    return Math.max(0, this.toldAt + SIGNAL_EVERY_MS - now);
  }

  /** Whether a signal is to leave now; it counts as sent. Who stopped meanwhile, or sent, does not write any more. */
  due(now) {
    if (now - this.toldAt < SIGNAL_EVERY_MS || now - this.keyAt > STOPPED_MS) return false;
    this.toldAt = now;
    return true;
  }

  stop() {
    this.keyAt = -Infinity;
  }
}
