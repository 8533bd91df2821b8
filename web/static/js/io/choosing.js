// Where files come from: the picker, what was dropped, what was pasted. Each is {file, handle}; the handle leads back to
// the file after a reload, and is null where the browser gives none.

/**
 * Asks for files; within a click only. Resolves with none when the person changes their mind. `input` is used where there
 * is no picker that gives handles; it tells what was chosen by itself.
 */
export async function pick(input) {
  if (!globalThis.showOpenFilePicker) {
    input.click();
    return [];
  }
  try {
    const handles = await showOpenFilePicker({ multiple: true });
    return await Promise.all(handles.map(async (handle) => ({ file: await handle.getFile(), handle })));
  } catch (error) {
    if (error.name === "AbortError") return [];
    input.click();
    return [];
  }
}

/** Whether what is dragged over the page holds files. */
export const bringsFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");

/** What was dropped: {found, folders}, how many folders were among it. */
export async function dropped(transfer) {
  const items = [...transfer.items].filter((item) => item.kind === "file");
  // Everything is asked for at once: after the event the list is empty.
  const asked = items.map((item) => ({
    folder: item.webkitGetAsEntry?.()?.isDirectory ?? false,
    file: item.getAsFile(),
    handle: item.getAsFileSystemHandle?.().catch(() => null) ?? null,
  }));
  const whole = await Promise.all(asked.map(async (one) => ({ ...one, handle: await one.handle })));
  const found = whole.filter(({ folder, file }) => !folder && file);
  return { found: found.map(({ file, handle }) => ({ file, handle })), folders: whole.length - found.length };
}

/** Pasted files; none when there is text as well, because then that is meant (a table comes with its picture). */
export function pasted(transfer) {
  if (transfer.types.includes("text/plain")) return [];
  return [...transfer.files].map((file) => ({ file, handle: null }));
}

/** The file behind a handle: {file} or {lacks}, "permission" when the person has to allow it again, "file" when it is gone. */
export async function behind(handle, ask = false) {
  try {
    const wish = { mode: "read" };
    const answer = ask ? await handle.requestPermission(wish) : await handle.queryPermission(wish);
    return answer === "granted" ? { file: await handle.getFile(), lacks: "" } : { file: null, lacks: "permission" };
  } catch {
    return { file: null, lacks: "file" };
  }
}
