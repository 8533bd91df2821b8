// What the card of a file shows and offers, from all that is known of the file. Pure.

/**
 * `transfer`: what the server said (core/transfers.js). `local`: how the upload of this browser looks (viewOf of
 * core/uploads.js), or null. `down`: file_chunker rests. Returns {state, why, offset, speed, eta, verified, acts}:
 * `state` and `why` choose the words, `speed` in bytes a second (0: unknown), `eta` in seconds (null: unknown), `acts`
 * among pause, resume, retry, choose, cancel and download, in the order in which they stand.
 */
export function cardOf({ own, transfer, local, down }) {
  // What failed here can be sent once more.
  if (own && local && (!transfer.settled || local.state === "failed")) return sending(local, transfer);
  return told(own, transfer, down);
}

const WITH_PERSON = { person: ["resume", "cancel"], permission: ["resume", "cancel"], file: ["choose", "cancel"] };

function sending({ state, reason, sent, speed, eta }, transfer) {
  const acts = {
    waiting: ["pause", "cancel"],
    uploading: ["pause", "cancel"],
    // By itself it goes on in the other cases: there is nothing to resume.
    paused: WITH_PERSON[reason] ?? ["pause", "cancel"],
    hashing: ["cancel"],
    verifying: ["cancel"],
    ready: ["download"],
    failed: ["retry"],
  };
  const offset = Math.max(sent, transfer.offset);
  // The upload is told its file's id before the message is: what has no address yet is not here yet.
  if (state === "ready" && !transfer.id) state = "verifying";
  return { state, why: reason, offset, speed, eta, verified: transfer.verified, acts: acts[state] ?? [] };
}

function told(own, transfer, down) {
  const { state, offset, speed, eta, verified, active, reason } = transfer;
  const card = { state, why: reason, offset, speed: 0, eta: null, verified, acts: [] };
  // Without an id the server has never heard of it.
  if (state === "") return { ...card, state: "unknown", acts: transfer.id ? ["download"] : [] };
  if (state === "ready") return { ...card, acts: ["download"] };
  if (state === "verifying") return { ...card, acts: own ? ["cancel"] : ["download"] };
  if (state !== "open") return card;
  const acts = own ? ["cancel"] : ["download", "cancel"];
  if (down) return { ...card, state: "paused", why: "server", acts };
  if (active) return { ...card, state: "uploading", speed, eta, acts };
  if (!own && offset === 0) return { ...card, state: "waiting", why: "sender", acts };
  return { ...card, state: "paused", why: own ? "elsewhere" : "sender", acts };
}

/** Whole per cent of a file that are there; all of an empty one. */
export function percentOf(offset, size) {
  return size > 0 ? Math.min(100, Math.floor((offset / size) * 100)) : 100;
}
