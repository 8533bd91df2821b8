// Settings about being seen and being told: privacy, notifications, a test of each way, and why there were some or none.

import { tagOf } from "../announcer.js";
import { personOf } from "../about.js";
import { shortOf, wholeOf } from "../dates.js";
import { say } from "../words.js";
import { button, h, icon, nameOf } from "./dom.js";
import { form, section, toggle } from "./forms.js";
import { reasonOf } from "./overlay.js";

const PRIVACY = ["presence", "last_seen", "read_receipts"];
const TELLING = ["desktop", "sound", "previews"];
const TEST_MS = 5_000;
const LOOK_MS = 100;
const REASONS = 50;

export class NotifyingSettings {
  constructor({ notifier }) {
    this.notifier = notifier;
    this.store = notifier.store;
    this.bell = notifier.bell;
    this.toggles = new Map();
    this.allow = h("div.allow");
    this.why = h("div.card", { "aria-live": "polite" }, h("p.person.hint", {}, say("why.loading")));
    this.tested = h("ul.tested", { role: "status" });
    this.sections = [
      section("settings.privacy", h("div.card.toggles", {}, PRIVACY.map((name) => this.toggleOf(name)))),
      section("settings.telling", h("div.card.toggles", {}, this.allow, TELLING.map((name) => this.toggleOf(name)), this.quietHours())),
      section("settings.test", this.test()),
      section("settings.why", h("p.hint", {}, say("why.hint")), this.why),
    ];
    this.update();
    this.loadReasons();
  }

  toggleOf(name) {
    const made = toggle(say(`wish.${name}`), say(`wish.${name}.hint`), (on) => this.flip(name, on));
    this.toggles.set(name, made);
    return made.element;
  }

  async flip(name, on) {
    if (name === "desktop" && on) await this.bell.ask();
    await this.notifier.prefer({ [name]: on });
    this.drawAllow();
  }

  update() {
    const { preferences } = this.store.wishes;
    for (const [name, one] of this.toggles) one.set(preferences ? preferences[name] : null);
    this.drawAllow();
    if (!preferences) return;
    // Only when they change themselves: somebody may be about to choose others.
    const { quiet_from: from, quiet_to: to } = preferences;
    if (this.quietShown === `${from} ${to}`) return;
    this.quietShown = `${from} ${to}`;
    this.from.value = from;
    this.to.value = to;
  }

  /** What this browser itself says to notifications, where it stands in the way. */
  drawAllow() {
    const { permission } = this.bell;
    const wished = this.store.wishes.preferences?.desktop;
    if (permission === this.allowShown && wished === this.allowWished) return;
    this.allowShown = permission;
    this.allowWished = wished;
    this.allow.replaceChildren();
    if (permission === "granted" || (permission === "default" && !wished)) return;
    const ask = async () => {
      await this.bell.ask();
      this.drawAllow();
    };
    const act = permission === "default" && button(say("allow.ask"), ask, ".primary");
    this.allow.append(h("p.notice", {}, icon("bell"), h("span", {}, say(`allow.${permission}`)), act));
  }

  quietHours() {
    const time = (words) => {
      const input = h("input.input", { type: "time" });
      return { input, label: h("label.field", {}, h("span.label", {}, say(words)), input) };
    };
    const from = time("quiet.from");
    const to = time("quiet.to");
    this.from = from.input;
    this.to = to.input;
    const send = async () => {
      const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
      await this.notifier.prefer({ quiet_from: this.from.value, quiet_to: this.to.value, zone: timeZone ?? "" });
      return this.from.value ? say("settings.saved") : say("quiet.off");
    };
    const fields = h("div.times", {}, from.label, to.label);
    return h("div.quiet", {}, h("b", {}, say("quiet.title")), h("p.hint", {}, say("quiet.hint")), form([fields], say("settings.save"), send));
  }

  // The self-test

  test() {
    const start = button(say("test.start"), async () => {
      start.disabled = true;
      await this.runTest();
      start.disabled = false;
    });
    return h("div.card.padded", {}, h("p.hint", {}, say("test.hint")), h("div", {}, start), this.tested);
  }

  /** Sends a notice to oneself and looks at each way it should come by. */
  async runTest() {
    this.tested.replaceChildren();
    let notice = null;
    try {
      ({ notice } = await this.notifier.client.command("POST", "/notices/test"));
      this.result("list", true, say("test.list.good"));
    } catch (error) {
      this.result("list", false, reasonOf(error));
      return;
    }
    const pushed = await until(() => this.store.notices.rows.has(notice.id));
    this.result("page", pushed, say(pushed ? "test.page.good" : "test.page.bad"));
    await this.testDesktop(notice);
    await this.testSound(notice);
    this.loadReasons();
  }

  async testDesktop(notice) {
    const { permission } = this.bell;
    const wished = this.store.wishes.preferences?.desktop;
    const hindrance = !wished ? "off" : permission !== "granted" ? permission : !notice.desktop ? "quiet" : "";
    if (hindrance) {
      this.result("desktop", false, say(`test.desktop.${hindrance}`));
      return;
    }
    const shown = await until(async () => (await this.bell.shown(tagOf(notice))).length > 0);
    this.result("desktop", shown, say(shown ? "test.desktop.good" : "test.desktop.bad"));
  }

  async testSound(notice) {
    const wished = this.store.wishes.preferences?.sound;
    if (!notice.sound) this.result("sound", false, say(wished ? "test.desktop.quiet" : "test.sound.off"));
    else {
      const heard = await this.bell.tone();
      this.result("sound", heard, say(heard ? "test.sound.good" : "test.sound.bad"));
    }
  }

  result(way, good, words) {
    const line = h("li", { "data-way": way, "data-good": String(good) }, icon(good ? "check" : "close"));
    line.append(h("span", {}, h("b", {}, say(`test.${way}`)), " ", words));
    this.tested.append(line);
  }

  // Why

  async loadReasons() {
    const turn = (this.asked = (this.asked ?? 0) + 1);
    try {
      const { decisions } = await this.notifier.client.api.get(`/notices/decisions?limit=${REASONS}`);
      if (turn !== this.asked) return;
      const rows = decisions.map((one) => this.reason(one));
      this.why.replaceChildren(...(rows.length > 0 ? rows : [h("p.person.hint", {}, say("why.none"))]));
    } catch (error) {
      this.why.replaceChildren(h("p.person.hint", {}, reasonOf(error)));
    }
  }

  reason(one) {
    const glyph = { told: "bell", quiet: "log" }[one.what] ?? "mute";
    return h(
      "div.person.why",
      { "data-code": one.code },
      icon(glyph),
      h("span.who", {}, h("b", { dir: "auto" }, this.subject(one)), h("span", {}, one.reason)),
      h("time", { datetime: one.at, title: wholeOf(one.at) }, shortOf(one.at)),
    );
  }

  /** What a decision was about, as people call it. */
  subject({ source, subject, first, last }) {
    const conversation = this.store.get(subject);
    if (conversation) return say("why.messages", { name: nameOf(conversation.peer), n: Math.max(1, last - first + 1) });
    const person = personOf(subject, this.store);
    if (person) return nameOf(person);
    return say(["router", "contacts", "auth", "notifier"].includes(source) ? `why.${source}` : "why.other");
  }

  close() {
    this.closed = true;
  }
}

async function until(holds) {
  const end = Date.now() + TEST_MS;
  while (!(await holds())) {
    if (Date.now() > end) return false;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  return true;
}
