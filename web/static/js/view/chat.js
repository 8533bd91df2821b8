// A conversation: head, timeline and composer, and what can be done with a message.

import { overlaid } from "../core/rows.js";
import { say } from "../words.js";
import { avatar, emptyState, h, icon, keepFocus, nameOf, tool } from "./dom.js";
import { Composer } from "./composer.js";
import { dropZone } from "./drop.js";
import { fileActions, save } from "./file_actions.js";
import { confirmDialog, openMenu, reasonOf, toast } from "./overlay.js";
import { Reading } from "./reading.js";
import { muteItems, statusOf } from "./status.js";
import { Timeline } from "./timeline.js";
import { Tray } from "./tray.js";

const EMOJI = ["👍", "❤️", "😂", "😮", "😢", "🙏"];
const UNREAD_MOST = 1_000;
const PAGE = 50;
const PAGE_MOST = 200;

export class Chat {
  /**
   * `places` remembers where each conversation was left, `trays` what is about to be sent there; `people` carries out
   * what changes a relation. `limits`: most characters of a `body`, and bytes of a `file`.
   */
  constructor({ client, notifier, files, drafts, places, trays, people, limits, go, id }) {
    Object.assign(this, { client, notifier, files, drafts, places, trays, people, limits, go, id });
    this.store = client.store;
    this.element = h("div.chat");
    this.begin();
  }

  get conversation() {
    return this.store.get(this.id);
  }

  /** Draws as soon as the list knows the conversation, which may be later than the page. */
  begin() {
    if (this.timeline) return;
    const conversation = this.conversation;
    if (!conversation) {
      if (this.store.loaded) this.element.replaceChildren(unknown());
      return;
    }
    this.timeline = new Timeline({
      client: this.client,
      files: this.files,
      conversation,
      actions: this.actions(),
      load: (limit) => this.client.older(this.id, limit),
      moved: () => this.moved(),
    });
    const { body } = this.limits;
    this.composer = new Composer({ conversation, drafts: this.drafts, limit: body, tray: this.tray(), on: this.composing() });
    this.reading = new Reading({
      conversation,
      attention: this.notifier.attention,
      seen: () => this.timeline.seenUpTo,
      tell: (seq) => this.client.read(this.id, seq),
      viewed: (seq) => this.viewed(seq),
    });
    this.head = h("header.chat-head");
    this.drawHead();
    const veil = dropZone({
      pane: this.element,
      name: nameOf(conversation.peer),
      open: () => this.composer.takesFiles,
      take: (found, more) => this.composer.addFiles(found, more),
    });
    this.element.replaceChildren(this.head, this.timeline.element, this.composer.element, veil);
    if (matchMedia("(hover: hover)").matches) queueMicrotask(() => this.composer.focus());
    this.fill();
  }

  /** Enough history for what is unread, but not without end. */
  async fill() {
    const { conversation, client, id } = this;
    const { timeline } = this;
    timeline.loading = true;
    // The caller puts the element on the page first: without a layout there is no place to land at.
    await null;
    // Asked for each time: it may be begun afresh meanwhile.
    const log = () => this.store.openLog(id);
    const reached = ({ complete, rows, lo }) => complete || (rows.size >= Math.min(PAGE, conversation.seq) && lo <= conversation.floor);
    log();
    timeline.render();
    try {
      let first = true;
      while (first ? log().rows.size < PAGE && !log().complete : conversation.unread > 0 && !reached(log())) {
        if (log().rows.size > UNREAD_MOST) break;
        const size = first ? Math.max(PAGE, Math.min(PAGE_MOST, conversation.unread + PAGE / 2)) : PAGE_MOST;
        first = false;
        await client.older(id, size);
      }
      timeline.loadFailed = false;
    } catch {
      timeline.loadFailed = true;
    }
    timeline.loading = false;
    if (this.closed) return;
    log();
    timeline.open({ place: this.places.get(id) ?? null });
    if (this.wanted) this.show(this.wanted);
  }

  /** What is in view is as good as read; `seq` is the highest place of the other's, 0 when nobody looks. */
  viewed(seq) {
    const { conversation } = this;
    const before = conversation.unseen;
    const whole = seq > 0 && this.timeline.ready && this.timeline.atBottom;
    conversation.inView = whole ? conversation.seq : this.timeline.ready ? seq : 0;
    if (conversation.unseen !== before) this.store.tell("list");
  }

  moved() {
    this.reading?.check();
    if (this.wanted) this.show(this.wanted);
  }

  /** Brings the message at a place into view, now or as soon as it is there: a notification may be ahead of the page. */
  show(seq) {
    this.wanted = seq;
    const { timeline } = this;
    const log = this.conversation?.log;
    if (!timeline?.ready || timeline.loading || !log?.loaded) return;
    if (seq > log.hi || (seq >= log.lo && !log.rows.has(seq))) return;
    this.wanted = 0;
    timeline.showPlace(seq).catch(() => toast(say("chat.loadFailed")));
  }

  drawHead() {
    const { peer } = this.conversation;
    const name = peer.deleted ? say("chat.deletedUser") : nameOf(peer);
    const status = statusOf(this.conversation, this.store);
    const muted = this.store.wishes.mutedUntil(peer.id, Date.now()) > 0;
    const signature = JSON.stringify([peer, muted]);
    if (this.headSignature !== signature) keepFocus(this.head, () => this.drawHeadWith(peer, name, muted));
    this.headSignature = signature;
    if (this.status.dataset.presence === status.state && this.status.textContent === status.words) return;
    this.status.dataset.presence = status.state;
    this.status.textContent = status.words;
  }

  drawHeadWith(peer, name, muted) {
    this.status = h("span.status", { "data-presence": "" });
    const back = h("a.tool.back", { href: "/chat", "aria-label": say("chat.back"), "data-link": true }, icon("back"));
    const menu = tool("more", say("chat.menu"), () => this.openHeadMenu(menu));
    menu.setAttribute("aria-haspopup", "menu");
    this.head.replaceChildren(
      back,
      avatar(peer),
      h(
        "div.who",
        {},
        h("h1", { dir: "auto" }, h("bdi", {}, name), muted && h("span.mute-mark", { role: "img", "aria-label": say("mute.is") }, icon("mute"))),
        !peer.deleted && h("p.handle", {}, h("span.at", {}, `@${peer.username}`), this.status),
      ),
      ...(peer.deleted ? [] : [menu]),
    );
  }

  openHeadMenu(anchor) {
    const { peer, relation } = this.conversation;
    const items = [];
    if (relation === "contact") {
      const muted = this.store.wishes.mutedUntil(peer.id, Date.now()) > 0;
      items.push(...muteItems(muted, (how) => this.mute(how)));
      items.push({ label: say("people.remove"), icon: "remove", act: () => this.people.act("remove", peer), danger: true });
    }
    if (relation === "blocked") items.push({ label: say("people.unblock"), icon: "block", act: () => this.people.act("unblock", peer) });
    else items.push({ label: say("people.block"), icon: "block", act: () => this.people.act("block", peer), danger: true });
    openMenu({ anchor, items, label: say("chat.menu") });
  }

  async mute(how) {
    await this.notifier.mute(this.conversation.peer.id, how).catch((error) => toast(reasonOf(error)));
  }

  // What the composer and the bubbles ask for

  composing() {
    return {
      send: (what) => this.send(what),
      typed: (some) => (some ? this.notifier.typed(this.id) : this.notifier.stopped(this.id)),
      edit: (row, body) => this.command("edit", row, { body }),
      editLast: () => this.editLast(),
      act: (act) => this.people.act(act, this.conversation.peer),
    };
  }

  /** The text is the caption of a single file that has none, and else a message of its own after the files. */
  send({ body, reply_to, files }) {
    const { conversation } = this;
    const [only] = files;
    const caption = files.length === 1 && only.body === "";
    if (caption) files = [{ ...only, body }];
    for (const [at, one] of files.entries()) {
      this.files.uploads.send({ ...one, conversation, reply_to: at === 0 ? reply_to : undefined });
    }
    if (files.length === 0 || (!caption && body !== "")) {
      const quoted = files.length === 0 ? reply_to : undefined;
      this.client.enqueue({ kind: "send", conversation: this.id, to: conversation.peer.id, body, reply_to: quoted });
    }
    this.wanted = 0;
    this.timeline.wrote();
    this.notifier.stopped(this.id);
  }

  tray() {
    if (!this.trays.has(this.id)) {
      this.trays.set(this.id, new Tray({ limit: this.limits.file, captionLimit: this.limits.body }));
    }
    return this.trays.get(this.id);
  }

  actions() {
    return {
      ...fileActions({ files: this.files, log: () => this.conversation.log }),
      menu: (node, anchor) => this.openMessageMenu(node, anchor),
      react: (row, emoji, on) => this.command("react", row, { emoji, on }),
      jump: (messageId) => {
        this.wanted = 0;
        this.timeline.jumpTo(messageId).catch(() => toast(say("chat.loadFailed")));
      },
      retry: (clientId) => {
        const entry = this.client.retry(clientId);
        if (entry) this.timeline.renamed(clientId, entry.client_id);
        this.timeline.wrote();
      },
      discard: (clientId) => this.client.discard(clientId),
      copy: (text) => copy(text),
    };
  }

  command(kind, row, values = {}) {
    this.client.enqueue({ kind, conversation: this.id, message_id: row.message_id, ...values });
  }

  /** As it is shown: deleted or edited here, it may not be stored so yet. */
  editLast() {
    const me = this.store.me.id;
    const log = this.conversation.log;
    const waiting = this.client.outbox.of(this.id);
    for (let seq = log?.hi ?? 0; seq >= (log?.lo ?? 1); seq -= 1) {
      const row = log.rows.get(seq);
      if (!row || row.sender !== me) continue;
      const shown = overlaid(row, waiting, me);
      if (!shown.deleted) {
        this.composer.edit(shown);
        return;
      }
    }
  }

  openMessageMenu(node, anchor) {
    const { row, own } = node.row;
    if (row.pending || row.deleted) return;
    const usable = this.conversation.relation === "contact" && !this.conversation.peer.deleted;
    const name = own ? say("message.you") : nameOf(this.conversation.peer);
    const items = [
      usable && { label: say("message.reply"), icon: "reply", act: () => this.composer.reply(row, name) },
      row.body && { label: say("message.copy"), icon: "copy", act: () => copy(row.body) },
      row.file && { label: say("file.act.download"), icon: "download", act: () => save(this.files.download(row.file.id)) },
      usable && own && { label: say("message.edit"), icon: "edit", act: () => this.composer.edit(row) },
      !own && { label: say("message.markUnread"), icon: "unread", act: () => this.markUnread(row.seq) },
      own && { label: say("message.delete"), icon: "trash", act: () => this.askDelete(row), danger: true },
    ];
    const head = usable ? (close) => this.emojiRow(row, close) : null;
    openMenu({ anchor, items: items.filter(Boolean), head, label: say("message.actions") });
  }

  /** Stays unread: so it is left, or it would be read at once. */
  async markUnread(seq) {
    this.go("/chat");
    await this.client.markUnread(this.id, seq).catch((error) => toast(reasonOf(error)));
  }

  emojiRow(row, close) {
    const me = this.store.me.id;
    return h(
      "div.menu-emoji",
      {},
      EMOJI.map((emoji) => {
        const mine = row.reactions?.some((one) => one.emoji === emoji && one.users.includes(me)) ?? false;
        const click = () => {
          close();
          this.command("react", row, { emoji, on: !mine });
        };
        const label = say("message.react", { emoji });
        const attributes = { type: "button", role: "menuitemcheckbox", "aria-label": label, "aria-pressed": String(mine) };
        return h("button", { ...attributes, on: { click } }, emoji);
      }),
    );
  }

  async askDelete(row) {
    const sure = await confirmDialog({
      title: say("message.delete.ask"),
      hint: say("message.delete.hint"),
      action: say("message.discard"),
      danger: true,
    });
    if (sure) this.command("delete", row, row.file ? { file_id: row.file.id } : {});
  }

  // What happens meanwhile

  update() {
    this.begin();
    if (!this.timeline) return;
    if (this.conversation.log === null && !this.timeline.loading) {
      this.fill();
      return;
    }
    this.drawHead();
    this.composer.render();
    // What is written while the history is still on its way is seen all the same.
    if (this.timeline.ready || !this.conversation.log?.loaded) this.timeline.render();
  }

  filesChanged(ids) {
    this.timeline?.filesChanged(ids);
  }

  /** The connection is back: what could not be loaded is tried again without being asked. */
  online() {
    if (!this.timeline?.loadFailed || this.timeline.loading) return;
    this.timeline.loadFailed = false;
    if (this.conversation.log?.loaded) this.timeline.up();
    else this.fill();
  }

  arrived(frame) {
    if (frame.conversation === this.id && this.timeline?.ready) this.timeline.arrived(frame);
  }

  close() {
    this.closed = true;
    this.notifier.stopped(this.id);
    if (!this.timeline) return;
    // Left before there was anything to see: the place of the last time holds.
    if (this.timeline.ready) this.places.set(this.id, this.timeline.lastPlace);
    this.timeline.close();
    this.composer.close();
    this.reading.close();
  }
}

function unknown() {
  return emptyState({ title: say("chat.unknown"), hint: say("chat.unknown.hint") });
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Plain http from another machine has no clipboard API.
    const area = h("textarea.unseen", { "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  toast(say("message.copied"));
}
