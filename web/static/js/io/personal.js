// A store of IndexedDB that several people of one browser use, each seeing their own: keyed by person and client_id.

export function finished(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
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
    // In a turn of its own: where IndexedDB is forbidden, `open` throws at once.
    this.database = Promise.resolve().then(() => opened(database, name)).catch(() => null);
  }

  /** The store in a transaction of its own, written strictly so that it survives a crash of the browser; or null. */
  async store(mode) {
    const database = await this.database;
    return database?.transaction(this.name, mode, { durability: "strict" }).objectStore(this.name) ?? null;
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
    await new Promise((resolve) => {
      store.transaction.oncomplete = resolve;
      store.transaction.onerror = resolve;
    });
  }
}
