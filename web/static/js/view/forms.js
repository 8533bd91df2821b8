// Parts that forms and pages of settings are made of.

import { say } from "../words.js";
import { h } from "./dom.js";
import { reasonOf } from "./overlay.js";

export function section(title, ...inside) {
  return h("section.section", { "data-section": title }, h("h2", {}, say(title)), ...inside);
}

/** A small form whose outcome stands beside its button. */
export function form(fields, label, send) {
  const outcome = h("span.hint", { role: "status" });
  const submit = h("button.button.primary", { type: "submit" }, label);
  const act = async (event) => {
    event.preventDefault();
    submit.disabled = true;
    outcome.className = "hint";
    outcome.textContent = "";
    try {
      outcome.textContent = await send();
    } catch (error) {
      outcome.className = "wrong";
      outcome.textContent = reasonOf(error);
    }
    submit.disabled = false;
  };
  return h("form.form", { on: { submit: act } }, ...fields, h("div.form-end", {}, submit, outcome));
}

/** One of a few, as buttons in a row. */
export function choices(label, options, chosen, choose, hint = "") {
  const group = h("div.choices", { role: "radiogroup", "aria-label": label });
  const buttons = options.map(([value, text]) =>
    h("button.choice", { type: "button", role: "radio", "aria-checked": String(value === chosen), "data-value": value }, text),
  );
  const pick = (at) => {
    for (const [index, one] of buttons.entries()) {
      one.setAttribute("aria-checked", String(index === at));
      one.tabIndex = index === at ? 0 : -1;
    }
  };
  for (const [at, one] of buttons.entries()) {
    one.addEventListener("click", () => {
      pick(at);
      choose(one.dataset.value);
    });
    one.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const next = buttons[(at + step + buttons.length) % buttons.length];
      next.click();
      next.focus();
    });
  }
  pick(Math.max(0, options.findIndex(([value]) => value === chosen)));
  group.append(...buttons);
  return h("div.field", {}, h("span.label", {}, label), group, hint && h("p.hint", {}, hint));
}

/**
 * A line with something to switch on or off. `flip(on)` carries it out and may fail; until it is done the switch shows
 * what was chosen. `set(on)` of what is returned shows what holds, null for not known.
 */
export function toggle(label, hint, flip) {
  const button = h("button.switch", { type: "button", role: "switch", "aria-checked": "false", "aria-label": label, disabled: true });
  const wrong = h("span.wrong", { role: "alert" });
  const words = h("span.toggle-words", {}, h("b", {}, label), hint && h("span.hint", {}, hint), wrong);
  let holds = null;
  const show = (on) => {
    button.setAttribute("aria-checked", String(on === true));
    button.disabled = on === null;
  };
  button.addEventListener("click", async () => {
    const wanted = !holds;
    wrong.textContent = "";
    show(wanted);
    button.disabled = true;
    try {
      await flip(wanted);
    } catch (error) {
      wrong.textContent = reasonOf(error);
    }
    show(holds);
  });
  words.addEventListener("click", () => button.click());
  return {
    element: h("div.toggle", {}, words, button),
    set(on) {
      holds = on;
      show(on);
    },
  };
}
