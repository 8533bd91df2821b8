// A store of IndexedDB that several people of one browser use, each seeing their own: keyed by person and client_id.

const OPEN_MS = 3_000;

export function finished(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** Resolves once what was asked of the store is on disk; a disk that is full says so only then. */
export function written(store) {
  return new Promise((resolve, reject) => {
    store.transaction.oncomplete = resolve;
    store.transaction.onabort = () => reject(store.transaction.error);
  });
}

function opened(name, store) {
  const request = indexedDB.open(name, 1);
  request.onupgradeneeded = () => {
    const made = request.result.createObjectStore(store, { keyPath: ["person", "client_id"] });
    made.createIndex("person", "person");
  };
  return finished(request);
}

export class Personal {
  /** Where there is no IndexedDB (some private windows), nothing is kept. */
  constructor(database, name, person) {
    this.name = name;
    this.person = person;
    this.where = database;
    this.database = null;
    this.begin();
  }

  /** A browser that does not say whether it opens it (some do that) holds nobody up for longer than OPEN_MS. */
  begin() {
    // In a turn of its own: where IndexedDB is forbidden, `open` throws at once.
    const opening = Promise.resolve()
      .then(() => opened(this.where, this.name))
      .then((database) => {
        this.database = database;
      });
    const late = new Promise((resolve) => setTimeout(resolve, OPEN_MS));
    this.begun = Promise.race([opening.catch(() => {}), late]);
  }

  /** The store in a transaction of its own, written strictly so that it survives a crash of the browser; or null. */
  async store(mode) {
    await this.begun;
    try {
      return this.transaction(mode);
    } catch {
      // The browser has closed it under us: what it keeps was cleared, or the process that keeps it has died.
      this.begin();
      await this.begun;
      return this.transaction(mode);
    }
  }

  transaction(mode) {
    return this.database?.transaction(this.name, mode, { durability: "strict" }).objectStore(this.name) ?? null;
  }

  async remove(clientId) {
    const store = await this.store("readwrite");
    if (store) await finished(store.delete([this.person, clientId]));
  }

  /** Takes away all that is this person's. */
  async clear() {
    const store = await this.store("readwrite");
    if (!store) return;
    const keys = await finished(store.index("person").getAllKeys(this.person));
    for (const key of keys) store.delete(key);
    await written(store);
  }
}
