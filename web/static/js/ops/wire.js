// The socket of this page: brought back for as long as it takes, and asked about the session before each new attempt.

import { afterClose, closeDelay } from "../core/backoff.js";

const SUBPROTOCOL = "parley.ops.v1";
const SILENCE_MS = 8_000;

export class Wire {
  /** `on`: open(), frame(frame), lost(). `verify` tells whether the session is good, or throws. */
  constructor({ url, verify, on }) {
    this.url = url;
    this.verify = verify;
    this.on = on;
    this.socket = null;
    this.attempt = 0;
  }

  connect() {
    const socket = new WebSocket(this.url, SUBPROTOCOL);
    this.socket = socket;
    this.listen(socket);
    socket.onopen = () => this.on.open();
    socket.onmessage = (event) => {
      this.listen(socket);
      this.attempt = 0;
      this.on.frame(JSON.parse(event.data));
    };
    socket.onclose = (event) => this.lost(socket, event.code);
  }

  /** Something comes every second: who is silent for long is gone. */
  listen(socket) {
    clearTimeout(this.deadline);
    this.deadline = setTimeout(() => this.lost(socket, 1006), SILENCE_MS);
  }

  send(frame) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(frame));
  }

  async lost(socket, code) {
    if (socket !== this.socket) return;
    clearTimeout(this.deadline);
    socket.onclose = null;
    socket.onmessage = null;
    socket.close();
    this.socket = null;
    this.on.lost();
    const delay = afterClose(code) === "verify" ? 0 : closeDelay(code, this.attempt, Math.random());
    this.attempt += 1;
    await new Promise((resolve) => setTimeout(resolve, delay));
    // A refused handshake looks like a dead server to a page.
    const good = await this.verify().catch(() => null);
    if (good === false) return;
    if (good === null) {
      this.socket = socket;
      this.lost(socket, 1006);
      return;
    }
    this.connect();
  }
}
