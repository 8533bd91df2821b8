// A message in one line: for the list, for quotes, and for notifications.

import { kindOf, shownName } from "./core/names.js";
import { preview } from "./core/text.js";
import { say } from "./words.js";

const KINDS = { image: "file.photo", film: "file.film", sound: "file.sound" };

/** "Photo", "File report.pdf". */
function whatIs(file) {
  const words = KINDS[kindOf(file)];
  return words ? say(words) : say("file.named", { name: shownName(file.name) });
}

/** The beginning of what a message says, with what it brings. */
export function summaryOf({ body, file }, most = undefined) {
  if (!file) return preview(body, most);
  const what = whatIs(file);
  return preview(body ? say("file.captioned", { what, text: body }) : what, most);
}
