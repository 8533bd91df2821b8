// Moments as people say them, by the browser's locale.

import { dayOf } from "./core/rows.js";
import { say } from "./words.js";

const time = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "short" });
const dayMonth = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const dayMonthYear = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
const longDay = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const longDayYear = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long", year: "numeric" });
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });

const DAY_MS = 86_400_000;

/** How many midnights lie between a moment and now. */
function daysAgo(at, now) {
  return Math.round((new Date(`${dayOf(now)}T12:00`) - new Date(`${dayOf(at)}T12:00`)) / DAY_MS);
}

export const timeOf = (at) => time.format(new Date(at));
export const wholeOf = (at) => whole.format(new Date(at));

/** For a row of the list: 14:02, Yesterday, Mon, 12 Mar. */
export function shortOf(at, now = new Date()) {
  const moment = new Date(at);
  const days = daysAgo(at, now);
  if (days <= 0) return time.format(moment);
  if (days === 1) return say("chat.yesterday");
  if (days < 7) return weekday.format(moment);
  return moment.getFullYear() === now.getFullYear() ? dayMonth.format(moment) : dayMonthYear.format(moment);
}

/** When somebody was last there: today and yesterday with the time, before that the day. */
export function lastSeen(at, now = new Date()) {
  const days = daysAgo(at, now);
  if (days <= 0) return say("presence.seen.today", { time: timeOf(at) });
  if (days === 1) return say("presence.seen.yesterday", { time: timeOf(at) });
  return say("presence.seen", { time: shortOf(at, now) });
}

/** For a separator between days: Today, Yesterday, Monday 12 March. */
export function dayLabel(at, now = new Date()) {
  const moment = new Date(at);
  const days = daysAgo(at, now);
  if (days === 0) return say("chat.today");
  if (days === 1) return say("chat.yesterday");
  return moment.getFullYear() === now.getFullYear() ? longDay.format(moment) : longDayYear.format(moment);
}
