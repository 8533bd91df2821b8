// Files on their way to the server, by the tus protocol (tus.io, 1.0). A request is one try: what comes after a failure
// is for others to decide. They reject with ApiError, with Unreachable, or with the signal's reason.

import { ApiError, ROOT, Unreachable } from "./api.js";

export const SLICE = 4 * 1024 * 1024;
const VERSION = "1.0.0";
const SHORT_MS = 15_000;
// Without a further byte; the server may hold one back while others have their turn.
const STILL_MS = 30_000;
const ANSWER_MS = 60_000;
const CODES = { 401: "unauthenticated", 403: "forbidden", 404: "not_found", 409: "conflict", 410: "gone", 413: "too_large" };
const LATER_CODES = { 423: "locked", 429: "rate_limited", 503: "unavailable", 507: "storage_full" };

/** Upload-Metadata of tus: names, and values in base64 of their UTF-8. What is empty is left out. */
export function metadataOf(values) {
  const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));
  return Object.entries(values)
    .filter(([, value]) => value)
    .map(([name, value]) => `${name} ${base64(String(value))}`)
    .join(",");
}

/** The error of an answer; HEAD has no body, so its status has to do. */
function errorOf(status, text, header) {
  let error = {};
  try {
    error = JSON.parse(text).error ?? {};
  } catch {
    // Not one of ours: a proxy's page, or nothing.
  }
  const code = error.code ?? CODES[status] ?? LATER_CODES[status] ?? (status >= 500 ? "internal" : "invalid");
  return new ApiError(status, { message: "", ...error, code, retry_after: error.retry_after ?? Number(header("Retry-After") ?? 0) });
}

const place = (id) => `${ROOT}/files/${encodeURIComponent(id)}`;

export class Uploader {
  constructor(api) {
    this.api = api;
  }

  /** A place for a file to be: {id, offset}. The recipient sees it when a message names it. */
  async create({ to, name, type, size, width, height }, key, signal) {
    const facts = { filename: name, filetype: type, recipient: to, promised: "1", width, height };
    const headers = { "Upload-Length": String(size), "Upload-Metadata": metadataOf(facts), "Idempotency-Key": key };
    const answer = await this.ask("POST", `${ROOT}/files`, { headers, signal });
    const id = new URL(answer.headers.get("Location"), location.href).pathname.split("/").at(-1);
    return { id, offset: Number(answer.headers.get("Upload-Offset") ?? 0) };
  }

  /** How many bytes the server has. */
  async look(id, signal) {
    const answer = await this.ask("HEAD", place(id), { signal });
    return Number(answer.headers.get("Upload-Offset"));
  }

  async preview(id, blob) {
    await this.ask("PUT", `${place(id)}/preview`, { headers: { "Content-Type": blob.type }, body: blob });
  }

  async declare(id, sha256, signal) {
    const headers = { "Content-Type": "application/json" };
    await this.ask("PUT", `${place(id)}/digest`, { headers, body: JSON.stringify({ sha256 }), signal });
  }

  async cancel(id) {
    await this.ask("DELETE", place(id), {});
  }

  /** What has become of files of mine: [{id, state, offset, ...}]. */
  async states(ids) {
    return (await this.api.get(`/files?ids=${ids.map(encodeURIComponent).join(",")}`)).files;
  }

  async ask(method, url, { headers = {}, body, signal = null }) {
    const asked = Date.now();
    const once = () => this.fetch(method, url, headers, body, signal);
    let answer = await once();
    if (answer.status === 401 && (await this.api.refresh(asked))) answer = await once();
    // Read in any case: an answer that is not keeps one of the few connections to the server busy.
    const text = await answer.text().catch(() => "");
    if (answer.ok) return answer;
    throw errorOf(answer.status, text, (name) => answer.headers.get(name));
  }

  async fetch(method, url, headers, body, signal) {
    const deadline = AbortSignal.timeout(SHORT_MS);
    const either = signal ? AbortSignal.any([signal, deadline]) : deadline;
    const init = { method, body, credentials: "same-origin", headers: { ...headers, "Tus-Resumable": VERSION }, signal: either };
    try {
      return await fetch(url, init);
    } catch {
      signal?.throwIfAborted();
      throw new Unreachable("no answer");
    }
  }

  /** The bytes of `blob` at `offset`; `progress(bytes)` of them are on their way. Returns how many the server has then. */
  async send(id, offset, blob, { progress, signal }) {
    const asked = Date.now();
    const once = () => patch(id, offset, blob, progress, signal);
    let answer = await once();
    if (answer.status === 401 && (await this.api.refresh(asked))) answer = await once();
    if (answer.status === 204) return Number(answer.getResponseHeader("Upload-Offset"));
    throw errorOf(answer.status, answer.responseText, (name) => answer.getResponseHeader(name));
  }
}

/** One PATCH. XMLHttpRequest, because fetch does not tell how far a body has come. */
function patch(id, offset, blob, progress, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    let timer = 0;
    const watch = (within) => {
      clearTimeout(timer);
      timer = setTimeout(() => request.abort(), within);
    };
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    };
    const abort = () => request.abort();
    const lost = () => {
      end();
      reject(signal.aborted ? signal.reason : new Unreachable("no answer"));
    };
    request.open("PATCH", place(id));
    request.setRequestHeader("Tus-Resumable", VERSION);
    request.setRequestHeader("Upload-Offset", String(offset));
    request.setRequestHeader("Content-Type", "application/offset+octet-stream");
    request.upload.onprogress = ({ loaded }) => {
      watch(STILL_MS);
      progress(loaded);
    };
    request.upload.onload = () => watch(ANSWER_MS);
    request.onload = () => {
      end();
      resolve(request);
    };
    request.onerror = lost;
    request.onabort = lost;
    signal.addEventListener("abort", abort);
    if (signal.aborted) {
      lost();
      return;
    }
    watch(STILL_MS);
    request.send(blob);
  });
}
