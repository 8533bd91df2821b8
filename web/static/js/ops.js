// The operator's page: how every actor is and was, what could not be handled, what is logged, and four things to do.

import { mint } from "./core/ids.js";
import { timeOf } from "./dates.js";
import { Api, ApiError, Unreachable } from "./io/api.js";
import { size, span, sum } from "./ops/figures.js";
import { LetterList } from "./ops/letters.js";
import { Log } from "./ops/log.js";
import { Past } from "./ops/past.js";
import { Table } from "./ops/table.js";
import { Wire } from "./ops/wire.js";
import { has, say } from "./ops/words.js";
import { h } from "./view/dom.js";
import { confirmDialog, reasonOf, toast } from "./view/overlay.js";

const place = (id) => document.getElementById(id);
const LOST_MS = 2_000;

class Page {
  constructor(boot) {
    this.api = new Api({ onSessionOver: () => location.replace("/login?next=%2Fops") });
    this.past = new Past();
    this.table = new Table({ act: (action, name) => this.act(action, name), follow: (name) => this.log.show(name) });
    this.log = new Log({ follow: (name) => this.wire.send({ type: "follow", name }) });
    this.letters = new LetterList({ api: this.api, actors: boot.actors, note: toast });
    this.overview = null;
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.wire = new Wire({
      url: `${scheme}://${location.host}/ws/ops`,
      verify: () => this.verify(),
      on: { open: () => this.opened(), frame: (frame) => this.received(frame), lost: () => this.lost() },
    });
  }

  start() {
    place("actors").append(this.table.element);
    place("letters").append(this.letters.element);
    place("letters-tools").append(this.letters.again);
    place("log").append(this.log.element);
    place("log-tools").append(this.log.choice);
    this.wire.connect();
    this.letters.look();
    this.api.renewLater();
  }

  /** Whether this is an operator still; whoever is not any more is shown what everybody is: nothing. */
  async verify() {
    try {
      await this.api.get("/ops");
      return true;
    } catch (error) {
      if (error instanceof ApiError && error.status === 404 && (await this.api.verify())) location.reload();
      if (error instanceof ApiError && [401, 404].includes(error.status)) return false;
      throw error;
    }
  }

  opened() {
    clearTimeout(this.lostTimer);
    this.lostTimer = null;
    this.log.again();
  }

  received(frame) {
    if (frame.type === "history") this.past.take(frame, Date.now());
    else if (frame.type === "log") this.log.take(frame);
    else this.show(frame);
  }

  lost() {
    this.live("wait");
    this.lostTimer ??= setTimeout(() => {
      this.live("lost");
      this.notices();
    }, LOST_MS);
  }

  live(state) {
    const mark = place("live");
    if (mark.dataset.live === state) return;
    mark.dataset.live = state;
    mark.textContent = say(`live.${state}`);
  }

  show(overview) {
    const now = Date.now();
    this.overview = overview;
    this.past.add(overview.actors, now);
    this.live("on");
    this.table.show(overview, this.past, now);
    this.log.offer(overview.actors.map((row) => row.name));
    this.figures(overview);
    this.notices();
  }

  figures({ supervisor, actors }) {
    const shown = (value, show = String) => (value === null ? say("actors.unknown") : show(value));
    const of = (field) => actors.map((row) => row[field]);
    const memory = sum([...of("memory"), supervisor?.memory]);
    const rows = [
      ["uptime", supervisor ? span(supervisor.uptime) : say("figure.none")],
      ["restarts", shown(sum(of("restarts")))],
      ["waiting", shown(sum(of("depth")))],
      ["rate", shown(sum(of("rate")), (rate) => rate.toFixed(1))],
      ["memory", shown(memory, size)],
    ];
    const list = place("figures");
    if (list.childElementCount !== rows.length) {
      list.replaceChildren(
        ...rows.map(([name]) => h("div", { "data-figure": name }, h("dt", {}, say(`figure.${name}`)), h("dd", {}))),
      );
    }
    for (const [name, text] of rows) list.querySelector(`[data-figure=${name}] dd`).textContent = text;
  }

  notices() {
    const texts = [];
    const lost = place("live").dataset.live === "lost";
    if (lost && this.overview) texts.push(["bad", say("notice.lost", { time: timeOf(this.overview.at) })]);
    if (this.overview?.supervisor?.alarm) {
      texts.push(["bad", say("notice.alarm", { text: this.overview.supervisor.alarm })]);
    }
    if (this.overview?.why_not) texts.push(["", this.overview.why_not]);
    const box = place("notices");
    // What is said already is not said again each second.
    const said = texts.map(([, text]) => text).join("\n");
    if (box.dataset.said === said) return;
    box.dataset.said = said;
    box.replaceChildren(...texts.map(([kind, text]) => h(`p.notice${kind && `.${kind}`}`, {}, text)));
  }

  async act(action, name) {
    const base = name.split(".")[0];
    const effect = say(has(`effect.${base}`) ? `effect.${base}` : "effect.other");
    const sure = await confirmDialog({
      title: say(`ask.${action}`, { name }),
      hint: say(`hint.${action}`, { effect: action === "start" ? "" : effect }),
      action: say(`act.${action}`),
      danger: action === "kill" || action === "stop",
    });
    if (!sure) return;
    try {
      const { outcome } = await this.api.command("POST", "/ops/actions", { action, actor: name }, mint());
      toast(say(outcome === "done" ? `did.${action}` : "did.under_way", { name }));
    } catch (error) {
      // It may have been the very front that was to answer.
      toast(error instanceof Unreachable ? say("did.unknown") : reasonOf(error));
    }
  }
}

new Page(JSON.parse(place("boot").textContent)).start();
