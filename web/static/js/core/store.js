// Everything the page knows about people and conversations. Pure state: views subscribe, shells feed it.
//
// Topics that listeners hear: "list", "log" (with the conversation's id), "contacts", "actors", "me", "gap" (with id),
// "stale": the list has to be read again to know what is unread; "presence", "notices", "wishes", "file" (with its id).

import { Conversation, Log } from "./conversation.js";
import { Notices } from "./notices.js";
import { Presence } from "./presence.js";
import { Transfers } from "./transfers.js";
import { Wishes } from "./wishes.js";

export class Store {
  constructor(me) {
    this.me = me;
    this.conversations = new Map();
    this.relations = new Map();
    this.contacts = new Map();
    this.blocked = new Map();
    this.incoming = new Map();
    this.outgoing = new Map();
    this.actors = new Map();
    this.presence = new Presence();
    this.notices = new Notices();
    this.wishes = new Wishes();
    this.transfers = new Transfers();
    this.loaded = false;
    // How often it was told what somebody is to me: an answer that was asked for before the last time is older than that.
    this.moves = 0;
    // As `moves`, of marks as unread: they come and go, and no version tells which of two is the younger.
    this.marks = 0;
    this.listeners = new Set();
  }

  listen(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  tell(topic, id) {
    for (const listener of this.listeners) listener(topic, id);
  }

  get(id) {
    return this.conversations.get(id) ?? null;
  }

  /** Most recently active first; who never said anything comes by the time the contact began. */
  get sorted() {
    return [...this.conversations.values()]
      .filter((one) => one.last || one.relation === "contact")
      .sort((one, other) => (one.lastAt < other.lastAt ? 1 : one.lastAt > other.lastAt ? -1 : 0));
  }

  /** As the title and the badges count it. */
  get unread() {
    let sum = 0;
    for (const one of this.conversations.values()) sum += one.unseen;
    return sum;
  }

  /** GET /conversations. Unless `fresh`, what is known of people is younger; `marks` had moved when it was asked for. */
  conversationList(items, { fresh = true, marks = this.marks } = {}) {
    for (const item of items) {
      const known = this.conversations.get(item.id);
      if (known) known.merge(item, { fresh, counted: known.markedAt <= marks });
      else this.conversations.set(item.id, new Conversation(item, this.me.id));
      this.tell("log", item.id);
    }
    this.loaded = true;
    this.tell("list");
  }

  openLog(id) {
    const conversation = this.get(id);
    if (conversation && !conversation.log) conversation.log = new Log();
    return conversation?.log ?? null;
  }

  history(id, messages, more) {
    const conversation = this.get(id);
    if (!conversation) return;
    this.openLog(id).page(messages, more);
    for (const row of messages) conversation.take(row, false);
    this.tell("log", id);
  }

  /** A live message or a change of one. Returns whether the conversation is known here. */
  message(row, live = true) {
    const conversation = this.get(row.conversation);
    if (!conversation) return false;
    conversation.take(row, live);
    this.tell("log", row.conversation);
    this.tell("list");
    if (live && conversation.gap) this.tell("gap", row.conversation);
    return true;
  }

  receipt(frame) {
    const conversation = this.get(frame.conversation);
    if (!conversation) return;
    this.receive(conversation, frame);
    this.tell("log", frame.conversation);
    this.tell("list");
  }

  receive(conversation, { user, delivered, read, unread_from: marked = 0 }) {
    if (user === this.me.id) this.markMoves(conversation, marked > 0);
    if (!conversation.receipt(user, delivered, read, marked)) this.tell("stale");
  }

  /** Also where it is said again: the word between may be what was lost. */
  markMoves(conversation, marked = false) {
    if (marked || conversation.marked > 0) conversation.markedAt = this.marks += 1;
  }

  /** A page of sync or of "since": each change as it is now. Returns conversations that nobody has told us of. */
  changes(list) {
    const strangers = new Set();
    const touched = new Map();
    for (const change of list) {
      const conversation = this.get(change.conversation);
      if (!conversation) strangers.add(change.conversation);
      else if (change.type === "receipt") this.receive(conversation, change);
      else conversation.take(change, false);
      if (conversation && change.version) {
        touched.set(conversation, Math.max(change.version, touched.get(conversation) ?? 0));
      }
    }
    for (const [conversation, version] of touched) conversation.reached(version);
    for (const change of list) this.tell("log", change.conversation);
    if (list.length > 0) this.tell("list");
    return strangers;
  }

  read(id, seq) {
    const conversation = this.get(id);
    if (conversation) {
      this.markMoves(conversation);
      conversation.readUpTo(seq);
    }
    this.tell("log", id);
    this.tell("list");
  }

  relationOf(userId) {
    return this.relations.get(userId) ?? "none";
  }

  /** GET /contacts. */
  contactList({ contacts, blocked }) {
    this.contacts = new Map(contacts.map((one) => [one.user.id, one]));
    this.blocked = new Map((blocked ?? []).map((one) => [one.user.id, one]));
    for (const one of contacts) {
      this.relations.set(one.user.id, "contact");
      const conversation = this.get(one.conversation);
      if (conversation) conversation.since = one.at;
    }
    for (const one of this.blocked.values()) this.relations.set(one.user.id, "blocked");
    this.tell("contacts");
    this.tell("list");
  }

  /** GET /contacts/requests. */
  requestList({ incoming, outgoing }) {
    this.incoming = new Map(incoming.map((one) => [one.user.id, one]));
    this.outgoing = new Map(outgoing.map((one) => [one.user.id, one]));
    for (const one of incoming) this.relations.set(one.user.id, "incoming");
    for (const one of outgoing) this.relations.set(one.user.id, "outgoing");
    this.tell("contacts");
  }

  /** What somebody is to me has changed. Returns whether the conversation is one the list does not have yet. */
  contact({ user, relation, conversation, request, at }) {
    this.moves += 1;
    this.relations.set(user.id, relation);
    for (const map of [this.contacts, this.blocked, this.incoming, this.outgoing]) map.delete(user.id);
    const moment = at ?? new Date().toISOString();
    if (relation === "contact") this.contacts.set(user.id, { user, conversation, at: moment });
    if (relation === "blocked") this.blocked.set(user.id, { user, at: moment });
    if (relation === "incoming" && request) this.incoming.set(user.id, { id: request, user, at: moment });
    if (relation === "outgoing" && request) this.outgoing.set(user.id, { id: request, user, at: moment });
    const known = this.get(conversation);
    if (known) {
      known.relation = relation;
      known.peer = user;
      if (relation === "contact" && !known.last) known.since = moment;
    }
    this.tell("contacts");
    this.tell("list");
    this.tell("log", conversation);
    return !known && relation === "contact";
  }

  actor(name, state) {
    if (this.actors.get(name) === state) return;
    this.actors.set(name, state);
    this.tell("actors");
  }

  rename(user) {
    this.me = { ...this.me, ...user };
    this.tell("me");
  }
}
