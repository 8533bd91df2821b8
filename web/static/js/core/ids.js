/**
 * An id that nobody else mints: 26 hex digits, sortable by time. Not crypto.randomUUID: that one is missing on plain
 * http from another machine.
 */
export function mint() {
  const random = crypto.getRandomValues(new Uint8Array(7));
  const tail = [...random].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return Date.now().toString(16).padStart(12, "0") + tail;
}
