// The uploads of this page: who takes which step next, and what a person sees of it. No DOM, no disk, no network.
//
// An upload comes to life before the server knows it: `clientId` is its message's, `id` the file's, "" until the server
// has given one. Its steps are "create", "look" (how far has it come), "send" (the next bytes), "declare" (its digest),
// "watch" (what has become of it) and "drop" (the server may forget it); one at a time, and which is next follows from
// what is known.
//
// What a person sees is viewOf(upload): {id, clientId, conversation, name, type, size, width, height, state, reason,
// sent, hashed, speed, eta}. `sent` and `hashed` in bytes, `speed` in bytes a second (0: unknown), `eta` in seconds
// (null: unknown). `state` is one of
//   "waiting"    for its turn
//   "uploading"
//   "paused"     reason "person"; or, going on by itself, "server" (it takes no files just now), "offline", "full" (no
//                room there), or, asking for the person, "file" (choose it again), "permission" (to read it again)
//   "hashing"    all bytes are there, and this browser does not know their digest yet
//   "verifying"  the server compares
//   "ready", "failed" (reason: the server's code, or "unreadable"), "cancelled", "expired"

import { reconnectDelay } from "./backoff.js";
import { Meter } from "./meter.js";

export const AT_A_TIME = 4;
const WATCH_MS = 2_000;
const FULL_MS = 30_000;
// All pages hear at the same moment that the server takes files again.
const SPREAD_MS = 1_000;
const FAULTS_MOST = 8;
const SETTLED = new Set(["ready", "failed", "cancelled", "expired"]);
const TRANSFERS = new Set(["look", "send"]);
// Refusals that time mends, and what the person is told meanwhile.
const MENDED = { rate_limited: "", locked: "", unavailable: "server", storage_full: "full" };

const BLANK = {
  id: "",
  conversation: "",
  to: "",
  type: "",
  width: 0,
  height: 0,
  modified: 0,
  print: "",
  sha256: "",
  declared: false,
  // The person does not want it any more, and the server has not been told.
  unwanted: false,
  paused: false,
  // Whether the bytes can be read here: "" they can, else why not, "file" or "permission".
  lacks: "",
  end: "",
  reason: "",
  // How many bytes the server has; null when that has to be asked first.
  offset: null,
  sent: 0,
  hashed: 0,
  busy: "",
  hold: "",
  attempts: 0,
  faults: 0,
  notBefore: 0,
};

export class Uploads {
  constructor() {
    this.known = new Map();
    this.up = false;
    this.serving = true;
  }

  /** A new upload, or one read back from disk: {clientId, conversation, to, name, type, size, ...}. */
  add(fields) {
    const upload = { ...BLANK, ...fields, meter: new Meter() };
    this.known.set(upload.clientId, upload);
    return upload;
  }

  /** By the file's id or its message's client_id; null for one that is not from here. */
  find(key) {
    if (!key) return null;
    for (const upload of this.known.values()) if (upload.id === key || upload.clientId === key) return upload;
    return null;
  }

  get all() {
    return [...this.known.values()];
  }

  remove(upload) {
    this.known.delete(upload.clientId);
  }

  // What the world is like

  /** Whether there is a connection, and whether the server takes files. What waited for either goes on. */
  world({ up, serving }, now, random) {
    const better = (up && !this.up) || (serving && !this.serving);
    this.up = up;
    this.serving = serving;
    if (!better || !up || !serving) return;
    for (const upload of this.known.values()) {
      if (upload.hold !== "server" && upload.hold !== "offline") continue;
      upload.notBefore = now + random() * SPREAD_MS;
      upload.attempts = 0;
    }
  }

  // Steps

  /** The uploads that take a step now, with the step; they count as busy until done() or refused(). */
  take(now) {
    if (!this.up || !this.serving) return [];
    const taken = [];
    let transfers = this.all.filter((upload) => TRANSFERS.has(upload.busy)).length;
    // One after the other: messages go out in the order in which their files were chosen.
    let creating = this.all.some((upload) => upload.busy === "create");
    for (const upload of this.known.values()) {
      const step = upload.busy || now < upload.notBefore ? "" : stepOf(upload);
      if (step === "" || (step === "create" && creating) || (TRANSFERS.has(step) && transfers >= AT_A_TIME)) continue;
      if (step === "create") creating = true;
      if (TRANSFERS.has(step)) transfers += 1;
      upload.busy = step;
      taken.push({ upload, step });
    }
    return taken;
  }

  /** Milliseconds until take() may have something that it has not now; 0 when only an event brings it. */
  wait(now) {
    const later = this.all.filter((upload) => !upload.busy && upload.notBefore > now && stepOf(upload) !== "");
    return later.length > 0 ? Math.min(...later.map((upload) => upload.notBefore)) - now : 0;
  }

  /** Bytes of this step are under way. */
  progress(upload, sent, now) {
    upload.sent = Math.min(upload.size, Math.max(upload.offset ?? 0, sent));
    upload.meter.sample(now, upload.sent);
  }

  /** The step was carried out; `facts` are what it found out: {id, offset, declared, state, reason}. */
  done(upload, { state = "", reason = "", ...facts }, now) {
    const step = upload.busy;
    upload.busy = "";
    upload.hold = "";
    upload.notBefore = 0;
    const further = (facts.offset ?? 0) > (upload.offset ?? 0);
    if (further || step === "create" || step === "declare") upload.attempts = upload.faults = 0;
    Object.assign(upload, facts);
    if (facts.offset !== undefined) this.progress(upload, facts.offset, now);
    if (step === "drop") upload.unwanted = false;
    if (SETTLED.has(state)) this.settle(upload, state, reason);
    else if (upload.declared && upload.offset === upload.size) upload.notBefore = now + WATCH_MS;
  }

  /**
   * The step failed. `error`: {code, retryAfter}, code "" when there was no answer and "aborted" when it was broken off
   * here. What time mends is tried again, after retryAfter seconds or a backoff.
   */
  refused(upload, { code = "", retryAfter = 0 }, now, random) {
    const step = upload.busy;
    upload.busy = "";
    upload.meter.stop();
    // How much of what was under way has arrived is unknown.
    if (TRANSFERS.has(step)) upload.offset = null;
    if (step === "drop") this.notDropped(upload, code, retryAfter, now, random);
    else if (upload.end || code === "aborted") return;
    else if (code === "gone") this.settle(upload, "expired");
    else if (code === "conflict" && TRANSFERS.has(step)) this.again(upload, 0, now, random, "");
    else if (code === "") this.again(upload, 0, now, random, "offline");
    else if (code in MENDED) this.again(upload, waitFor(code, retryAfter), now, random, MENDED[code]);
    else if (code === "internal" && upload.faults < FAULTS_MOST) {
      upload.faults += 1;
      this.again(upload, retryAfter * 1_000, now, random, "server");
    } else this.settle(upload, "failed", code);
  }

  /** What the server does not know, or does not let go, is as good as dropped. */
  notDropped(upload, code, retryAfter, now, random) {
    const mended = code === "" || code in MENDED || code === "internal";
    upload.unwanted = mended;
    if (mended) this.again(upload, retryAfter * 1_000, now, random, "");
  }

  again(upload, least, now, random, hold) {
    upload.hold = hold;
    upload.notBefore = now + Math.max(least, reconnectDelay(upload.attempts, random()));
    upload.attempts += 1;
  }

  settle(upload, state, reason = "") {
    if (upload.end) return;
    upload.end = state;
    upload.reason = reason;
    upload.hold = "";
    upload.meter.stop();
    upload.notBefore = 0;
    if (state === "ready") upload.sent = upload.offset = upload.size;
  }

  // What is said from outside

  /** A `file` frame, or a row of GET /files?ids=. */
  frame({ id, state, reason = "" }) {
    const upload = this.find(id);
    if (upload && SETTLED.has(state)) this.settle(upload, state, reason);
  }

  hash(upload, hashed, sha256 = "") {
    upload.hashed = hashed;
    if (sha256) upload.sha256 = sha256;
  }

  /** By the person; what is under way has to be broken off by the caller. */
  pause(upload) {
    if (upload.end) return;
    upload.paused = true;
    upload.meter.stop();
  }

  resume(upload) {
    upload.paused = false;
    upload.notBefore = 0;
    upload.attempts = 0;
  }

  /** By the person, for both sides. */
  cancel(upload) {
    upload.unwanted = upload.id !== "";
    this.settle(upload, "cancelled");
  }

  /** From the beginning, as a file that the server has never heard of: its message goes out anew as `clientId`. */
  restart(upload, clientId) {
    this.known.delete(upload.clientId);
    const { id, offset, sent, busy, declared, end, reason, hold, attempts, faults, notBefore, paused } = BLANK;
    Object.assign(upload, { clientId, id, offset, sent, busy, declared, end, reason, hold, attempts, faults, notBefore, paused });
    this.known.set(clientId, upload);
  }
}

function waitFor(code, retryAfter) {
  return Math.max(retryAfter * 1_000, code === "storage_full" ? FULL_MS : 0);
}

/** What an upload does next, "" for nothing. */
function stepOf(upload) {
  if (upload.unwanted) return "drop";
  if (upload.end || upload.paused) return "";
  const whole = upload.offset === upload.size;
  if (upload.id && whole && upload.sha256) return upload.declared ? "watch" : "declare";
  if (upload.id && upload.offset === null) return "look";
  if (upload.lacks) return "";
  if (!upload.id) return "create";
  return whole ? "" : "send";
}

/** Whether this browser's digest of it is still to be found. */
export function needsHash(upload) {
  return !upload.end && !upload.lacks && upload.sha256 === "";
}

/** What a person sees of an upload; `uploads` tells what the world is like. */
export function viewOf(upload, uploads) {
  const { id, clientId, conversation, name, type, size, width, height, sent, hashed } = upload;
  const { state, reason } = stateOf(upload, uploads);
  const moving = state === "uploading";
  const speed = moving ? upload.meter.speed : 0;
  const eta = moving ? upload.meter.eta(size - sent) : null;
  return { id, clientId, conversation, name, type, size, width, height, state, reason, sent, hashed, speed, eta };
}

function stateOf(upload, { up, serving }) {
  if (upload.end) return { state: upload.end, reason: upload.reason };
  const paused = (reason) => ({ state: "paused", reason });
  const whole = upload.id !== "" && upload.offset === upload.size;
  // To give the file again is to go on with it.
  if (upload.lacks && !(whole && upload.sha256)) return paused(upload.lacks);
  if (upload.paused) return paused("person");
  if (!serving) return paused("server");
  if (!up) return paused("offline");
  if (upload.hold) return paused(upload.hold);
  if (whole) return { state: upload.sha256 ? "verifying" : "hashing", reason: "" };
  return { state: TRANSFERS.has(upload.busy) ? "uploading" : "waiting", reason: "" };
}
