// Small things that this browser remembers. localStorage may be full or forbidden: then they are forgotten.

const PREFIX = "parley.";

export function recall(key, fallback = "") {
  try {
    return localStorage.getItem(PREFIX + key) ?? fallback;
  } catch {
    return fallback;
  }
}

export function remember(key, value) {
  try {
    if (value === "") localStorage.removeItem(PREFIX + key);
    else localStorage.setItem(PREFIX + key, value);
  } catch {
    // Nothing that matters is kept here only.
  }
}

/** Drafts belong to a person: another one at the same browser never sees them. */
export class Drafts {
  constructor(person) {
    this.prefix = `draft.${person}.`;
    // An answer or an edit that was begun, of this tab alone: what it is about may be gone after a reload.
    this.begun = new Map();
  }

  get(conversation) {
    return recall(this.prefix + conversation);
  }

  set(conversation, text) {
    remember(this.prefix + conversation, text.trim() ? text : "");
  }

  clear() {
    for (const key of Object.keys(localStorage)) {
      if (key.startsWith(PREFIX + this.prefix)) localStorage.removeItem(key);
    }
  }
}

export const enterSends = () => recall("enter", "enter") === "enter";
