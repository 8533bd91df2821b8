// How a contact is, in words and as a dot; and the choices of a mute.

import { lastSeen } from "../dates.js";
import { say } from "../words.js";
import { h } from "./dom.js";

const HOUR = 3_600;
const MUTES = [
  ["mute.hour", { seconds: HOUR }],
  ["mute.eight", { seconds: 8 * HOUR }],
  ["mute.always", { forever: true }],
];

const known = (conversation) => conversation.relation === "contact" && !conversation.peer.deleted;

/** "online", "away", "offline", or "" where nothing is known or nothing is to be known. */
export function stateOf(conversation, store) {
  return known(conversation) ? (store.presence.of(conversation.peer.id)?.state ?? "") : "";
}

export function isTyping(conversation, store) {
  return known(conversation) && store.presence.isTyping(conversation.id);
}

/** The state in words, for the head of a conversation. */
export function statusOf(conversation, store, now = new Date()) {
  const state = isTyping(conversation, store) ? "typing" : stateOf(conversation, store);
  const seen = store.presence.of(conversation.peer.id)?.lastSeen;
  if (state === "offline" && seen) return { state, words: lastSeen(seen, now) };
  return { state, words: state && say(`presence.${state}`) };
}

/** The dot beside an avatar; only those who are there have one. */
export function dot(state) {
  if (state !== "online" && state !== "away") return null;
  const label = say(`presence.${state}`);
  return h("span.dot", { "data-presence": state, role: "img", "aria-label": label, title: label });
}

/** Menu items that mute somebody or end that; `mute(how)` carries it out. */
export function muteItems(muted, mute) {
  if (muted) return [{ label: say("mute.end"), icon: "bell", act: () => mute(null) }];
  return MUTES.map(([words, how]) => ({ label: say(words), icon: "mute", act: () => mute(how) }));
}
