// Digests of files, found in a worker that lives while there is something to do.

const WORKER = new URL("./hash_worker.js", import.meta.url).href;

// The page's policy wants scripts to be named by one of ours: this one names the worker and nothing else.
const policy = globalThis.trustedTypes?.createPolicy("parley-hash-worker", { createScriptURL: () => WORKER });

/** The file cannot be read: it was changed or taken away since it was chosen. */
export class Unreadable extends Error {}

export class Hashing {
  constructor() {
    this.worker = null;
    this.jobs = new Map();
    this.count = 0;
  }

  /**
   * SHA-256 of a file in hexadecimal; `progress(bytes)` hears how far it is. Rejects with Unreadable,
   * with the signal's reason, or with another Error that is worth trying again.
   */
  digest(file, { progress = () => {}, signal = null } = {}) {
    return this.ask({ file }, progress, signal);
  }

  /** What tells a file from others of its size, from its beginning and its end: it takes no time. */
  print(file) {
    return this.ask({ file, print: true }, () => {}, null);
  }

  ask(wish, progress, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const job = (this.count += 1);
      this.jobs.set(job, { progress, resolve, reject });
      this.begin().postMessage({ ...wish, job });
      signal?.addEventListener("abort", () => {
        this.worker?.postMessage({ job, stop: true });
        this.end(job)?.reject(signal.reason);
      });
    });
  }

  begin() {
    if (!this.worker) {
      this.worker = new Worker(policy?.createScriptURL("") ?? WORKER, { type: "module" });
      this.worker.onmessage = ({ data }) => this.told(data);
      this.worker.onerror = () => this.broke();
    }
    return this.worker;
  }

  told({ job, hashed, sha256, failed }) {
    if (failed) this.end(job)?.reject(new Unreadable("the file cannot be read"));
    else if (sha256) this.end(job)?.resolve(sha256);
    else this.jobs.get(job)?.progress(hashed);
  }

  /** The worker itself failed or could not be loaded; whoever waits may try again with another one. */
  broke() {
    for (const job of [...this.jobs.keys()]) this.end(job)?.reject(new Error("the worker ended"));
  }

  end(job) {
    const found = this.jobs.get(job);
    this.jobs.delete(job);
    if (this.jobs.size === 0) {
      this.worker?.terminate();
      this.worker = null;
    }
    return found;
  }
}
