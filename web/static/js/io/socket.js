// The connection: one WebSocket at a time, brought back for as long as it takes.
//
// Events through `on`: open(hello), frame(frame), closed(), state({up, attempt, since}).

import { afterClose, closeDelay } from "../core/backoff.js";

const SUBPROTOCOL = "parley.v1";
const HELLO_MS = 8_000;
const PING_EVERY_MS = 5_000;
const PONG_WITHIN_MS = 4_000;
const PONG_SOON_MS = 2_000;
const ASK_WITHIN_MS = 15_000;

export class Connection {
  /** `verify` tells whether the session is good (false: it is over), and may throw when nobody can tell. */
  constructor({ url, verify, on }) {
    this.url = url;
    this.verify = verify;
    this.on = on;
    this.socket = null;
    this.up = false;
    this.attempt = 0;
    this.lostAt = 0;
    this.stopped = false;
    this.waiting = new Map();
    this.counter = 0;
  }

  start() {
    addEventListener("online", () => this.wake());
    addEventListener("offline", () => this.check(PONG_SOON_MS));
    addEventListener("pageshow", () => this.wake());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.wake();
    });
    this.connect();
  }

  stop() {
    this.stopped = true;
    this.drop(1000);
  }

  /** Takes a stop back. */
  resume() {
    this.stopped = false;
    this.connect();
  }

  /** Now rather than at the end of the backoff; an open socket is asked whether it still lives. */
  wake() {
    if (this.stopped) return;
    if (this.up) this.check(PONG_SOON_MS);
    else if (!this.socket) this.endWait();
  }

  connect() {
    if (this.stopped || this.socket) return;
    const socket = new WebSocket(this.url, SUBPROTOCOL);
    this.socket = socket;
    this.deadline = setTimeout(() => this.lost(socket, 1006), HELLO_MS);
    socket.onmessage = (event) => this.received(socket, event.data);
    socket.onclose = (event) => this.lost(socket, event.code);
  }

  received(socket, data) {
    if (socket !== this.socket) return;
    const frame = JSON.parse(data);
    this.alive();
    if (frame.type === "hello") this.opened(frame);
    else if (frame.type !== "pong" && !this.settled(frame)) this.on.frame(frame);
  }

  opened(hello) {
    clearTimeout(this.deadline);
    this.up = true;
    this.attempt = 0;
    this.lostAt = 0;
    this.pinger = setInterval(() => this.check(PONG_WITHIN_MS), PING_EVERY_MS);
    // First whom it greets: uploads go on as soon as there is a connection, and would go on as somebody else's.
    this.on.open(hello);
    this.on.state(this.state);
  }

  get state() {
    return { up: this.up, attempt: this.attempt, since: this.lostAt };
  }

  /** A dead way gives no sign: whoever does not answer in time is gone. */
  check(within) {
    if (!this.up) return;
    const socket = this.socket;
    this.write({ type: "ping", id: `p${(this.counter += 1)}` });
    this.pongDeadline ??= setTimeout(() => {
      this.pongDeadline = null;
      this.lost(socket, 1006);
    }, within);
  }

  alive() {
    clearTimeout(this.pongDeadline);
    this.pongDeadline = null;
  }

  write(frame) {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(frame));
    return true;
  }

  /** A command whose answer is wanted here. Rejects with the error frame, or with null when the socket closes. */
  ask(frame) {
    const id = `a${(this.counter += 1)}`;
    return new Promise((resolve, reject) => {
      if (!this.write({ ...frame, id })) {
        reject(null);
        return;
      }
      const timer = setTimeout(() => this.settled({ type: "error", id, code: "unavailable" }), ASK_WITHIN_MS);
      this.waiting.set(id, { resolve, reject, timer });
    });
  }

  settled(frame) {
    const asked = frame.id ? this.waiting.get(frame.id) : null;
    if (!asked) return false;
    this.waiting.delete(frame.id);
    clearTimeout(asked.timer);
    if (frame.type === "error") asked.reject(frame);
    else asked.resolve(frame);
    return true;
  }

  drop(code) {
    const socket = this.socket;
    this.socket = null;
    this.up = false;
    clearTimeout(this.deadline);
    clearInterval(this.pinger);
    this.alive();
    if (socket) {
      socket.onmessage = null;
      socket.onclose = null;
      socket.close(code === 1000 ? 1000 : 4000);
    }
    for (const { reject, timer } of this.waiting.values()) {
      clearTimeout(timer);
      reject(null);
    }
    this.waiting.clear();
  }

  lost(socket, code) {
    if (socket !== this.socket) return;
    const wasUp = this.up;
    this.drop(code);
    this.lostAt ||= Date.now();
    if (wasUp) this.on.closed();
    this.comeBack(code, wasUp);
  }

  /** A refused handshake looks like a dead server to a page, so the session is asked about before each new attempt. */
  async comeBack(code, wasUp) {
    const delay = afterClose(code) === "verify" ? 0 : closeDelay(code, this.attempt, Math.random());
    this.attempt += 1;
    this.on.state(this.state);
    await new Promise((resolve) => {
      this.waited = resolve;
      this.retryTimer = setTimeout(resolve, delay);
    });
    if (this.stopped || this.socket) return;
    if (!wasUp || afterClose(code) === "verify") {
      const good = await this.verify().catch(() => null);
      if (good === false) return;
      if (good === null && !this.socket) {
        this.lostAt ||= Date.now();
        this.comeBack(1006, false);
        return;
      }
    }
    this.connect();
  }

  /** The person does not want to wait, neither for the backoff nor for an attempt that hangs. */
  retryNow() {
    if (this.up || this.stopped) return;
    if (this.socket) {
      this.drop(1006);
      this.connect();
    } else this.endWait();
  }

  endWait() {
    clearTimeout(this.retryTimer);
    this.waited?.();
  }
}
