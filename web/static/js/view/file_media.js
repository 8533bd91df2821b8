// A picture, a film or a sound inside its card. A picture's box is there before anything of it is, so that nothing moves.

import { boxOf, shownName } from "../core/names.js";
import { say } from "../words.js";
import { h, icon } from "./dom.js";

// Larger ones are loaded when they are looked at.
const INLINE_MOST = 12_000_000;
const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Says that sender and server found the same checksum. */
export function sealOf(style) {
  const words = say("file.verified");
  return h(`span${style}`, { role: "img", "aria-label": words, title: words }, icon("seal"));
}

export class FileMedia {
  /** `card` is the FileCard around it. */
  constructor(card) {
    const { file, kind, files } = card;
    Object.assign(this, { card, file, kind, files });
    this.name = shownName(file.name);
    this.whole = null;
    // In CSS pixels; 0 as wide as any card.
    this.width = 0;
    this.source = "";
    this.element = h(`div.media.${kind}`, { hidden: kind === "sound" });
    if (kind !== "sound") this.reserve();
  }

  /** The message says more of its file than before. */
  take(file) {
    const grown = file.width !== this.file.width || file.height !== this.file.height;
    this.file = file;
    if (this.kind !== "sound" && grown) this.reserve();
  }

  reserve() {
    const { width, height } = boxOf(this.file);
    this.width = width;
    this.element.style.aspectRatio = `${width} / ${height}`;
  }

  /** What stands in the box until the whole of it can be shown: at the sender's, what is at hand there. */
  outline() {
    const local = this.card.own ? this.files.uploads.picture(this.card.key) : "";
    const source = local || (this.file.preview ? this.files.preview(this.file.id) : "");
    if (this.small && source === this.source) return;
    this.source = source;
    const picture = source && h("img", { src: source, alt: "", decoding: "async", draggable: "false" });
    if (picture) picture.addEventListener("error", () => this.put(this.nothing()), { once: true });
    this.put(picture || this.nothing());
  }

  put(small) {
    const shown = !this.small || this.small.parentNode === this.element;
    this.small?.remove();
    this.small = small;
    if (shown) this.element.prepend(small);
  }

  nothing() {
    return h("span.media-none", {}, icon(this.kind));
  }

  update({ state, verified }) {
    const ready = state === "ready";
    if (this.kind !== "sound") this.outline();
    if (this.kind === "image") {
      this.look(ready);
      this.seal(ready && verified);
    }
    if (ready && !this.whole) this.show();
    if (!ready && this.whole) this.hide();
  }

  /** What can be looked at is a button. */
  look(ready) {
    const wanted = ready || Boolean(this.file.preview);
    if (wanted === Boolean(this.button)) return;
    if (!wanted) {
      this.button.remove();
      this.button = null;
      return;
    }
    const label = say("file.view", { name: this.name });
    this.button = h("button.media-open", { type: "button", "aria-label": label, on: { click: () => this.card.actions.view(this.card) } });
    this.element.append(this.button);
  }

  /** A picture that is here has no line beside it that could say so. */
  seal(verified) {
    if (!verified || this.sealed) return;
    this.sealed = true;
    this.element.append(sealOf(".media-seal"));
  }

  show() {
    if (this.kind === "image") this.showPicture();
    else this.play();
  }

  showPicture() {
    const { file } = this;
    const spare = file.preview && (file.size > INLINE_MOST || (file.type === "image/gif" && still()));
    if (spare) return;
    const picture = h("img.media-whole", { alt: this.name, decoding: "async", loading: "lazy", draggable: "false" });
    picture.addEventListener("load", () => picture.classList.add("here"), { once: true });
    picture.addEventListener("error", () => this.unseen(), { once: true });
    picture.src = this.files.url(file.id);
    this.whole = picture;
    this.small.after(picture);
  }

  play() {
    const { file, kind } = this;
    const film = kind === "film";
    // With a picture to show, nothing of a film is fetched before it is played.
    const preload = film && file.preview ? "none" : "metadata";
    const player = h(film ? "video" : "audio", { controls: true, preload, playsinline: true, "aria-label": this.name });
    if (film && file.preview) player.poster = this.files.preview(file.id);
    player.addEventListener("error", () => this.unplayable(), { once: true });
    player.src = this.files.url(file.id);
    this.whole = player;
    if (film) this.element.replaceChildren(player);
    else this.element.append(player);
    this.element.hidden = false;
  }

  /** What cannot be seen is a file like any other. */
  unseen() {
    this.whole?.remove();
    this.card.element.dataset.shown = "no";
  }

  unplayable() {
    this.whole?.remove();
    const note = h("span.media-none", {}, say("file.unplayable"));
    this.whole = note;
    this.element.append(note);
  }

  /** It is no longer there to be shown. */
  hide() {
    this.whole?.remove();
    this.whole = null;
    if (this.kind === "film") this.element.replaceChildren(this.small);
    this.element.hidden = this.kind === "sound";
  }
}
