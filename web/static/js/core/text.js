// Small questions about text. Pure.

const LINK = /\bhttps?:\/\/[^\s<>"]+/g;
const TRAILING = /[.,;:!?'")\]}]+$/;

/** Splits a body into {text} and {text, href}: links are http and https only, without the sentence's full stop. */
export function linked(body) {
  const parts = [];
  let done = 0;
  for (const match of body.matchAll(LINK)) {
    let href = match[0];
    const tail = TRAILING.exec(href)?.[0] ?? "";
    if (tail.startsWith(")") && href.includes("(")) href = href.slice(0, href.length - tail.length + 1);
    else href = href.slice(0, href.length - tail.length);
    if (!URL.canParse(href)) continue;
    if (match.index > done) parts.push({ text: body.slice(done, match.index) });
    parts.push({ text: href, href });
    done = match.index + href.length;
  }
  if (done < body.length) parts.push({ text: body.slice(done) });
  return parts;
}

/** Whether a body is nothing but a few emoji: those are shown large. */
export function onlyEmoji(body) {
  return body.length <= 24 && /^(?:\p{Extended_Pictographic}|\p{Emoji_Component}|\s)+$/u.test(body) && !/\d/.test(body);
}

/** The first line worth showing, bounded. */
export function preview(body, most = 140) {
  const line = body.trim().replace(/\s+/g, " ");
  return line.length > most ? `${line.slice(0, most - 1)}…` : line;
}

/** Up to two letters to stand for a person. */
export function initials(name) {
  const words = name.trim().split(/\s+/).filter(Boolean);
  const letters = words.length > 1 ? [words[0], words.at(-1)] : words;
  return letters.map((word) => [...word][0].toLocaleUpperCase()).join("") || "?";
}

/** One of `count` hues, the same for the same id everywhere. */
export function hueOf(id, count) {
  let sum = 2_166_136_261;
  for (const letter of id) sum = Math.imul(sum ^ letter.codePointAt(0), 16_777_619);
  return ((sum ^ (sum >>> 15)) >>> 0) % count;
}

/** How the server counts: characters, not UTF-16 units. */
export function lengthOf(body) {
  let count = 0;
  for (const _ of body) count += 1;
  return count;
}

/** Case and accents do not matter when looking for a name. */
export function folded(text) {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLocaleLowerCase();
}

/** "Firefox on Linux" from a user agent's long line; an unknown one is shown as it is, shortened. */
export function deviceOf(agent) {
  const browsers = [
    [/Edg\//, "Edge"],
    [/OPR\//, "Opera"],
    [/Firefox\//, "Firefox"],
    [/Chrom(e|ium)\//, "Chrome"],
    [/Safari\//, "Safari"],
  ];
  const systems = [
    [/Android/, "Android"],
    [/iPhone|iPad/, "iOS"],
    [/Windows/, "Windows"],
    [/Mac OS X/, "macOS"],
    [/Linux/, "Linux"],
  ];
  const browser = browsers.find(([pattern]) => pattern.test(agent))?.[1];
  const system = systems.find(([pattern]) => pattern.test(agent))?.[1];
  return [browser, system].filter(Boolean).join(", ") || agent.slice(0, 40) || "?";
}
