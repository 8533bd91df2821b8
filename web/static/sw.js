// The service worker: it holds notifications, and leads from a clicked one back to the page. It serves no requests.
//
// Further channels (a push while no page is open) begin here, with an event of their own that calls showNotification.

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(lead(event.notification.data ?? {}));
});

/** To the tab that was used last, else to a new one. `target`: {path, seq}. */
async function lead(target) {
  const tabs = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const tab = tabs.find((one) => one.visibilityState === "visible") ?? tabs[0];
  if (!tab) {
    const place = target.seq ? `#at=${target.seq}` : "";
    await self.clients.openWindow(`${target.path ?? "/chat"}${place}`);
    return;
  }
  tab.postMessage({ type: "open", ...target });
  // Only a real click may move the focus.
  await tab.focus().catch(() => {});
}
