// The table of actors: rows stay where they are, so that neither the focus nor an open menu is lost each second.

import { arrange, h, tool } from "../view/dom.js";
import { openMenu } from "../view/overlay.js";
import { size, span } from "./figures.js";
import { Graph } from "./graph.js";
import { has, say } from "./words.js";

const COLUMNS = ["name", "state", "pid", "uptime", "restarts", "depth", "rate", "memory", "past", "actions"];
const NUMBERS = new Set(["pid", "uptime", "restarts", "depth", "rate", "memory"]);
const ICONS = { start: "start", restart: "again", stop: "halt", kill: "bolt" };

/** What may sensibly be done to an actor as it is now, of what may be done at all. */
export function fitting(row, allowed) {
  const fits = {
    start: ["stopped", "failing", "backoff"].includes(row.state),
    restart: row.state !== "stopped",
    stop: row.state !== "stopped" && row.state !== "stopping",
    kill: row.pid !== null,
  };
  return ["start", "restart", "stop", "kill"].filter((action) => fits[action] && allowed.includes(action));
}

const known = (value, show = String) => (value === null || value === undefined ? say("actors.unknown") : show(value));
const cell = (column, ...children) =>
  h(
    `td.${column}`,
    { role: "cell", class: NUMBERS.has(column) ? `${column} number` : column },
    h("span.label", { "aria-hidden": "true" }, say(`actors.${column}`)),
    h("span.value", {}, children),
  );

class Row {
  constructor(name, { menu }) {
    this.name = name;
    this.graph = new Graph(name);
    this.note = h("span.note", {});
    this.state = h("span.state", {});
    this.last = h("span.last", {});
    this.cells = new Map();
    for (const column of NUMBERS) this.cells.set(column, document.createTextNode(""));
    this.button = tool("more", say("actors.menu", { name }), () => menu(this));
    const value = (column) => this.cells.get(column);
    this.element = h(
      "tr",
      { role: "row", "data-actor": name },
      h("th", { role: "rowheader", scope: "row" }, h("b", {}, name), this.note),
      cell("state", this.state),
      cell("pid", value("pid")),
      cell("uptime", value("uptime")),
      cell("restarts", value("restarts"), this.last),
      cell("depth", value("depth")),
      cell("rate", value("rate")),
      cell("memory", value("memory")),
      cell("past", this.graph.element),
      h("td.actions", { role: "cell" }, this.button),
    );
  }

  show(row) {
    this.row = row;
    this.element.dataset.state = row.state;
    this.state.textContent = has(`state.${row.state}`) ? say(`state.${row.state}`) : row.state;
    // The supervisor sees the process; only by its own signs of life does an actor tell that it lacks something.
    const heard = row.heard && row.heard !== "running" && row.state === "running";
    this.note.textContent = [heard && say(`state.${row.heard}`), row.note].filter(Boolean).join(": ");
    this.set("pid", known(row.pid));
    this.set("uptime", known(row.uptime, span));
    this.set("restarts", known(row.restarts));
    this.last.textContent = row.last_exit ?? "";
    this.set("depth", known(row.depth));
    this.set("rate", known(row.rate, (rate) => rate.toFixed(1)));
    this.set("memory", known(row.memory, size));
  }

  set(column, text) {
    const node = this.cells.get(column);
    if (node.data !== text) node.data = text;
  }
}

export class Table {
  /** `act(action, name)` asks and does; `follow(name)` shows a log. */
  constructor({ act, follow }) {
    this.act = act;
    this.follow = follow;
    this.rows = new Map();
    this.allowed = [];
    const headings = COLUMNS.map((column) =>
      h(
        "th",
        { role: "columnheader", scope: "col", class: NUMBERS.has(column) ? "number" : "" },
        column === "actions" ? h("span.unseen", {}, say("actors.actions")) : say(`actors.${column}`),
      ),
    );
    this.body = h("tbody", { role: "rowgroup" });
    this.element = h(
      "table.actors",
      { role: "table", "aria-labelledby": "actors-title" },
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, headings)),
      this.body,
    );
  }

  show(overview, past, now) {
    this.allowed = overview.actions;
    const names = new Set(overview.actors.map((row) => row.name));
    for (const name of this.rows.keys()) if (!names.has(name)) this.rows.delete(name);
    for (const row of overview.actors) {
      if (!this.rows.has(row.name)) this.rows.set(row.name, new Row(row.name, { menu: (one) => this.menu(one) }));
      const one = this.rows.get(row.name);
      one.show(row);
      one.graph.draw(past.of(row.name), { now, span: past.span });
    }
    arrange(
      this.body,
      overview.actors.map((row) => this.rows.get(row.name).element),
    );
  }

  menu(one) {
    const items = fitting(one.row, this.allowed).map((action) => ({
      label: say(`act.${action}`),
      icon: ICONS[action],
      danger: action === "kill",
      act: () => this.act(action, one.name),
    }));
    items.push({ label: say("act.log"), icon: "log", act: () => this.follow(one.name) });
    openMenu({ anchor: one.button, items, label: say("actors.menu", { name: one.name }) });
  }
}
