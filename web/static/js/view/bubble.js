// One message on the page. Its node is made once and kept, and of what it holds each part is made anew only when that has
// changed: a click is lost when what was pressed is another element by the time the button is let go.

import { linked, onlyEmoji } from "../core/text.js";
import { timeOf, wholeOf } from "../dates.js";
import { summaryOf } from "../summary.js";
import { say } from "../words.js";
import { arrange, avatar, button, h, icon, keepFocus, nameOf, tool } from "./dom.js";
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
  node.stack = h("div.stack");
  node.bubble = h("div.bubble");
  node.chips = h("div.chips");
  node.parts = new Map();
  node.reactions = new Map();
  return node;
}

/** What `make` builds of `facts`, which is kept while they stay the same. */
function part(node, name, facts, make) {
  const key = JSON.stringify(facts);
  const known = node.parts.get(name);
  if (known?.key === key) return known.element;
  const element = make();
  node.parts.set(name, { key, element });
  return element;
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
  const face = !own && last ? part(node, "face", context.peer, () => avatar(context.peer, ".small")) : null;
  keepFocus(
    node,
    () => {
      drawStack(node, row, quoted, context);
      arrange(node, [face, node.stack, acts].filter(Boolean));
    },
    () => node,
  );
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
  const same = known?.clientId === row.client_id && (!known.file.id || known.file.id === file.id);
  const card = same ? known : new FileCard({ clientId: row.client_id, own, files, actions: actions.file });
  card.take(file, fate === "failed");
  return card;
}

function drawStack(node, row, quoted, context) {
  const message = row.row;
  const { bubble, card } = node;
  bubble.className = ["bubble", isLarge(message) && "emoji", card && `with-file of-${card.kind}`].filter(Boolean).join(" ");
  bubble.title = wholeOf(message.at);
  const inside = [
    message.reply_to && !message.deleted && quote(node, message, quoted, context),
    card?.element,
    (message.body || !card) && body(node, message),
    meta(node, row),
  ];
  arrange(bubble, inside.filter(Boolean));
  if (card?.media?.width) bubble.style.setProperty("--box", `${card.media.width}px`);
  else bubble.style.removeProperty("--box");
  const below = [drawChips(node, message, context), row.fate === "failed" && failure(node, message, context)];
  arrange(node.stack, [bubble, ...below].filter(Boolean));
}

function isLarge(message) {
  return !message.deleted && !message.reply_to && !message.file && onlyEmoji(message.body);
}

function body(node, { body: text, deleted }) {
  return part(node, "body", [text, deleted], () => h("span.body", { dir: "auto" }, ...(deleted ? [say("message.deleted")] : words(text))));
}

function words(body) {
  return linked(body).map(({ text, href }) =>
    href ? h("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" }, text) : text,
  );
}

function meta(node, { row: { at, edited_at: edited, deleted }, own, fate }) {
  return part(node, "meta", [at, edited, deleted, own, fate], () =>
    h(
      "span.meta",
      {},
      edited && !deleted && h("span.edited", { title: wholeOf(edited) }, say("message.edited")),
      h("time", { datetime: at }, timeOf(at)),
      own && !deleted && ticks(fate, at, timeOf),
    ),
  );
}

function quote(node, { reply_to: id }, quoted, context) {
  const name = !quoted ? "" : quoted.sender === context.me ? say("message.you") : nameOf(context.peer);
  const text = !quoted ? say("message.quoteFar") : quoted.deleted ? say("message.deleted") : summaryOf(quoted);
  return part(node, "quote", [id, name, text], () =>
    h(
      "button.quote",
      { type: "button", on: { click: () => context.actions.jump(id) } },
      name && h("b", {}, name),
      h("span", { dir: "auto" }, text),
    ),
  );
}

function drawChips(node, { reactions, deleted }, context) {
  if (!reactions?.length || deleted) return null;
  arrange(node.chips, reactions.map((one) => chip(node, one, context)));
  return node.chips;
}

function chip(node, { emoji, users }, { me, actions }) {
  const known = node.reactions.get(emoji) ?? newChip(node, emoji, actions);
  node.reactions.set(emoji, known);
  const label = say("message.reaction", { emoji, n: users.length });
  const mine = String(users.includes(me));
  for (const [name, value] of Object.entries({ "aria-pressed": mine, "aria-label": label, title: label })) known.setAttribute(name, value);
  known.count.hidden = users.length < 2;
  known.count.textContent = users.length < 2 ? "" : String(users.length);
  return known;
}

function newChip(node, emoji, actions) {
  const click = () => actions.react(node.row.row, emoji, made.getAttribute("aria-pressed") === "false");
  const count = h("span");
  const made = h("button.chip", { type: "button", "data-key": emoji, on: { click } }, h("span.chip-face", {}, emoji, count));
  made.count = count;
  return made;
}

function failure(node, { client_id: id, reason, body: text }, { actions }) {
  return part(node, "failure", [id, reason, text], () =>
    h(
      "div.failure",
      { role: "alert" },
      h("p", {}, icon("alert"), say("message.failed", { reason })),
      button(say("message.retry"), () => actions.retry(id), ".quiet"),
      button(say("message.discard"), () => actions.discard(id), ".quiet"),
      button(say("message.copyShort"), () => actions.copy(text), ".quiet"),
    ),
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
