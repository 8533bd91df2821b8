// What each actor was like in the last quarter of an hour, and how that is drawn. Pure: `now` is handed in, in ms.

const SECOND = 1_000;

export class Past {
  constructor() {
    this.span = 900 * SECOND;
    this.actors = new Map();
  }

  /** What the front has kept replaces what is known here: another front may have seen more, or less. */
  take(history, now) {
    this.span = history.span * SECOND;
    this.actors = new Map(
      Object.entries(history.actors).map(([name, samples]) => [
        name,
        samples.map(([age, state, depth, restarts]) => ({ at: now - age * SECOND, state, depth, restarts })),
      ]),
    );
  }

  /** One more sample of each actor; what is older than the span is dropped. */
  add(rows, now) {
    for (const { name, state, depth, restarts } of rows) {
      const samples = this.actors.get(name) ?? [];
      samples.push({ at: now, state, depth, restarts });
      while (samples[0].at < now - this.span) samples.shift();
      this.actors.set(name, samples);
    }
    for (const [name, samples] of this.actors) {
      if (samples.at(-1).at < now - this.span) this.actors.delete(name);
    }
  }

  of(name) {
    return this.actors.get(name) ?? [];
  }
}

/** The moments at which an actor had been restarted once more. */
export function restartsIn(samples) {
  const moments = [];
  for (let i = 1; i < samples.length; i += 1) {
    const more = (samples[i].restarts ?? 0) - (samples[i - 1].restarts ?? samples[i].restarts ?? 0);
    for (let n = 0; n < more; n += 1) moments.push(samples[i].at);
  }
  return moments;
}

const isUp = (state) => state === "running" || state === "degraded";

/** Stretches in which an actor was up, or was not: {from, to, up}. */
export function stretches(samples) {
  const found = [];
  for (const { at, state } of samples) {
    const last = found.at(-1);
    if (last) last.to = at;
    if (!last || last.up !== isUp(state)) found.push({ from: at, to: at, up: isUp(state) });
  }
  return found;
}

/** The path of the waiting mail in a box of `width` by `height`, closed along its foot; "" when nothing is known. */
export function depthPath(samples, { now, span, width, height, most }) {
  const x = (at) => round(width * (1 - (now - at) / span));
  const y = (depth) => round(height - (height * depth) / most);
  const parts = [];
  let last = null;
  for (const { at, depth } of samples) {
    if (depth === null || depth === undefined) {
      if (last !== null) parts.push(`V${height}Z`);
      last = null;
      continue;
    }
    // A mailbox holds what it holds until the next look: steps, not slopes.
    parts.push(last === null ? `M${x(at)} ${height}V${y(depth)}` : `H${x(at)}V${y(depth)}`);
    last = at;
  }
  if (last !== null) parts.push(`H${round(width)}V${height}Z`);
  return parts.join("");
}

export const deepest = (samples) => Math.max(0, ...samples.map((sample) => sample.depth ?? 0));

const round = (number) => Math.round(number * 10) / 10;
