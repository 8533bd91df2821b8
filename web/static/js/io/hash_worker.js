// A worker: digests of files, in pieces, so that no file is in memory as a whole and the page stays free.
//
// It is asked {job, file} or {job, file, print: true} (of the first and the last MiB, and the size) and tells
// {job, hashed} now and then, at last {job, sha256}, or {job, failed}. {job, stop: true} ends one.

import { Sha256 } from "../core/sha256.js";

const PIECE = 2 * 1024 * 1024;
const PRINT = 1024 * 1024;
const stopped = new Set();
let queue = Promise.resolve();

async function bytesOf(blob) {
  return new Uint8Array(await blob.arrayBuffer());
}

async function whole(job, file) {
  const sum = new Sha256();
  for (let at = 0; at < file.size; at += PIECE) {
    if (stopped.has(job)) return;
    sum.update(await bytesOf(file.slice(at, at + PIECE)));
    postMessage({ job, hashed: Math.min(file.size, at + PIECE) });
  }
  postMessage({ job, sha256: sum.hex() });
}

async function print(job, file) {
  const sum = new Sha256();
  sum.update(new TextEncoder().encode(`${file.size}\n`));
  sum.update(await bytesOf(file.slice(0, PRINT)));
  sum.update(await bytesOf(file.slice(Math.max(PRINT, file.size - PRINT))));
  postMessage({ job, sha256: sum.hex() });
}

// Prints are short and somebody waits for them; whole files come one after the other.
onmessage = ({ data: { job, file, print: short, stop } }) => {
  if (stop) stopped.add(job);
  else {
    const failed = () => postMessage({ job, failed: true });
    if (short) print(job, file).catch(failed);
    else queue = queue.then(() => whole(job, file)).catch(failed);
  }
};
