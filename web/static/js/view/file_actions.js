// What the buttons of a file's card do.

import { kindOf, shownName } from "../core/names.js";
import { say } from "../words.js";
import { h } from "./dom.js";
import { confirmDialog, reasonOf, toast } from "./overlay.js";
import { openViewer } from "./viewer.js";

/** {file: {view, pause, ...}}, each of a card (view/file_card.js). `log()` is the loaded log of the conversation. */
export function fileActions({ files, log }) {
  const { uploads } = files;
  const file = {
    view: (card) => view(card, files, log()),
    pause: ({ key }) => uploads.pause(key),
    resume: ({ key }) => uploads.resume(key),
    retry: ({ key }) => uploads.retry(key),
    choose: ({ key }) => pick((chosen) => uploads.choose(key, chosen)),
    cancel: (card) => cancel(card, files),
  };
  return { file };
}

/** Downloads a file. Not by the page's address: an error would take the page's place. */
export function save(url) {
  h("a", { href: url, download: true }).click();
}

/** Asks for a file; the browser takes that only within a click. */
function pick(chosen) {
  const input = h("input", { type: "file", on: { change: () => input.files[0] && chosen(input.files[0]) } });
  input.click();
}

async function cancel({ key, file }, files) {
  const title = say("file.cancel.ask", { name: shownName(file.name) });
  const sure = await confirmDialog({ title, hint: say("file.cancel.hint"), action: say("file.cancel.do"), danger: true });
  if (!sure) return;
  try {
    if (files.uploads.view(key)) await files.uploads.cancel(key);
    else await files.cancel(file.id);
  } catch (error) {
    toast(reasonOf(error));
  }
}

/** The pictures of the loaded log, as far as there is something to see of them. */
function view({ file: wanted }, files, log) {
  const pictures = log
    .between(log.lo, log.hi)
    .filter((row) => row.file && !row.deleted && kindOf(row.file) === "image")
    .map(({ file, body }) => ({ file, body, ready: files.of(file).state === "ready" }))
    .filter(({ file, ready }) => ready || file.preview);
  const at = pictures.findIndex(({ file }) => file.id === wanted.id);
  if (at >= 0) openViewer({ files, pictures, at });
}
