// What lies over the page: menus, dialogs, and short notes.

import { say } from "../words.js";
import { button, h, icon } from "./dom.js";

const TOAST_MS = 4_000;

export function toast(text) {
  const note = h("p.toast", {}, text);
  document.getElementById("toasts").append(note);
  setTimeout(() => note.remove(), TOAST_MS);
}

/** A sentence for an error of the API, or for no answer at all. */
export function reasonOf(error) {
  if (!error?.code) return say("error.unreachable");
  return Object.values(error.fields ?? {})[0] || error.message || say("error.generic");
}

/**
 * A menu at `anchor` (an element, or a {x, y}). `items`: {label, icon, act, danger}. `head` stands above them. Focus
 * goes to the first item and back to where it was.
 */
export function openMenu({ anchor, items, head = null, label }) {
  const before = document.activeElement;
  const menu = h("div.menu", { popover: "auto", role: "menu", "aria-label": label });
  const choose = (act) => () => {
    menu.hidePopover();
    act();
  };
  const buttons = items.map((item) =>
    h(
      `button.menu-item${item.danger ? ".danger" : ""}`,
      { type: "button", role: "menuitem", on: { click: choose(item.act) } },
      icon(item.icon),
      item.label,
    ),
  );
  if (head) menu.append(head(() => menu.hidePopover()));
  menu.append(...buttons);
  menu.addEventListener("keydown", (event) => walk(event, menu));
  menu.addEventListener("toggle", (event) => {
    if (event.newState !== "closed") return;
    if (anchor instanceof Element) anchor.setAttribute("aria-expanded", "false");
    if (menu.contains(document.activeElement) || document.activeElement === document.body) before?.focus();
    menu.remove();
  });
  document.body.append(menu);
  if (anchor instanceof Element) anchor.setAttribute("aria-expanded", "true");
  menu.showPopover();
  place(menu, anchor);
  menu.querySelector("button")?.focus({ focusVisible: false });
}

function walk(event, menu) {
  const steps = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };
  const step = steps[event.key];
  if (!step) return;
  event.preventDefault();
  const all = [...menu.querySelectorAll("button")];
  const at = all.indexOf(document.activeElement);
  all[(at + step + all.length) % all.length].focus();
}

function place(menu, anchor) {
  const box = anchor instanceof Element ? anchor.getBoundingClientRect() : new DOMRect(anchor.x, anchor.y, 0, 0);
  const { offsetWidth: width, offsetHeight: height } = menu;
  const left = box.left + width + 8 > innerWidth ? box.right - width : box.left;
  const below = box.bottom + 4;
  const top = below + height + 8 > innerHeight ? box.top - height - 4 : below;
  menu.style.left = `${Math.max(8, Math.min(left, innerWidth - width - 8))}px`;
  menu.style.top = `${Math.max(8, Math.min(top, innerHeight - height - 8))}px`;
}

/** What lies over the page is about what the page shows, and goes with it. */
export function closeOverlays() {
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  for (const menu of document.querySelectorAll("[popover]")) menu.hidePopover?.();
}

/**
 * Asks before something that cannot be undone. `field` asks for a text too (a password). Resolves with the text, or
 * true without a field, or null when cancelled.
 */
export function confirmDialog({ title, hint, action, danger = false, field = null }) {
  return new Promise((resolve) => {
    let outcome = null;
    const input = field && h("input.input", { type: field.type, autocomplete: field.autocomplete, required: true });
    const dialog = h("dialog.dialog", { "aria-labelledby": "dialog-title" });
    const submit = (event) => {
      event.preventDefault();
      outcome = input ? input.value : true;
      dialog.close();
    };
    const form = h(
      "form",
      { on: { submit } },
      h("h2", { id: "dialog-title" }, title),
      hint && h("p", {}, hint),
      input && h("label.field", {}, h("span.label", {}, field.label), input),
      h(
        "div.actions",
        {},
        button(say("dialog.cancel"), () => dialog.close()),
        h(`button.button.primary${danger ? ".danger" : ""}`, { type: "submit" }, action),
      ),
    );
    dialog.append(form);
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(outcome);
    });
    document.body.append(dialog);
    dialog.showModal();
    (input ?? form.querySelector("[type=submit]")).focus();
  });
}
