// Profile, appearance, password, signed-in devices, and the way out.

import { deviceOf } from "../core/text.js";
import { shortOf, wholeOf } from "../dates.js";
import { enterSends, recall, remember } from "../io/prefs.js";
import { say } from "../words.js";
import { avatar, button, h, icon, keepFocus, nameOf } from "./dom.js";
import { choices, form, section } from "./forms.js";
import { NotifyingSettings } from "./notifying.js";
import { confirmDialog, reasonOf, toast } from "./overlay.js";

export function setTheme(theme) {
  remember("theme", theme);
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

export class SettingsPage {
  /** `leave(path)` forgets this person at this browser and goes there; `operator` shows the way to /ops. */
  constructor({ client, notifier, operator, leave, unsent }) {
    Object.assign(this, { client, operator, leave, unsent });
    this.store = client.store;
    this.notifying = new NotifyingSettings({ notifier });
    this.profile = h("div.profile");
    this.sessions = h("div.card", { tabindex: "-1" });
    this.element = h(
      "div.panel",
      {},
      h(
        "div.panel-inner",
        {},
        h("h1", {}, say("settings.title")),
        section("settings.profile", h("div.card.padded", {}, this.profile, this.profileForm())),
        section("settings.look", this.look()),
        ...this.notifying.sections,
        section("settings.password", this.passwordForm()),
        section("settings.sessions", this.sessions),
        section("settings.account", this.account()),
      ),
    );
    this.update();
    this.loadSessions();
  }

  update() {
    const { me } = this.store;
    this.profile.replaceChildren(
      avatar(me, ".large"),
      h("div.who", {}, h("b", { dir: "auto" }, nameOf(me)), h("p.hint", {}, `@${me.username}`)),
    );
  }

  wishesChanged() {
    this.notifying.update();
  }

  profileForm() {
    const name = h("input.input", { value: this.store.me.display_name, maxlength: "64", autocomplete: "name" });
    return form([h("label.field", {}, h("span.label", {}, say("settings.name")), name)], say("settings.save"), async () => {
      const { user } = await this.client.command("PATCH", "/me", { display_name: name.value.trim() });
      this.store.rename(user);
      return say("settings.saved");
    });
  }

  look() {
    const theme = recall("theme");
    const themes = [
      ["", say("settings.theme.system")],
      ["light", say("settings.theme.light")],
      ["dark", say("settings.theme.dark")],
    ];
    const key = /Mac|iP(hone|ad)/.test(navigator.platform) ? "⌘" : "Ctrl";
    const ways = [
      ["enter", say("settings.enter.enter")],
      ["ctrl", say("settings.enter.ctrl", { key })],
    ];
    const way = enterSends() ? "enter" : "ctrl";
    return h(
      "div.card.padded",
      {},
      choices(say("settings.theme"), themes, theme, setTheme),
      choices(say("settings.enter"), ways, way, (value) => remember("enter", value), say("settings.enter.hint")),
    );
  }

  passwordForm() {
    const field = (name, autocomplete) => {
      const input = h("input.input", { type: "password", autocomplete, required: true });
      return { input, label: h("label.field", {}, h("span.label", {}, say(`settings.password.${name}`)), input) };
    };
    const current = field("current", "current-password");
    const fresh = field("new", "new-password");
    const username = h("input", { type: "text", autocomplete: "username", value: this.store.me.username, hidden: true });
    const send = async () => {
      await this.client.command("PUT", "/auth/password", {
        current_password: current.input.value,
        new_password: fresh.input.value,
      });
      current.input.value = "";
      fresh.input.value = "";
      this.loadSessions();
      return say("settings.password.changed");
    };
    return h("div.card.padded", {}, form([username, current.label, fresh.label], say("settings.password.change"), send));
  }

  async loadSessions() {
    const rows = await this.client.api.get("/auth/sessions").then(
      ({ sessions }) => sessions.map((one) => this.session(one)),
      (error) => [h("p.person.hint", {}, reasonOf(error))],
    );
    const buttons = () => [...this.sessions.querySelectorAll("button")];
    const at = buttons().indexOf(document.activeElement);
    // Who has ended one has the next one at hand.
    const next = () => buttons()[Math.min(at, buttons().length - 1)] ?? this.sessions;
    keepFocus(this.sessions, () => this.sessions.replaceChildren(...rows), next);
  }

  session(one) {
    const used = say("settings.sessions.used", { time: shortOf(one.last_used_at) });
    const detail = one.current ? say("settings.sessions.this") : used;
    const end = async () => {
      try {
        await this.client.command("DELETE", `/auth/sessions/${one.id}`);
        await this.loadSessions();
      } catch (error) {
        toast(reasonOf(error));
      }
    };
    const way = one.current ? null : button(say("settings.sessions.end"), end);
    // All of them look alike.
    if (way) way.dataset.key = one.id;
    return h(
      "div.person",
      { "data-session": one.id },
      icon("device"),
      h(
        "span.who",
        {},
        h("b", {}, deviceOf(one.agent)),
        h("span", { title: wholeOf(one.last_used_at) }, [detail, one.address].filter(Boolean).join(" · ")),
      ),
      h("span.actions", {}, way),
    );
  }

  account() {
    return h(
      "div.account-actions",
      {},
      this.operator && h("a.button", { href: "/ops" }, say("settings.ops")),
      button(say("settings.logout"), () => this.logOut(), ".primary"),
      button(say("settings.delete"), () => this.deleteAccount(), ".danger"),
    );
  }

  async logOut() {
    const waiting = await this.unsent();
    if (waiting > 0) {
      const title = say("settings.logout.ask", { n: waiting });
      const sure = await confirmDialog({ title, hint: say("settings.logout.hint"), action: say("settings.logout"), danger: true });
      if (!sure) return;
    }
    await this.end("POST", "/auth/logout", {}, "/login");
  }

  async deleteAccount() {
    const password = await confirmDialog({
      title: say("settings.delete.ask"),
      hint: say("settings.delete.hint"),
      action: say("settings.delete.do"),
      danger: true,
      field: { label: say("settings.password"), type: "password", autocomplete: "current-password" },
    });
    if (!password) return;
    await this.end("DELETE", "/me", { password }, "/register");
  }

  /** The socket goes first: otherwise it would be closed under us, and look like a session that ended elsewhere. */
  async end(method, path, body, next) {
    const { connection } = this.client;
    connection.stop();
    try {
      await this.client.command(method, path, body);
    } catch (error) {
      if (error.code !== "unauthenticated") {
        toast(reasonOf(error));
        connection.resume();
        return;
      }
    }
    await this.leave(next);
  }

  close() {
    this.notifying.close();
  }
}
