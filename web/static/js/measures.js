// Sizes, speeds and times to go as people say them, by the browser's locale. What belongs together is not broken up.

import { say } from "./words.js";

const UNITS = ["kilobyte", "megabyte", "gigabyte", "terabyte"];
const formats = new Map();

function measured(value, unit) {
  const digits = value < 9.95 ? 1 : 0;
  const key = `${unit} ${digits}`;
  if (!formats.has(key)) {
    formats.set(key, new Intl.NumberFormat(undefined, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: digits }));
  }
  return unbroken(formats.get(key).format(value));
}

const unbroken = (text) => text.replaceAll(" ", "\u00A0");

/** 1 kB is 1,000 bytes. `suffix` of the unit: "-per-second" for a speed. */
function bytes(count, suffix = "") {
  let value = count / 1_000;
  let step = 0;
  while (value >= 999.5 && step < UNITS.length - 1) {
    value /= 1_000;
    step += 1;
  }
  return measured(value, UNITS[step] + suffix);
}

export const sizeOf = (count) => (count < 1_000 ? unbroken(say("file.bytes", { n: count })) : bytes(count));
export const speedOf = (perSecond) => bytes(perSecond, "-per-second");

/** "12 s left", "3 min left", "2 h left", from seconds; rounded up. */
export function timeLeft(seconds) {
  const [unit, length] = seconds <= 59 ? ["seconds", 1] : seconds <= 59 * 60 ? ["minutes", 60] : ["hours", 3_600];
  return unbroken(say(`file.left.${unit}`, { n: Math.max(1, Math.ceil(seconds / length)) }));
}
