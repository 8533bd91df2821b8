// Names and kinds of files, as they are shown. Pure: a name is never used for anything else.

// Controls, and the marks that turn the direction of writing: with them "exe.pdf" could be made of a program's name.
const DECEIVING = /[\p{Cc}\p{Zl}\p{Zp}\u061C\u200B\u200E\u200F\u202A-\u202E\u2066-\u2069\uFEFF]/gu;
const RIGHT_TO_LEFT = /[\u0590-\u08FF\uFB1D-\uFDFF\uFE70-\uFEFC]/;
const LETTER = /\p{L}/u;
const EXTENSION = /[^.]\.([\p{L}\p{N}]{1,8})$/u;
const TAIL = 4;
// As the server counts: of UTF-8.
const NAME_BYTES = 255;

const IMAGES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);
const FILMS = new Set(["video/mp4", "video/webm", "video/ogg"]);
const SOUNDS = new Set(["audio/mpeg", "audio/mp4", "audio/ogg", "audio/wav", "audio/x-wav", "audio/wave", "audio/flac", "audio/webm"]);
const ARCHIVES = /^(zip|gz|tgz|bz2|xz|zst|7z|rar|tar|jar)$/;
const TEXTS = /^(pdf|txt|md|doc|docx|odt|rtf|csv|tsv|xls|xlsx|ods|ppt|pptx|odp|epub|tex)$/;

/** A name with whatever deceives made visible. */
export function shownName(name) {
  return name.replace(DECEIVING, "\uFFFD");
}

/** A name of at most `most` bytes of UTF-8, its extension kept; never empty. */
export function fitting(name, most = NAME_BYTES) {
  const size = (text) => new TextEncoder().encode(text).length;
  const extension = extensionOf(name);
  const end = extension ? `.${extension}` : "";
  const start = [...name.slice(0, name.length - end.length)];
  while (size(start.join("") + end) > most) start.pop();
  return start.join("") + end || "file";
}

/** The extension without its dot, "" for none. */
export function extensionOf(name) {
  return EXTENSION.exec(name)?.[1] ?? "";
}

/**
 * {start, end, dir}: where there is too little room, `start` is cut, `end` (the extension, and a few characters before
 * it) stays. `dir` is the direction of the name as a whole.
 */
export function nameParts(name) {
  const shown = shownName(name);
  const first = LETTER.exec(shown)?.[0] ?? "";
  const dir = RIGHT_TO_LEFT.test(first) ? "rtl" : "ltr";
  const extension = extensionOf(shown);
  const length = extension ? shown.length - extension.length - 1 : shown.length;
  const before = shown.slice(Math.max(0, length - TAIL), length);
  // Letters of other scripts join their neighbours, which a cut would undo.
  const tail = /^[\x20-\x7E]*$/.test(before) && length > 2 * TAIL ? before.length : 0;
  return { start: shown.slice(0, length - tail), end: shown.slice(length - tail), dir };
}

/** "image", "film", "sound", "archive", "text" or "file": how a file is shown. The first three may be shown inline. */
export function kindOf({ name, type }) {
  const plain = type.split(";")[0].trim().toLowerCase();
  if (IMAGES.has(plain)) return "image";
  if (FILMS.has(plain)) return "film";
  if (SOUNDS.has(plain)) return "sound";
  const extension = extensionOf(name).toLowerCase();
  if (ARCHIVES.test(extension)) return "archive";
  return TEXTS.test(extension) ? "text" : "file";
}

const MOST = { width: 320, height: 340 };
const LEAST = { width: 240, height: 120 };
const UNKNOWN = { width: 260, height: 195 };

/** The box of a picture in CSS pixels, from its own size; one that is very small, or very long, fills a box of another form. */
export function boxOf({ width, height }) {
  if (!width || !height) return UNKNOWN;
  const scale = Math.min(1, MOST.width / width, MOST.height / height);
  return { width: Math.max(LEAST.width, Math.round(width * scale)), height: Math.max(LEAST.height, Math.round(height * scale)) };
}
