// What is known of files and of how far they are; and what can be done with those of others.

const ASK_SOON_MS = 50;
// All pages hear at the same moment that file_chunker is back.
const SPREAD_MS = 2_000;
const IDS_MOST = 200;
const ROOT = "/api/v1/files";

/**
 * What cards want of the uploads of this browser, here where there are none. `key`: the file's id, or its message's
 * client_id. view: as viewOf of core/uploads.js, or null; picture: the address of a picture that is at hand, or "".
 */
const NO_UPLOADS = {
  view: (_key) => null,
  picture: (_key) => "",
  pause: (_key) => {},
  resume: (_key) => {},
  retry: (_key) => {},
  choose: (_key) => {},
  cancel: (_key) => {},
};

export class Files {
  constructor({ client, uploads = NO_UPLOADS }) {
    Object.assign(this, { client, uploads });
    this.store = client.store;
    this.unheard = new Set();
  }

  get down() {
    return this.store.actors.get("file_chunker") === "down";
  }

  // From the server

  hello() {
    this.changed();
    this.askAll();
  }

  frame(frame) {
    if (frame.type === "file") this.take(frame);
    else if (frame.type === "resync" && (!frame.source || frame.source === "file_chunker")) this.askAll();
    else if (frame.type === "actor" && frame.name === "file_chunker") this.actor(frame.state);
  }

  actor(state) {
    this.changed();
    if (state === "running") this.later ??= setTimeout(() => this.askAll(), Math.random() * SPREAD_MS);
  }

  /** Whether file_chunker rests is seen in the cards of all that is under way. */
  changed() {
    for (const id of this.store.transfers.unsettled) this.store.tell("file", id);
  }

  take(told) {
    if (this.store.transfers.take(told, performance.now())) this.store.tell("file", told.id);
  }

  /** How far the file of a message is. What nobody has said yet is asked for. */
  of(file) {
    const { transfers } = this.store;
    if (!file.id) return transfers.none;
    transfers.take(file, performance.now());
    const transfer = transfers.of(file.id);
    if (transfer.state === "") {
      this.unheard.add(file.id);
      this.asking ??= setTimeout(() => this.askUnheard(), ASK_SOON_MS);
    }
    return transfer;
  }

  askUnheard() {
    this.asking = null;
    const ids = [...this.unheard];
    this.unheard.clear();
    return this.ask(ids);
  }

  askAll() {
    clearTimeout(this.later);
    this.later = null;
    return this.ask(this.store.transfers.unsettled);
  }

  async ask(ids) {
    for (let at = 0; at < ids.length; at += IDS_MOST) {
      const some = ids.slice(at, at + IDS_MOST).join(",");
      // Without an answer nothing is known of them: the next hello, or file_chunker when it is back, asks again.
      const { files } = await this.client.api.get(`/files?ids=${some}`).catch(() => ({ files: [] }));
      for (const one of files) this.take(one);
    }
  }

  // By the person

  url(id) {
    return `${ROOT}/${id}`;
  }

  /** As url(), and the browser keeps it rather than showing it. */
  download(id) {
    return `${ROOT}/${id}?download=1`;
  }

  preview(id) {
    return `${ROOT}/${id}/preview`;
  }

  /** Ends an upload for both sides. */
  cancel(id) {
    return this.client.command("DELETE", `/files/${id}`);
  }
}
