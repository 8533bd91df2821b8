// Uploads on disk: what it takes to go on with them after a reload or a crash of the browser. IndexedDB, by person.
//
// A record is {client_id, id, conversation, to, name, type, size, modified, print, sha256, declared, paused, width,
// height} and, as far as there are any, `handle` (a FileSystemFileHandle, which leads back to the file), `blob` (a copy of
// what is small: pasted pictures have no other home), `preview`, and `drawn` once it and the measures are found. A
// database of its own: the outbox's has no room for further stores without shutting out the tabs that are open.

import { Personal, finished, written } from "./personal.js";

const COPY_MOST = 16 * 1024 * 1024;

export class Kept extends Personal {
  /** Where there is no IndexedDB, an upload lives as long as the page. */
  constructor(person) {
    super("parley-files", "uploads", person);
    // Those that this tab looks after, or will once another tab is gone.
    this.mine = new Map();
    this.adopted = false;
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
    if (!store) return;
    store.put(record);
    await written(store);
  }

  /** Changes some fields of a record that is there still. */
  async change(clientId, fields) {
    const store = await this.store("readwrite");
    if (!store) return;
    const record = await finished(store.get([this.person, clientId]));
    if (record) await finished(store.put({ ...record, ...fields }));
  }

  async remove(clientId) {
    await super.remove(clientId);
    this.release(clientId);
  }

  /**
   * `take(record)` gets each that no living tab looks after, now or when the tab that does is gone; from then on this one
   * does. Resolves with the client_ids of all that there are.
   */
  async adopt(take) {
    const store = await this.store("readonly");
    const keys = store ? await finished(store.index("person").getAllKeys(this.person)) : [];
    // Without locks nobody knows which tabs live: then only what a page finds as it begins is its own.
    const all = navigator.locks || !this.adopted ? keys : [];
    this.adopted = true;
    for (const [, clientId] of all) {
      if (!this.mine.has(clientId)) this.inherit(clientId, take);
    }
    return new Set(keys.map(([, clientId]) => clientId));
  }

  async inherit(clientId, take) {
    await this.hold(clientId);
    // Read once it is ours: the tab that had it may have ended it. What cannot be read is not kept from other tabs.
    const record = await this.read(clientId).catch(() => null);
    if (record) take(record);
    else this.release(clientId);
  }

  async read(clientId) {
    const store = await this.store("readonly");
    return finished(store.get([this.person, clientId]));
  }

  /** Two tabs that sent one file at once would take it from each other. Resolves when it is this one's turn. */
  hold(clientId) {
    if (!this.mine.has(clientId)) this.mine.set(clientId, this.lock(clientId));
    return this.mine.get(clientId).held;
  }

  lock(clientId) {
    if (!navigator.locks) return { held: Promise.resolve(), release: () => {} };
    const one = {};
    const over = new Promise((release) => {
      one.release = release;
    });
    one.held = new Promise((held) => {
      navigator.locks.request(`parley.upload.${clientId}`, () => {
        held();
        return over;
      });
    });
    return one;
  }

  release(clientId) {
    this.mine.get(clientId)?.release();
    this.mine.delete(clientId);
  }
}
