// How fast something goes, and how long it will still take. Pure: times in ms are handed in.

const WINDOW_MS = 5_000;
const LEAST_MS = 400;
const GAP_MS = 100;

/** Speed over the last seconds, from how far it was when. */
export class Meter {
  constructor() {
    this.samples = [];
  }

  /** `bytes` so far. Going back, or a pause longer than the window, begins the measure anew. */
  sample(now, bytes) {
    const last = this.samples.at(-1);
    if (last && (bytes < last.bytes || now - last.at > WINDOW_MS)) this.samples = [];
    // Samples closer together than GAP_MS move the last one on, so that their number stays small.
    const before = this.samples.at(-2);
    if (this.samples.length > 1 && now - before.at < GAP_MS) this.samples.pop();
    this.samples.push({ at: now, bytes });
    while (this.samples.length > 2 && now - this.samples[1].at > WINDOW_MS) this.samples.shift();
  }

  stop() {
    this.samples = [];
  }

  /** Bytes a second; 0 while nobody can tell. */
  get speed() {
    const [first] = this.samples;
    const last = this.samples.at(-1);
    if (!first || last.at - first.at < LEAST_MS) return 0;
    return ((last.bytes - first.bytes) * 1_000) / (last.at - first.at);
  }

  /** Seconds for `left` bytes more; null while nobody can tell. */
  eta(left) {
    const { speed } = this;
    return speed > 0 ? left / speed : null;
  }
}
