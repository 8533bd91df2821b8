// Uploads on disk: what it takes to go on with them after a reload or a crash of the browser. IndexedDB, by person.
//
// A record is {client_id, id, conversation, to, name, type, size, modified, print, sha256, declared, paused, width,
// height} and, as far as there are any, `handle` (a FileSystemFileHandle, which leads back to the file), `blob` (a copy of
// what is small: pasted pictures have no other home) and `preview`. A database of its own: the outbox's has no room for
// further stores without shutting out the tabs that are open.

const NAME = "parley-files";
const STORE = "uploads";
const COPY_MOST = 16 * 1024 * 1024;

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

export class Kept {
  /** Where there is no IndexedDB, an upload lives as long as the page. */
  constructor(person) {
    this.person = person;
    this.database = opened().catch(() => null);
    this.mine = new Map();
  }

  async store(mode) {
    const database = await this.database;
    return database?.transaction(STORE, mode, { durability: "strict" }).objectStore(STORE) ?? null;
  }

  /** A new record or a newer one. Without room for the copy of a small file it is kept without. */
  async put(record, file) {
    const whole = { ...record, person: this.person };
    if (file && !record.handle && file.size <= COPY_MOST) {
      const copied = await this.write({ ...whole, blob: file }).then(() => true, () => false);
      if (copied) return;
    }
    await this.write(whole);
  }

  async write(record) {
    const store = await this.store("readwrite");
    if (store) await finished(store.put(record));
  }

  /** Changes some fields of a record that is there still. */
  async change(clientId, fields) {
    const store = await this.store("readwrite");
    if (!store) return;
    const record = await finished(store.get([this.person, clientId]));
    if (record) await finished(store.put({ ...record, ...fields }));
  }

  async remove(clientId) {
    const store = await this.store("readwrite");
    if (store) await finished(store.delete([this.person, clientId]));
    this.release(clientId);
  }

  release(clientId) {
    this.mine.get(clientId)?.();
    this.mine.delete(clientId);
  }

  /** Records that no living tab looks after; from now on this one does. */
  async adopt() {
    const store = await this.store("readonly");
    if (!store) return [];
    const keys = await finished(store.index("person").getAllKeys(this.person));
    const found = [];
    for (const key of keys) {
      const [, clientId] = key;
      if (this.mine.has(clientId) || !(await this.hold(clientId))) continue;
      // Read once it is ours: the tab that had it may have ended it meanwhile.
      const record = await finished((await this.store("readonly")).get(key));
      if (record) found.push(record);
      else this.release(clientId);
    }
    return found;
  }

  /** Two tabs that sent one file at once would take it from each other. Resolves with whether this one may. */
  hold(clientId) {
    if (this.mine.has(clientId)) return Promise.resolve(true);
    return new Promise((resolve) => {
      const mine = (release) => {
        this.mine.set(clientId, release);
        resolve(true);
      };
      if (!navigator.locks) mine(() => {});
      else {
        navigator.locks.request(`parley.upload.${clientId}`, { ifAvailable: true }, (lock) => {
          if (lock) return new Promise((release) => mine(release));
          resolve(false);
          return null;
        });
      }
    });
  }

  async clear() {
    const store = await this.store("readwrite");
    if (!store) return;
    for (const key of await finished(store.index("person").getAllKeys(this.person))) await finished(store.delete(key));
  }
}
