// Files that are dropped: anywhere in the pane of a conversation they are taken, anywhere else they do no harm.

import { bringsFiles, dropped } from "../io/choosing.js";
import { say } from "../words.js";
import { h, icon } from "./dom.js";

/** A file that misses the pane would take the place of the page. */
export function guardPage() {
  const guard = (event) => {
    if (!bringsFiles(event) || event.defaultPrevented) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "none";
  };
  addEventListener("dragover", guard);
  addEventListener("drop", guard);
}

/** Lets files be dropped on `pane`. `open()` tells whether they can be sent now; `take(found, {folders})` gets them. */
export function dropZone({ pane, name, open, take }) {
  const veil = h("div.drop-veil", { "aria-hidden": "true", hidden: true }, icon("file"), h("p", {}, say("drop.here", { name })));
  const wanted = (event) => bringsFiles(event) && open();
  const over = (event) => {
    if (!wanted(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    veil.hidden = false;
  };
  pane.addEventListener("dragenter", over);
  pane.addEventListener("dragover", over);
  pane.addEventListener("dragleave", (event) => {
    // Between two things within the pane nothing is left.
    if (!pane.contains(event.relatedTarget)) veil.hidden = true;
  });
  pane.addEventListener("drop", async (event) => {
    veil.hidden = true;
    if (!wanted(event)) return;
    event.preventDefault();
    const { found, folders } = await dropped(event.dataTransfer);
    take(found, { folders });
  });
  return veil;
}
