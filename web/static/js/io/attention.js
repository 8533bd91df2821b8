// Whether somebody looks at this page: it can be seen, and it has the focus.

export class Attention {
  constructor() {
    this.listeners = new Set();
    const look = () => this.look();
    for (const event of ["focus", "blur", "pageshow", "pagehide"]) addEventListener(event, look);
    document.addEventListener("visibilitychange", look);
  }

  get visible() {
    return document.visibilityState === "visible";
  }

  get focused() {
    return this.visible && document.hasFocus();
  }

  /** `listener` hears that it may have changed. Returns how to stop that. */
  listen(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  look() {
    for (const listener of this.listeners) listener();
  }
}
