// Numbers as people read them. Pure.

const MINUTE = 60;
const HOUR = 3_600;
const DAY = 86_400;
const MIB = 2 ** 20;
const GIB = 2 ** 30;

const two = (number) => String(number).padStart(2, "0");

/** A duration in seconds in its two largest units: 42s, 3m07s, 5h12m, 2d03h. */
export function span(seconds) {
  const whole = Math.floor(seconds);
  if (whole < MINUTE) return `${whole}s`;
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)}m${two(whole % MINUTE)}s`;
  if (whole < DAY) return `${Math.floor(whole / HOUR)}h${two(Math.floor((whole % HOUR) / MINUTE))}m`;
  return `${Math.floor(whole / DAY)}d${two(Math.floor((whole % DAY) / HOUR))}h`;
}

/** Bytes in MiB, and in GiB from one on. */
export function size(bytes) {
  return bytes < GIB ? `${Math.round(bytes / MIB)} MiB` : `${(bytes / GIB).toFixed(1)} GiB`;
}

/** The sum of what is known, or null when nothing is. */
export function sum(values) {
  const known = values.filter((value) => value !== null && value !== undefined);
  return known.length === 0 ? null : known.reduce((total, value) => total + value, 0);
}
