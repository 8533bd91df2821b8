// Files that this page sends: takes the steps that core/uploads.js decides, and remembers what a reload has to find again.
//
// The order of things: the bubble is there at once; the server gives the file a place; its message goes out through the
// outbox like any other, so that the recipient's card appears; the bytes follow. Digests are found meanwhile.

import { needsHash, Uploads, viewOf } from "./core/uploads.js";
import { mint } from "./core/ids.js";
import { fitting } from "./core/names.js";
import { ApiError, Unreachable } from "./io/api.js";
import { behind } from "./io/choosing.js";
import { Hashing, Unreadable } from "./io/hashing.js";
import { Kept } from "./io/kept.js";
import { portrait } from "./io/preview.js";
import { Uploader } from "./io/uploader.js";
import { Steps } from "./steps.js";
import { say } from "./words.js";

const TELL_MS = 200;
const HASH_AGAIN_MS = 5_000;
const SHOWN = /^(?:image\/(?!svg)|video\/)/;

export class Sending {
  /** `tell(text)` shows a person something that they did not ask for; `open()` is the conversation that is open, or "". */
  constructor({ client, person, tell, open }) {
    Object.assign(this, { client, tell, open });
    this.store = client.store;
    this.uploads = new Uploads();
    this.kept = new Kept(person);
    this.uploader = new Uploader(client.api);
    this.hashing = new Hashing();
    // Of an upload, by its client_id.
    this.files = new Map();
    this.handles = new Map();
    this.portraits = new Map();
    this.pictures = new Map();
    this.steps = new Steps({ client, kept: this.kept, uploader: this.uploader, files: this.files, portraits: this.portraits });
    this.steps.moved = (upload, sent) => {
      this.uploads.progress(upload, sent, performance.now());
      this.changed(upload, "progress");
    };
    this.running = new Map();
    this.digests = new Map();
    this.told = new Map();
    this.closed = false;
    this.store.listen((topic) => {
      if (topic === "actors") this.world();
    });
  }

  // What cards see. `key`: the file's id, or its message's client_id

  view(key) {
    const upload = this.uploads.find(key);
    return upload ? viewOf(upload, this.uploads) : null;
  }

  /** The address of a picture of it that is at hand, or "". */
  picture(key) {
    const upload = this.uploads.find(key);
    return (upload && this.pictures.get(upload.clientId)) ?? "";
  }

  /** Something can be seen to have changed; what only moves on is told a few times a second. */
  changed(upload, only = "") {
    const tell = () => {
      this.told.delete(upload.clientId);
      this.store.tell("file", upload.clientId);
      if (upload.id) this.store.tell("file", upload.id);
    };
    if (only !== "progress") {
      clearTimeout(this.told.get(upload.clientId));
      tell();
    } else if (!this.told.has(upload.clientId)) this.told.set(upload.clientId, setTimeout(tell, TELL_MS));
  }

  // What a person does

  /** Sends a file to a conversation. `about` is the promise of portrait(file), where somebody has asked for it already. */
  send({ conversation, file, handle = null, about = portrait(file), body = "", reply_to }) {
    const clientId = mint();
    const { size, lastModified: modified } = file;
    const name = fitting(file.name);
    const type = file.type || "application/octet-stream";
    const to = conversation.peer.id;
    const upload = this.uploads.add({ clientId, conversation: conversation.id, to, name, type, size, modified });
    this.portraits.set(clientId, about);
    this.handles.set(clientId, handle);
    this.attach(upload, file);
    const shown = { id: "", name, type, size, preview: false };
    this.client.enqueue({ kind: "send", conversation: conversation.id, to, body, reply_to, file: shown, client_id: clientId });
    this.keep(upload, file).catch(() => {});
    this.pump();
    return clientId;
  }

  pause(key) {
    const upload = this.uploads.find(key);
    if (!upload) return;
    this.uploads.pause(upload);
    this.running.get(upload.clientId)?.abort();
    this.kept.change(upload.clientId, { paused: true }).catch(() => {});
    this.changed(upload);
    this.pump();
  }

  async resume(key) {
    const upload = this.uploads.find(key);
    if (!upload) return;
    this.uploads.resume(upload);
    this.kept.change(upload.clientId, { paused: false }).catch(() => {});
    if (upload.lacks === "permission") await this.reach(upload, true);
    this.changed(upload);
    this.pump();
  }

  /** The file that a person says it is; what is another one is told and changes nothing. */
  async choose(key, file) {
    const upload = this.uploads.find(key);
    if (!upload) return;
    const same = await this.isSame(upload, file).catch(() => false);
    if (!same) {
      this.tell(say("upload.another", { name: upload.name }));
      return;
    }
    this.handles.set(upload.clientId, null);
    if (!upload.id) this.portraits.set(upload.clientId, portrait(file));
    this.uploads.resume(upload);
    this.attach(upload, file);
    this.keep(upload, file).catch(() => {});
    this.changed(upload);
    this.pump();
  }

  /** Gives an upload up, on both sides. */
  cancel(key) {
    const upload = this.uploads.find(key);
    if (!upload) return;
    if (upload.id) this.drop(upload);
    // Nobody but us has heard of it.
    else this.client.discard(upload.clientId);
  }

  /** What failed for good once more; as a message of its own when the former one was sent. */
  retry(key) {
    const upload = this.uploads.find(key);
    if (upload && this.client.outbox.find(upload.clientId)) {
      this.client.retry(upload.clientId);
      return;
    }
    const file = upload && this.files.get(upload.clientId);
    const conversation = upload && this.store.get(upload.conversation);
    if (!file || !conversation) return;
    this.send({ conversation, file, handle: this.handles.get(upload.clientId) });
    this.forget(upload);
    this.changed(upload);
  }

  drop(upload) {
    this.uploads.cancel(upload);
    this.running.get(upload.clientId)?.abort();
    this.kept.change(upload.clientId, { unwanted: true }).catch(() => {});
    this.changed(upload);
    this.pump();
  }

  // What the outbox and the server say

  /** `what` became of an entry; `former` is the client_id that it had before a person sent it again. */
  outbox(entry, what, former = "") {
    if (entry.kind === "delete" && what === "stored" && entry.file_id) this.deleted(entry.file_id);
    if (entry.kind !== "send" || !entry.file) return;
    const upload = this.uploads.find(former || entry.client_id);
    if (what === "added" && former && upload) this.again(upload, former, entry);
    else if (what === "added" && entry.state === "held" && !upload) this.adoptSoon();
    else if (what === "failed" && upload) this.withdraw(upload, entry);
    else if (what === "stored" && upload) this.letGo(upload);
    else if (what === "gone" && upload) {
      this.drop(upload);
      if (!upload.id) this.forget(upload);
    }
  }

  /** A message of mine is gone, and what it brought goes with it. */
  deleted(id) {
    const upload = this.uploads.find(id);
    if (upload) this.drop(upload);
    // What does not reach the server now is collected there: no message refers to it.
    else this.uploader.cancel(id).catch(() => {});
  }

  /** The message was refused, so that nobody will see its file. Sent again, it begins anew. */
  withdraw(upload, entry) {
    const { id } = upload;
    this.uploads.settle(upload, "failed", entry.code);
    if (id) this.uploader.cancel(id).catch(() => {});
    this.ended(upload);
  }

  again(upload, former, entry) {
    for (const map of [this.files, this.handles, this.portraits, this.pictures]) {
      if (map.has(former)) map.set(entry.client_id, map.get(former));
      map.delete(former);
    }
    this.kept.remove(former).catch(() => {});
    this.uploads.restart(upload, entry.client_id);
    this.keep(upload, this.files.get(entry.client_id)).catch(() => {});
    this.hash(upload);
    this.pump();
  }

  frame(frame) {
    if (frame.type !== "file") return;
    const upload = this.uploads.find(frame.id);
    if (!upload) return;
    const ended = upload.end !== "";
    this.uploads.frame(frame);
    if (ended) this.letGo(upload);
    else if (upload.end) this.ended(upload);
  }

  /** What the connection and file_chunker are like decides who may go on. */
  world() {
    const serving = this.store.actors.get("file_chunker") !== "down";
    this.uploads.world({ up: this.client.connection.up, serving }, performance.now(), Math.random);
    for (const upload of this.uploads.all) if (!upload.end) this.changed(upload);
    this.pump();
  }

  // After a reload

  adoptSoon() {
    this.adoptTimer ??= setTimeout(() => {
      this.adoptTimer = null;
      this.adopt().catch(() => {});
    }, 0);
  }

  /** Uploads that no living tab looks after go on here. */
  async adopt() {
    const known = await this.kept.adopt((record) => this.take(record));
    for (const entry of this.client.outbox.entries) {
      const waits = entry.kind === "send" && entry.state === "held";
      if (waits && !known.has(entry.client_id) && !this.uploads.find(entry.client_id)) this.orphan(entry);
    }
  }

  async take({ client_id: clientId, person, handle = null, blob = null, preview = null, drawn = false, ...fields }) {
    if (this.uploads.find(clientId)) return;
    const upload = this.uploads.add({ ...fields, clientId, offset: null, lacks: "file" });
    if (upload.unwanted) upload.end = "cancelled";
    this.handles.set(clientId, handle);
    const { id, width, height } = upload;
    if (id || drawn) this.portraits.set(clientId, Promise.resolve({ width, height, preview }));
    if (blob) this.attach(upload, blob);
    else if (handle && !upload.end) await this.reach(upload, false);
    // Its message was in the other tab's hands as well.
    await this.client.adopt();
    if (upload.id) this.steps.release(upload, preview !== null);
    this.changed(upload);
    this.pump();
  }

  /** A message whose upload was not written down before the browser crashed: all that is known of its file is its size. */
  orphan({ client_id: clientId, conversation, to, file: { name, type, size } }) {
    this.kept.hold(clientId);
    this.portraits.set(clientId, Promise.resolve({ width: 0, height: 0, preview: null }));
    this.changed(this.uploads.add({ clientId, conversation, to, name, type, size, lacks: "file" }));
  }

  /** The file behind its handle, when it may be read and is still what it was. `ask` within a click only. */
  async reach(upload, ask) {
    const { file, lacks } = await behind(this.handles.get(upload.clientId), ask);
    const same = file && (await this.isSame(upload, file).catch(() => false));
    if (same) this.attach(upload, file);
    else upload.lacks = lacks || "file";
  }

  async isSame(upload, file) {
    if (file.size !== upload.size) return false;
    return upload.print === "" || (await this.hashing.print(file)) === upload.print;
  }

  // The file itself

  attach(upload, file) {
    const { clientId } = upload;
    this.files.set(clientId, file);
    upload.lacks = "";
    if (!this.portraits.has(clientId)) this.portraits.set(clientId, portrait(file));
    if (SHOWN.test(file.type) && !this.pictures.has(clientId)) {
      this.portraits.get(clientId).then(({ preview }) => this.picturing(upload, file, preview));
    }
    this.hash(upload);
  }

  picturing(upload, file, preview) {
    const source = file.type.startsWith("image/") ? file : preview;
    // Let go of meanwhile, nothing would end its address any more.
    if (source && this.uploads.find(upload.clientId) === upload) this.pictures.set(upload.clientId, URL.createObjectURL(source));
    this.changed(upload);
  }

  /** Writes down what it takes to go on after a reload. */
  async keep(upload, file) {
    const { clientId } = upload;
    await this.kept.hold(clientId);
    const { id, conversation, to, name, type, size, width, height, modified, print, sha256, declared, paused } = upload;
    const handle = this.handles.get(clientId);
    const { preview } = upload.id ? await this.portraits.get(clientId) : {};
    const record = { client_id: clientId, id, conversation, to, name, type, size, width, height, modified, print };
    await this.kept.put({ ...record, sha256, declared, paused, ...(handle && { handle }), ...(preview && { preview }) }, file);
    if (print) return;
    upload.print = await this.hashing.print(file);
    await this.kept.change(clientId, { print: upload.print });
  }

  async hash(upload) {
    if (!needsHash(upload) || this.digests.has(upload.clientId)) return;
    const { clientId } = upload;
    const stop = new AbortController();
    this.digests.set(clientId, stop);
    const progress = (bytes) => {
      this.uploads.hash(upload, bytes);
      if (viewOf(upload, this.uploads).state === "hashing") this.changed(upload, "progress");
    };
    try {
      const sha256 = await this.hashing.digest(this.files.get(clientId), { progress, signal: stop.signal });
      this.uploads.hash(upload, upload.size, sha256);
      await this.kept.change(clientId, { sha256 }).catch(() => {});
    } catch (error) {
      if (error instanceof Unreadable) upload.lacks = "file";
      else if (!stop.signal.aborted) setTimeout(() => this.hash(upload), HASH_AGAIN_MS);
    } finally {
      this.digests.delete(clientId);
    }
    this.changed(upload);
    this.pump();
  }

  // Steps

  pump() {
    if (this.closed) return;
    const now = performance.now();
    for (const { upload, step } of this.uploads.take(now)) this.run(upload, step);
    clearTimeout(this.timer);
    const wait = this.uploads.wait(now);
    if (wait > 0) this.timer = setTimeout(() => this.pump(), wait + 5);
  }

  async run(upload, step) {
    const stop = new AbortController();
    const { clientId } = upload;
    this.running.set(clientId, stop);
    const facts = await this.steps[step](upload, stop.signal).catch((error) => ({ error }));
    // Sent again meanwhile, as another message.
    if (upload.clientId !== clientId) return;
    this.running.delete(clientId);
    if (facts.error) await this.failed(upload, facts.error, stop.signal);
    else this.uploads.done(upload, facts, performance.now());
    if (upload.end) this.ended(upload);
    else if (step !== "send" || upload.busy === "") this.changed(upload, step === "send" ? "progress" : "");
    this.pump();
  }

  async failed(upload, error, signal) {
    const known = error instanceof ApiError;
    // What is neither an answer nor the lack of one is a fault of ours.
    if (!known && !(error instanceof Unreachable) && !signal.aborted) console.error(error);
    const code = signal.aborted ? "aborted" : known ? error.code : "";
    const creating = upload.busy === "create";
    // A file that was changed since it was chosen breaks off like a connection.
    if (upload.busy === "send" && code === "" && !(await readable(this.files.get(upload.clientId)))) upload.lacks = "file";
    this.uploads.refused(upload, { code, retryAfter: error.retryAfter }, performance.now(), Math.random);
    if (creating && upload.end === "failed") this.client.refuse(upload.clientId, error.code, error.message);
  }

  /** Ready, or given up. */
  ended(upload) {
    this.running.get(upload.clientId)?.abort();
    this.digests.get(upload.clientId)?.abort();
    if (!upload.unwanted) this.kept.remove(upload.clientId).catch(() => {});
    this.letGo(upload);
    this.changed(upload);
    this.pump();
  }

  /** Another conversation is open. */
  left() {
    for (const upload of this.uploads.all) this.letGo(upload);
  }

  /**
   * What is over at both sides, with its message stored, is a file like any other: nothing of it is needed here but the
   * picture that its card may be showing, as long as the conversation is open. What has failed can be sent once more.
   */
  letGo(upload) {
    const { clientId, id, end, busy, unwanted, conversation } = upload;
    if (!id || !end || end === "failed" || busy || unwanted) return;
    if (this.client.outbox.find(clientId) || !this.store.transfers.of(id).settled) return;
    for (const map of [this.files, this.handles, this.portraits]) map.delete(clientId);
    if (conversation !== this.open()) this.forget(upload);
  }

  forget(upload) {
    this.uploads.remove(upload);
    URL.revokeObjectURL(this.pictures.get(upload.clientId) ?? "");
    for (const map of [this.files, this.handles, this.portraits, this.pictures]) map.delete(upload.clientId);
    this.kept.remove(upload.clientId).catch(() => {});
  }

  /** How many files are still on their way from this page, and their messages not. */
  get unfinished() {
    return this.uploads.all.filter((upload) => !upload.end && !this.client.outbox.find(upload.clientId)).length;
  }

  /** The page is left for good; what is kept on disk goes as well where `clear`. */
  async close(clear) {
    clearTimeout(this.timer);
    for (const stop of [...this.running.values(), ...this.digests.values()]) stop.abort();
    this.closed = true;
    if (clear) await this.kept.clear();
  }
}

async function readable(file) {
  return file.slice(0, 1).arrayBuffer().then(() => true, () => false);
}
