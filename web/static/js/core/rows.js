// From messages to what a timeline shows: days, the unread divider, groups, and bubbles with their state. Pure.

const GROUP_MS = 5 * 60 * 1_000;

/** The local calendar day of a moment, as a key that sorts. */
export function dayOf(at) {
  const moment = new Date(at);
  const pad = (number) => String(number).padStart(2, "0");
  return `${moment.getFullYear()}-${pad(moment.getMonth() + 1)}-${pad(moment.getDate())}`;
}

/** Whether two neighbours belong to one group: same sender, same day, within five minutes. */
export function together(one, other) {
  return (
    one.sender === other.sender &&
    Math.abs(new Date(other.at) - new Date(one.at)) <= GROUP_MS &&
    dayOf(one.at) === dayOf(other.at)
  );
}

/** A stored message with those of my own changes laid over it that are not stored yet. */
export function overlaid(row, waiting, me) {
  let shown = row;
  for (const entry of waiting) {
    if (entry.message_id !== row.message_id || entry.state === "failed") continue;
    if (entry.kind === "edit") shown = { ...shown, body: entry.body, edited_at: entry.at, changing: true };
    if (entry.kind === "delete") shown = { ...shown, deleted: true, body: "", reactions: [], file: null, changing: true };
    if (entry.kind === "react") shown = { ...shown, reactions: reacted(shown.reactions ?? [], entry, me) };
  }
  return shown;
}

function reacted(reactions, { emoji, on }, me) {
  const others = reactions.map((one) =>
    one.emoji === emoji ? { emoji, users: one.users.filter((user) => user !== me) } : one,
  );
  if (on) {
    const same = others.find((one) => one.emoji === emoji);
    if (same) same.users = [...same.users, me];
    else others.push({ emoji, users: [me] });
  }
  return others.filter((one) => one.users.length > 0);
}

/** What is shown of an entry of the outbox: that it waits, whatever for. */
export const waitingAs = ({ state }) => (state === "held" ? "queued" : state);

/** A message that is still in the outbox, in the shape of a stored one. */
export function pendingRow(entry, me) {
  return {
    conversation: entry.conversation,
    client_id: entry.client_id,
    sender: me,
    at: entry.at,
    body: entry.body,
    reply_to: entry.reply_to ?? null,
    file: entry.file ?? null,
    pending: waitingAs(entry),
    reason: entry.reason ?? "",
  };
}

/** By which a message of mine is known, stored or not. */
export const ownKey = (clientId) => `own-${clientId}`;

/**
 * What to show, in order: {kind: "day", key, at}, {kind: "divider", count} and {kind: "message", key, row, own, first,
 * last, fate}. A message's key stays the same when it is stored, so that its node is kept.
 */
export function rowsOf({ messages, pending, me, fate, divider, unread }) {
  const rows = [];
  const all = [...messages, ...pending];
  let before = null;
  let day = "";
  for (const [index, row] of all.entries()) {
    const next = all[index + 1] ?? null;
    // Days only go on. What waits or has failed since yesterday stands below what was stored today, and clocks differ: a
    // day that came again would take the place of the first one, and the messages of that would be gone.
    if (dayOf(row.at) > day) {
      day = dayOf(row.at);
      rows.push({ kind: "day", key: `day-${day}`, at: row.at });
    }
    const split = divider !== 0 && row.seq === divider;
    if (split) rows.push({ kind: "divider", key: "divider", count: unread });
    const parted = next && divider !== 0 && next.seq === divider;
    const own = row.sender === me;
    rows.push({
      kind: "message",
      key: own ? ownKey(row.client_id) : `seq-${row.seq}`,
      row,
      own,
      first: !before || split || !together(before, row),
      last: !next || parted || !together(row, next),
      fate: !own ? "" : row.pending ?? fate(row.seq),
    });
    before = row;
  }
  return rows;
}
