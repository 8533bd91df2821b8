// Pictures one at a time over the page: arrows lead to earlier and later ones, Escape back.

import { shownName } from "../core/names.js";
import { say } from "../words.js";
import { h, icon, tool } from "./dom.js";

const STEPS = { ArrowLeft: -1, ArrowRight: 1 };

/** `pictures`: {file, body, ready} in their order; `at`: which of them first. Focus goes back to where it was. */
export function openViewer({ files, pictures, at }) {
  return new Viewer(files, pictures, at);
}

class Viewer {
  constructor(files, pictures, at) {
    Object.assign(this, { files, pictures, at });
    this.stage = h("div.viewer-stage");
    this.name = h("b", { dir: "auto" });
    this.place = h("span.viewer-place", { role: "status" });
    this.caption = h("p.viewer-caption", { dir: "auto" });
    this.link = h("a.tool", { download: true, "aria-label": say("file.act.download"), title: say("file.act.download") }, icon("download"));
    const close = tool("close", say("viewer.close"), () => this.dialog.close());
    this.earlier = tool("back", say("viewer.earlier"), () => this.step(-1), ".viewer-step");
    this.later = tool("forward", say("viewer.later"), () => this.step(1), ".viewer-step");
    this.dialog = h(
      "dialog.viewer",
      { "aria-label": say("viewer.label"), on: { keydown: (event) => this.keyed(event), click: (event) => this.clicked(event) } },
      h("header", {}, h("div.viewer-about", {}, this.name, this.place), this.link, close),
      h("div.viewer-line", {}, this.earlier, this.stage, this.later),
      this.caption,
    );
    this.earlier.hidden = this.later.hidden = pictures.length < 2;
    this.dialog.addEventListener("close", () => this.dialog.remove());
    document.body.append(this.dialog);
    this.dialog.showModal();
    this.draw();
    close.focus({ focusVisible: false });
  }

  keyed(event) {
    if (!(event.key in STEPS) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    this.step(STEPS[event.key]);
  }

  /** Beside the picture is outside. */
  clicked({ target }) {
    if (target === this.dialog || target === this.stage) this.dialog.close();
  }

  step(by) {
    const next = this.at + by;
    if (next < 0 || next >= this.pictures.length) return;
    this.at = next;
    this.draw();
  }

  draw() {
    const { file, body, ready } = this.pictures[this.at];
    const name = shownName(file.name);
    this.name.textContent = name;
    this.place.textContent = this.pictures.length > 1 ? say("viewer.place", { n: this.at + 1, all: this.pictures.length }) : "";
    this.caption.textContent = body ?? "";
    this.caption.hidden = !body;
    this.link.href = this.files.download(file.id);
    // Not disabled: the focus would be lost at the last one.
    this.earlier.setAttribute("aria-disabled", String(this.at === 0));
    this.later.setAttribute("aria-disabled", String(this.at === this.pictures.length - 1));
    this.stage.replaceChildren(...this.picture(file, name, ready));
  }

  /** The small one first, the whole one over it as soon as it is here. */
  picture(file, name, ready) {
    const size = { width: file.width || null, height: file.height || null };
    const small = file.preview ? h("img.viewer-small", { src: this.files.preview(file.id), alt: ready ? "" : name, ...size }) : null;
    if (!ready) return [small].filter(Boolean);
    const whole = h("img.viewer-whole", { alt: name, ...size });
    whole.addEventListener("load", () => small?.remove(), { once: true });
    whole.addEventListener("error", () => whole.replaceWith(h("p", { role: "alert" }, say("viewer.failed"))), { once: true });
    whole.src = this.files.url(file.id);
    return [small, whole].filter(Boolean);
  }
}
