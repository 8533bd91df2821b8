// Sizes, speeds and times to go as people say them, by the browser's locale.

import { say } from "./words.js";

const STEPS = ["kilobyte", "megabyte", "gigabyte", "terabyte"];
const format = (unit, digits = 0) =>
  new Intl.NumberFormat(undefined, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: digits });
const numbers = new Map();

function measured(value, unit) {
  const digits = value < 10 ? 1 : 0;
  const key = `${unit} ${digits}`;
  if (!numbers.has(key)) numbers.set(key, format(unit, digits));
  return numbers.get(key).format(value);
}

/** 1 kB is 1,000 bytes. `suffix` of the unit: "-per-second" for a speed. */
function bytes(count, suffix = "") {
  let value = count / 1_000;
  let step = 0;
  while (value >= 999.5 && step < STEPS.length - 1) {
    value /= 1_000;
    step += 1;
  }
  return measured(value, STEPS[step] + suffix);
}

export const sizeOf = (count) => (count < 1_000 ? say("file.bytes", { n: count }) : bytes(count));
export const speedOf = (perSecond) => bytes(perSecond, "-per-second");

/** Seconds as "12 sec", "3 min" or "1.5 hr". */
export function timeLeft(seconds) {
  if (seconds < 60) return measured(Math.max(1, Math.ceil(seconds)), "second");
  if (seconds < 3_600) return measured(Math.ceil(seconds / 60), "minute");
  return measured(seconds / 3_600, "hour");
}
