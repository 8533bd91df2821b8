// The outbox on disk: IndexedDB, keyed by person, written strictly so that it survives a crash of the browser.
//
// Several tabs of one person share the store. Each entry names its tab, and a tab takes over entries only from tabs
// that are gone (they held a lock for as long as they lived); otherwise two tabs would send one order twice.

const NAME = "parley";
const STORE = "outbox";

function opened() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => {
      const store = request.result.createObjectStore(STORE, { keyPath: ["person", "client_id"] });
      store.createIndex("person", "person");
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function finished(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

export class Disk {
  /** Where there is no IndexedDB (some private windows), the outbox lives as long as the page. */
  constructor(person, tab) {
    this.person = person;
    this.tab = tab;
    this.database = opened().catch(() => null);
    navigator.locks?.request(`parley.tab.${tab}`, () => new Promise(() => {}));
  }

  async store(mode) {
    const database = await this.database;
    return database?.transaction(STORE, mode, { durability: "strict" }).objectStore(STORE) ?? null;
  }

  async put(entry) {
    const store = await this.store("readwrite");
    if (store) await finished(store.put({ ...entry, person: this.person, tab: this.tab }));
  }

  async remove(clientId) {
    const store = await this.store("readwrite");
    if (store) await finished(store.delete([this.person, clientId]));
  }

  /** Entries of mine that no living tab looks after; from now on this one does. */
  async adopt() {
    const store = await this.store("readonly");
    if (!store) return [];
    const all = await finished(store.index("person").getAll(this.person));
    const alive = await livingTabs();
    const found = all.filter((entry) => entry.tab !== this.tab && !alive.has(entry.tab));
    for (const entry of found) await this.put(entry);
    return found.map(({ person, tab, ...entry }) => entry);
  }

  /** How many entries all tabs have waiting. */
  async waiting() {
    const store = await this.store("readonly");
    if (!store) return 0;
    const all = await finished(store.index("person").getAll(this.person));
    return all.filter((entry) => entry.state !== "failed").length;
  }

  async clear() {
    const store = await this.store("readwrite");
    if (!store) return;
    const keys = await finished(store.index("person").getAllKeys(this.person));
    for (const key of keys) store.delete(key);
    await new Promise((resolve) => {
      store.transaction.oncomplete = resolve;
      store.transaction.onerror = resolve;
    });
  }
}

/** The tabs that are open at this browser, by the locks that they hold as long as they live. */
export async function livingTabs() {
  if (!navigator.locks) return new Set();
  const { held } = await navigator.locks.query();
  return new Set(held.map((lock) => lock.name.replace(/^parley\.tab\./, "")));
}
