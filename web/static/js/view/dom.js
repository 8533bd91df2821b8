// Building elements. Text always goes in as text: there is no way from here to markup.

import { hueOf, initials } from "../core/text.js";

const SVG = "http://www.w3.org/2000/svg";
const ICONS = new URL("../../icons.svg", import.meta.url).pathname;
const HUES = 6;

/** h("button.tool", {type: "button", on: {click}}, children): attributes, listeners, children (strings are text). */
export function h(what, attributes = {}, ...children) {
  const [name, ...classes] = what.split(".");
  const element = document.createElement(name);
  if (classes.length > 0) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `${ICONS}#${name}`);
  svg.append(use);
  return svg;
}

/** A round button with an icon only; its label is its name. */
export function tool(name, label, click, more = "") {
  return h(`button.tool${more}`, { type: "button", "aria-label": label, title: label, on: { click } }, icon(name));
}

/** The small mark of a count, "" for none. */
export function badge(count, attributes = {}) {
  return count > 0 ? h("span.badge", attributes, count > 99 ? "99+" : String(count)) : null;
}

export function button(text, click, kind = "") {
  return h(`button.button${kind}`, { type: "button", on: { click } }, text);
}

export function nameOf(user) {
  return user.display_name || user.username;
}

export function avatar(user, size = "") {
  const name = user.deleted ? "" : nameOf(user);
  const attributes = { "aria-hidden": "true", "data-hue": user.deleted ? null : hueOf(user.id, HUES) };
  return h(`span.avatar${size}${user.deleted ? ".gone" : ""}`, attributes, user.deleted ? "–" : initials(name));
}

export function emptyState({ title, hint, actions = [], mark = true, heading = "h2" }) {
  return h(
    "div.empty",
    {},
    mark && h("img", { src: new URL("../../mark.svg", import.meta.url).pathname, alt: "", width: 72, height: 72 }),
    h(heading, {}, title),
    hint && h("p", {}, hint),
    actions.length > 0 && h("div.actions", {}, actions),
  );
}

/** What an element is to a person: with `data-key` the same thing under another name. */
const sameThing = (one, other) => one.className === other.className && keyOf(one) === keyOf(other);
const keyOf = (one) => one.dataset.key ?? one.getAttribute("aria-label") ?? one.textContent;

/**
 * `draw` may replace what `parent` holds. Whoever had the focus in there keeps it: the element itself where it is still on
 * the page, else the one that stands for it now, else what `rest` returns.
 */
export function keepFocus(parent, draw, rest = () => null) {
  const before = parent.contains(document.activeElement) ? document.activeElement : null;
  draw();
  if (!before || parent.contains(document.activeElement)) return;
  const now = before.isConnected ? before : [...parent.querySelectorAll(before.tagName)].find((one) => sameThing(one, before));
  (now ?? rest())?.focus({ preventScroll: true });
}

/** Replaces what `parent` holds, leaving children that stay where they are untouched; the focus stays where it is. */
export function arrange(parent, children) {
  keepFocus(parent, () => replace(parent, children));
}

function replace(parent, children) {
  // First what goes: what stays would be moved past it, and whoever is pressing it would lose the click.
  const staying = new Set(children);
  for (const child of [...parent.childNodes]) if (!staying.has(child)) child.remove();
  let place = parent.firstChild;
  for (const child of children) {
    if (child === place) place = place.nextSibling;
    else parent.insertBefore(child, place);
  }
}
