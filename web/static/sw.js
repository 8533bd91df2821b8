// The service worker: it holds notifications, and leads from a clicked one back to the page. It serves no requests.
//
// Further channels (a push while no page is open) begin here, with an event of their own that calls showNotification.

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(lead(event.notification.data ?? {}));
});

// Tabs in which something else of this origin is open (a file, the operator's page) do not listen.
const PAGES = /^\/(chat|contacts|settings)(\/|$)/;

/** To the tab that was used last, else to a new one. `target`: {path, seq}. */
async function lead(target) {
  const all = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const tabs = all.filter(({ url }) => PAGES.test(new URL(url).pathname));
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
