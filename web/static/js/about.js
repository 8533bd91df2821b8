// What a notice says, and where it leads.

import { deviceOf } from "./core/text.js";
import { summaryOf } from "./summary.js";
import { say } from "./words.js";
import { nameOf } from "./view/dom.js";

/** A person by id, as far as this page knows them. */
export function personOf(id, store) {
  for (const map of [store.contacts, store.incoming, store.outgoing, store.blocked]) {
    const known = map.get(id)?.user;
    if (known) return known;
  }
  for (const one of store.conversations.values()) if (one.peer.id === id) return one.peer;
  return null;
}

function conversationWith(id, store) {
  for (const one of store.conversations.values()) if (one.peer.id === id) return one;
  return null;
}

/** The place of the message that brings a file, as far as this page has loaded it. */
function whereFile({ file }, conversation) {
  for (const row of conversation?.log?.rows.values() ?? []) if (row.file?.id === file) return { seq: row.seq, glyph: "file" };
  return { glyph: "file" };
}

/** {title, text, path, seq, glyph, user}: `seq` is the first message that it is about, or 0. */
export function aboutNotice(notice, store) {
  const user = notice.user ? personOf(notice.user, store) : null;
  const name = user ? nameOf(user) : say("notice.somebody");
  const one = notice.conversation ? store.get(notice.conversation) : conversationWith(notice.user, store);
  const chat = one ? `/chat/${one.id}` : "/chat";
  const base = { title: name, user, path: chat, seq: 0, glyph: "bell" };
  if (notice.kind === "messages") {
    const n = Math.max(1, notice.to_seq - notice.from_seq + 1);
    return { ...base, text: say("notice.messages", { n }), seq: notice.from_seq, glyph: "chat" };
  }
  if (notice.kind === "request") return { ...base, text: say("notice.request"), path: "/contacts", glyph: "knock" };
  if (notice.kind === "accepted") return { ...base, text: say("notice.accepted"), glyph: "people" };
  if (notice.kind === "sign_in") {
    const device = [notice.agent && deviceOf(notice.agent), notice.address].filter(Boolean).join(" · ");
    return { ...base, title: say("notice.signIn"), text: device, path: "/settings", glyph: "device", user: null };
  }
  if (notice.kind === "file_ready" || notice.kind === "file_failed") return { ...base, text: say(`notice.${notice.kind}`), ...whereFile(notice, one) };
  if (notice.kind === "test") return { ...base, title: say("notice.test"), text: say("notice.test.text"), path: "/settings", user: null };
  // A kind that is younger than this page.
  return { ...base, title: user ? name : say("notice.other"), text: user ? say("notice.other") : "" };
}

/** The newest message that a notice is about, where it is at hand; else "". */
export function previewOf(notice, store) {
  if (notice.kind !== "messages") return "";
  const one = store.get(notice.conversation);
  const last = [one?.log?.rows.get(notice.to_seq), one?.last].find(
    (row) => row && !row.deleted && row.sender === notice.user && row.seq >= notice.from_seq,
  );
  return last ? summaryOf(last) : "";
}
