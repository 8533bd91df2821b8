// How long to wait before the next attempt to connect. Pure: randomness is handed in.

const BASE_MS = 500;
const CAP_MS = 30_000;

/** Full jitter: anything up to 0.5 s doubled per failed attempt, at most 30 s; never so short that it spins. */
export function reconnectDelay(attempt, random) {
  const ceiling = Math.min(CAP_MS, BASE_MS * 2 ** Math.min(attempt, 10));
  return Math.max(50, random * ceiling);
}

/** What a close code asks for: "verify" the session first, come back "soon", "slow"ly, or the "usual" way. */
export function afterClose(code) {
  if (code === 4001) return "verify";
  if (code === 1012 || code === 1013) return "soon";
  if (code === 1008 || code === 1009 || code === 4008) return "slow";
  return "usual";
}

/** Milliseconds to wait after the socket closed with `code` and `attempt` attempts failed in a row. */
export function closeDelay(code, attempt, random) {
  const usual = reconnectDelay(attempt, random);
  const kind = afterClose(code);
  if (kind === "slow") return Math.max(2_000, usual);
  if (kind === "soon" && attempt === 0) return random * 1_000;
  return usual;
}
