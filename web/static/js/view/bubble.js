// One message on the page. Its node is made once and kept; what it holds is drawn again when the message changes.

import { linked, onlyEmoji } from "../core/text.js";
import { timeOf, wholeOf } from "../dates.js";
import { summaryOf } from "../summary.js";
import { say } from "../words.js";
import { avatar, button, h, icon, keepFocus, nameOf, tool } from "./dom.js";
import { FileCard } from "./file_card.js";
import { ticks } from "./list.js";

const LATE_MS = 10_000;

/** An empty node for a message; `actions.menu(node, anchor)` opens its menu. */
export function bubbleNode(actions) {
  const node = h("article.msg", { tabindex: "-1" });
  const more = tool("more", say("message.actions"), () => actions.menu(node, more), ".more");
  more.setAttribute("aria-haspopup", "menu");
  more.setAttribute("aria-expanded", "false");
  more.tabIndex = -1;
  node.more = more;
  return node;
}

/** Draws `row` (of rowsOf) into its node, unless nothing about it changed. */
export function drawBubble(node, row, context) {
  const quoted = row.row.reply_to ? context.quote(row.row.reply_to) : null;
  const signature = JSON.stringify([row, quoted, context.peer]);
  if (node.signature === signature) return;
  node.signature = signature;
  node.row = row;
  const { own, first, last, fate } = row;
  node.className = ["msg", own ? "own" : "other", first && "first", last && "last", row.row.deleted && "deleted"]
    .concat(node.classList.contains("arriving") ? "arriving" : [])
    .filter(Boolean)
    .join(" ");
  setData(node, { seq: row.row.seq, clientId: row.row.client_id, state: fate || null });
  node.setAttribute("aria-label", own ? say("message.you") : nameOf(context.peer));
  node.card = cardFor(node, row, context);
  const acts = row.row.pending || row.row.deleted ? null : node.more;
  const inside = [!own && last ? avatar(context.peer, ".small") : null, stack(node, row, quoted, context), acts];
  keepFocus(node, () => node.replaceChildren(...inside.filter(Boolean)), () => node);
  watchLateness(node, row);
}

function setData(node, values) {
  for (const [key, value] of Object.entries(values)) {
    if (value === null || value === undefined) delete node.dataset[key];
    else node.dataset[key] = value;
  }
}

/** The card of a message's file, kept as long as it has one. */
function cardFor(node, { row, own, fate }, { files, actions }) {
  const { file } = row;
  if (!file || row.deleted) return null;
  const known = node.card;
  const same = known && (!known.file.id || known.file.id === file.id);
  const card = same ? known : new FileCard({ clientId: row.client_id, own, files, actions: actions.file });
  card.take(file, fate === "failed");
  return card;
}

function stack(node, row, quoted, context) {
  const message = row.row;
  const { card } = node;
  const bubble = h(
    `div.bubble${isLarge(message) ? ".emoji" : ""}${card ? `.with-file.of-${card.kind}` : ""}`,
    { title: wholeOf(message.at) },
    message.reply_to && !message.deleted && quote(message, quoted, context),
    card?.element,
    (message.body || !card) && h("span.body", { dir: "auto" }, ...body(message)),
    meta(row),
  );
  if (card?.media?.width) bubble.style.setProperty("--box", `${card.media.width}px`);
  return h(
    "div.stack",
    {},
    bubble,
    chips(message, context),
    row.fate === "failed" && failure(message, context),
  );
}

function isLarge(message) {
  return !message.deleted && !message.reply_to && !message.file && onlyEmoji(message.body);
}

function body(message) {
  if (message.deleted) return [say("message.deleted")];
  return linked(message.body).map(({ text, href }) =>
    href ? h("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" }, text) : text,
  );
}

function meta({ row, own, fate }) {
  return h(
    "span.meta",
    {},
    row.edited_at && !row.deleted && h("span.edited", { title: wholeOf(row.edited_at) }, say("message.edited")),
    h("time", { datetime: row.at }, timeOf(row.at)),
    own && !row.deleted && ticks(fate, row.at, timeOf),
  );
}

function quote(message, quoted, context) {
  const name = !quoted ? "" : quoted.sender === context.me ? say("message.you") : nameOf(context.peer);
  const text = !quoted ? say("message.quoteFar") : quoted.deleted ? say("message.deleted") : summaryOf(quoted);
  return h(
    "button.quote",
    { type: "button", on: { click: () => context.actions.jump(message.reply_to) } },
    name && h("b", {}, name),
    h("span", { dir: "auto" }, text),
  );
}

function chips(message, context) {
  if (!message.reactions?.length || message.deleted) return null;
  return h(
    "div.chips",
    {},
    message.reactions.map(({ emoji, users }) => {
      const mine = users.includes(context.me);
      const label = say("message.reaction", { emoji, n: users.length });
      const attributes = { type: "button", "data-key": emoji, "aria-pressed": String(mine), "aria-label": label, title: label };
      const click = () => context.actions.react(message, emoji, !mine);
      return h(
        "button.chip",
        { ...attributes, on: { click } },
        h("span.chip-face", {}, emoji, users.length > 1 && h("span", {}, String(users.length))),
      );
    }),
  );
}

function failure(message, { actions }) {
  return h(
    "div.failure",
    { role: "alert" },
    h("p", {}, icon("alert"), say("message.failed", { reason: message.reason })),
    button(say("message.retry"), () => actions.retry(message.client_id), ".quiet"),
    button(say("message.discard"), () => actions.discard(message.client_id), ".quiet"),
    button(say("message.copyShort"), () => actions.copy(message.body), ".quiet"),
  );
}

/** After ten seconds without an answer the bubble says what it waits for; of a file its card does. */
function watchLateness(node, { row, fate }) {
  clearTimeout(node.lateTimer);
  if (row.file) return;
  if (fate !== "queued" && fate !== "sent") return;
  const age = Date.now() - new Date(row.at);
  node.lateTimer = setTimeout(() => {
    if (node.querySelector(".late-note")) return;
    node.querySelector(".stack").append(h("span.late-note", {}, say("message.waiting")));
  }, Math.max(0, LATE_MS - age));
}
