// What a person wants to be known of them and to be told, and whom they have muted. Pure.

export class Wishes {
  constructor() {
    this.preferences = null;
    this.mutes = new Map();
    this.asked = 0;
    this.taken = 0;
    // For each reading that is under way what was told since it began, by its number.
    this.told = new Map();
  }

  /** They are being read: what is told from here on is newer than the answer. Returns the number of this reading. */
  asking() {
    this.asked += 1;
    this.told.set(this.asked, { preferences: null, mutes: new Map() });
    return this.asked;
  }

  /** GET /me/preferences, or null where that was not answered. Of two that cross the younger answer holds. */
  answered(turn, answer) {
    const newer = this.told.get(turn);
    this.told.delete(turn);
    if (!answer || turn < this.taken) return;
    this.taken = turn;
    this.preferences = newer.preferences ?? answer.preferences;
    this.mutes.clear();
    for (const mute of [...answer.mutes, ...newer.mutes.values()]) this.put(mute);
  }

  /** A push, or the answer to a change; without `type` the fields are preferences. */
  prefer({ type, ...preferences }) {
    this.preferences = preferences;
    for (const told of this.told.values()) told.preferences = preferences;
  }

  /** As prefer(). */
  mute({ user, until = null, forever = false }) {
    for (const told of this.told.values()) told.mutes.set(user, { user, until, forever });
    this.put({ user, until, forever });
  }

  put({ user, until, forever }) {
    if (!until && !forever) this.mutes.delete(user);
    else this.mutes.set(user, forever ? Infinity : new Date(until).getTime());
  }

  /** Until when somebody is muted: Unix ms, Infinity for ever, 0 not at all. */
  mutedUntil(user, now) {
    const until = this.mutes.get(user) ?? 0;
    return until > now ? until : 0;
  }

  /** Milliseconds until the next mute ends; 0 when none does. */
  nextEnd(now) {
    const ends = [...this.mutes.values()].filter((until) => until > now && until < Infinity);
    return ends.length > 0 ? Math.min(...ends) - now : 0;
  }
}
