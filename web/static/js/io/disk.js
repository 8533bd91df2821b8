// The outbox on disk: IndexedDB, keyed by person, written strictly so that it survives a crash of the browser.
//
// Several tabs of one person share the store. Each entry names its tab, and a tab takes over entries only from tabs
// that are gone (they held a lock for as long as they lived); otherwise two tabs would send one order twice.

import { Personal, finished, written } from "./personal.js";

export class Disk extends Personal {
  /** Where there is no IndexedDB, the outbox lives as long as the page. */
  constructor(person, tab) {
    super("parley", "outbox", person);
    this.tab = tab;
    navigator.locks?.request(`parley.tab.${tab}`, () => new Promise(() => {}));
  }

  /** Resolves with whether it is kept; rejects where the disk is full. */
  async put(entry) {
    const store = await this.store("readwrite");
    if (!store) return false;
    store.put({ ...entry, person: this.person, tab: this.tab });
    await written(store);
    return true;
  }

  /** Entries of mine that no living tab looks after; from now on this one does. */
  async adopt() {
    const store = await this.store("readonly");
    if (!store) return [];
    const all = await finished(store.index("person").getAll(this.person));
    const alive = await livingTabs();
    const found = all.filter((entry) => entry.tab !== this.tab && !alive.has(entry.tab));
    // On a full disk they cannot be marked as this tab's: better to be sent by two, under one id, than by none.
    await Promise.allSettled(found.map((entry) => this.put(entry)));
    return found.map(({ person, tab, ...entry }) => entry);
  }

  /** How many entries all tabs have waiting. */
  async waiting() {
    const store = await this.store("readonly");
    if (!store) return 0;
    const all = await finished(store.index("person").getAll(this.person));
    return all.filter((entry) => entry.state !== "failed").length;
  }
}

/** The tabs that are open at this browser, by the locks that they hold as long as they live. */
export async function livingTabs() {
  if (!navigator.locks) return new Set();
  const { held } = await navigator.locks.query();
  return new Set(held.map((lock) => lock.name.replace(/^parley\.tab\./, "")));
}
