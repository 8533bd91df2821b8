// Announcing at this browser: one tab of a person does it for all, through the service worker's notifications or a tone.

import { livingTabs } from "./disk.js";

const WORKER = "/sw.js";
// A browser that has much to do takes its time to start a worker; what is given up then is never shown.
const READY_MS = 30_000;
const DESK_MS = 5_000;
// The browser may have to start its sound first.
const RESUME_MS = 2_000;
const TONES = [
  [659, 0],
  [880, 0.09],
];
const LOUDNESS = 0.08;

// The page's policy wants scripts to be named by one of ours: this one names the worker and nothing else.
const policy = globalThis.trustedTypes?.createPolicy("parley-worker", { createScriptURL: () => WORKER });

export class Bell {
  /** `lead` is called when this tab announces from now on; `opened(target)` when a notification was clicked. */
  constructor({ person, tab, lead, opened }) {
    this.tab = tab;
    this.leads = false;
    this.viewed = new Map();
    this.desk = Promise.resolve();
    this.channel = new BroadcastChannel(`parley.views.${person}`);
    this.channel.onmessage = ({ data }) => this.heard(data);
    this.opened = opened;
    this.lead(person, lead);
    this.worker?.addEventListener("message", ({ data }) => {
      if (data?.type === "open") this.opened(data);
    });
    this.worker?.startMessages();
  }

  /** Whoever holds the lock leads; it passes to another tab when this one is gone. Without locks each tab is alone. */
  lead(person, lead) {
    const first = () => {
      this.leads = true;
      this.channel.postMessage({ ask: true });
      // Before there is something to show.
      this.registration();
      lead();
    };
    if (!navigator.locks) queueMicrotask(first);
    else {
      navigator.locks.request(`parley.bell.${person}`, () => {
        first();
        return new Promise(() => {});
      });
    }
  }

  // What the tabs of this browser have in view: the server knows it too, a moment later.

  heard({ ask, tab, conversation }) {
    if (ask) this.view(this.viewing ?? "");
    else if (conversation) this.viewed.set(tab, conversation);
    else this.viewed.delete(tab);
  }

  /** This tab has a conversation in view from now on, "" for none. */
  view(conversation) {
    this.viewing = conversation;
    this.channel.postMessage({ tab: this.tab, conversation });
  }

  /** A tab that was closed or crashed while it had the focus could not say so: it views nothing. */
  async isViewed(conversation) {
    if (this.viewing === conversation) return true;
    const viewers = [...this.viewed].filter(([, viewed]) => viewed === conversation);
    if (viewers.length === 0) return false;
    const alive = await livingTabs();
    for (const [tab] of viewers) if (!alive.has(tab)) this.viewed.delete(tab);
    return viewers.some(([tab]) => alive.has(tab));
  }

  // Notifications

  get worker() {
    return navigator.serviceWorker ?? null;
  }

  /** "unsupported" (no worker, as on plain http from another machine), "default" (not asked), "granted" or "denied". */
  get permission() {
    return this.worker && "Notification" in globalThis ? Notification.permission : "unsupported";
  }

  /** Only ever from a button. Resolves with the permission. */
  async ask() {
    if (this.permission === "default") await Notification.requestPermission();
    return this.permission;
  }

  /** The worker's registration, or null when it does not come up in time. */
  async registration() {
    if (this.permission !== "granted") return null;
    this.registered ??= this.worker.register(policy ? policy.createScriptURL(WORKER) : WORKER, { updateViaCache: "none" });
    try {
      await this.registered;
    } catch {
      this.registered = null;
      return null;
    }
    const late = new Promise((resolve) => setTimeout(resolve, READY_MS, null));
    return Promise.race([this.worker.ready, late]);
  }

  /**
   * One thing at a time: the browser closes by tag, so a closing that is still looking for what it means would take away
   * what is shown meanwhile. What the browser does not answer holds the next one up no longer than DESK_MS.
   */
  atDesk(work) {
    const done = this.desk.then(work);
    const late = this.desk.then(() => new Promise((resolve) => setTimeout(resolve, DESK_MS)));
    this.desk = Promise.race([done.catch(() => {}), late]);
    return done;
  }

  /** Shows one in place of the former of that tag. Resolves with whether it is there. */
  show(card) {
    return this.atDesk(() => this.put(card));
  }

  async put({ tag, title, body, silent, at, target }) {
    const registration = await this.registration();
    if (!registration) return false;
    const icon = new URL("../../mark.svg", import.meta.url).href;
    const options = { tag, body, silent, icon, timestamp: at, renotify: !silent, data: target };
    return registration.showNotification(title, options).then(
      () => true,
      () => false,
    );
  }

  /** Those that are shown: of a tag, or all. None on a page that is being left. */
  async shown(tag) {
    if (this.permission !== "granted") return [];
    try {
      const registration = await this.worker.getRegistration("/");
      return (await registration?.getNotifications(tag ? { tag } : {})) ?? [];
    } catch {
      return [];
    }
  }

  /** Of a tag, or all. `last`: one that tells of messages after that place stays. */
  close(tag, last = Infinity) {
    return this.atDesk(async () => {
      for (const one of await this.shown(tag)) if ((one.data?.last ?? 0) <= last) one.close();
    });
  }

  // Sound

  /** Two short notes. Resolves with whether they can be heard: a browser is mute until its page was touched once. */
  async tone() {
    if (navigator.userActivation?.hasBeenActive === false) return false;
    try {
      this.audio ??= new AudioContext();
      const late = new Promise((resolve) => setTimeout(resolve, RESUME_MS));
      if (this.audio.state !== "running") await Promise.race([this.audio.resume(), late]);
      if (this.audio.state !== "running") return false;
      for (const [pitch, after] of TONES) this.note(pitch, this.audio.currentTime + after);
      return true;
    } catch {
      return false;
    }
  }

  note(pitch, at) {
    const source = new OscillatorNode(this.audio, { frequency: pitch });
    const volume = new GainNode(this.audio, { gain: 0 });
    volume.gain.setTargetAtTime(LOUDNESS, at, 0.01);
    volume.gain.setTargetAtTime(0, at + 0.12, 0.08);
    source.connect(volume).connect(this.audio.destination);
    source.start(at);
    source.stop(at + 0.6);
  }
}
