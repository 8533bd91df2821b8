// The JSON API: same-origin requests with the session's cookie, refreshed when it has run out.

import { recall, remember } from "./prefs.js";

export const ROOT = "/api/v1";
const DEADLINE_MS = 15_000;
const RENEW_FIRST_MS = 4 * 60_000;
const RENEW_SHARE = 0.7;
const RENEW_LEAST_MS = 5_000;
const RENEW_MOST_MS = 60 * 60_000;

/** When that was, by this browser's clock; 0 when a clock that was put back since makes it lie ahead. */
function refreshedAt() {
  const at = Number(recall("refreshed")) || 0;
  return at > Date.now() ? 0 : at;
}

/** A definite answer that is not a success: `code` is one of the server's stable codes. */
export class ApiError extends Error {
  constructor(status, { code, message, fields, retry_after }) {
    super(message);
    this.status = status;
    this.code = code;
    this.fields = fields ?? {};
    this.retryAfter = retry_after ?? 0;
  }
}

/** No answer at all: the server or the way to it is gone. Worth repeating. */
export class Unreachable extends Error {}

/** null for what is not JSON; nothing at all says that there is nothing to say. */
function parsed(text) {
  try {
    return text ? JSON.parse(text) : {};
  } catch {
    return null;
  }
}

export class Api {
  /** `onSessionOver` is called once, when the session cannot be refreshed any more. */
  constructor({ onSessionOver }) {
    this.onSessionOver = onSessionOver;
    this.over = false;
    this.refreshing = null;
    this.timer = 0;
  }

  get(path) {
    return this.request("GET", path);
  }

  /** A command happens once: `key` is minted once for what the person did, and kept when it is repeated. */
  command(method, path, body, key) {
    return this.request(method, path, body, { "Idempotency-Key": key });
  }

  async request(method, path, body, headers = {}) {
    const asked = Date.now();
    const answer = await this.fetch(method, path, body, headers);
    if (answer.status !== 401) return this.read(answer);
    const error = await this.read(answer).catch((raised) => raised);
    if (error.code === "wrong_credentials") throw error;
    const alive = await this.refresh(asked);
    if (!alive) throw error;
    return this.read(await this.fetch(method, path, body, headers));
  }

  async fetch(method, path, body, headers) {
    const init = { method, headers: { Accept: "application/json", ...headers }, credentials: "same-origin" };
    if (body !== undefined) {
      init.body = JSON.stringify(body);
      init.headers["Content-Type"] = "application/json";
    }
    try {
      return await fetch(ROOT + path, { ...init, signal: AbortSignal.timeout(DEADLINE_MS) });
    } catch {
      throw new Unreachable("no answer");
    }
  }

  async read(answer) {
    const value = await answer.text().then(parsed, () => null);
    if (!answer.ok) throw new ApiError(answer.status, value?.error ?? { code: "internal", message: answer.statusText });
    // Broken off on its way, or put there by something in between: nobody knows what it would have said.
    if (value === null) throw new Unreachable("no whole answer");
    return value;
  }

  /**
   * Renews the access token unless that has happened since `asked`. Tabs take turns: two that rotated the same
   * refresh token at once would look like a stolen one. Returns whether the session lives.
   */
  refresh(asked = Date.now()) {
    this.refreshing ??= this.rotate(asked).finally(() => {
      this.refreshing = null;
    });
    return this.refreshing;
  }

  async rotate(asked) {
    const turn = async () => (refreshedAt() > asked ? null : this.fetch("POST", "/auth/refresh", {}, {}));
    const answer = await (navigator.locks ? navigator.locks.request("parley.refresh", turn) : turn());
    if (answer?.status === 401 || answer?.status === 403) {
      this.end();
      return false;
    }
    if (answer && !answer.ok) throw new Unreachable("not refreshed");
    if (answer) {
      const { expires_in: seconds } = await this.read(answer);
      remember("refreshed", String(Date.now()));
      remember("renew", String(seconds * 1_000 * RENEW_SHARE));
    }
    this.renewLater();
    return true;
  }

  /** Renews the token before it runs out, so that no request has to fail first. Whichever tab is due does it for all. */
  renewLater() {
    const age = Date.now() - refreshedAt();
    const wait = (Number(recall("renew")) || RENEW_FIRST_MS) - age;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.renew(), Math.min(Math.max(wait, RENEW_LEAST_MS), RENEW_MOST_MS));
  }

  renew() {
    const due = refreshedAt() + (Number(recall("renew")) || RENEW_FIRST_MS);
    if (this.over) return;
    if (Date.now() < due) this.renewLater();
    else this.refresh().catch(() => this.renewLater());
  }

  /** Whether the session is good. Throws Unreachable when nobody can tell. */
  async verify() {
    try {
      await this.get("/me");
      return true;
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) {
        this.end();
        return false;
      }
      if (error instanceof ApiError) return true;
      throw error;
    }
  }

  end() {
    if (this.over) return;
    this.over = true;
    clearTimeout(this.timer);
    this.onSessionOver();
  }
}
