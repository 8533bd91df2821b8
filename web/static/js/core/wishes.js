// What a person wants to be known of them and to be told, and whom they have muted. Pure.

export class Wishes {
  constructor() {
    this.preferences = null;
    this.mutes = new Map();
    this.asking();
  }

  /** They are being read: what is told from here on is newer than the answer. */
  asking() {
    this.told = { preferences: null, mutes: new Map() };
  }

  /** GET /me/preferences. */
  all({ preferences, mutes }) {
    const newer = this.told;
    this.preferences = newer.preferences ?? preferences;
    this.mutes.clear();
    for (const mute of [...mutes, ...newer.mutes.values()]) this.mute(mute);
  }

  /** A push, or the answer to a change; without `type` the fields are preferences. */
  prefer({ type, ...preferences }) {
    this.preferences = preferences;
    this.told.preferences = preferences;
  }

  mute({ user, until = null, forever = false }) {
    this.told.mutes.set(user, { user, until, forever });
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
