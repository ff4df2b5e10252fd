// The service worker: the app's shell offline. A classic script, so that a new precache.js makes a new worker.

importScripts("precache.js"); // self.SHELL, written by the build

const { version, files } = self.SHELL;
const CURRENT = `shell-${version}`;
const SCOPE = new URL("./", self.location).href;
const BUNDLES = `${SCOPE}bundles/`;

self.addEventListener("install", (event) => event.waitUntil(precache()));
self.addEventListener("activate", (event) => event.waitUntil(takeOver()));
self.addEventListener("message", (event) => {
  if (event.data === "skip-waiting") self.skipWaiting(); // the user asked for the update
});
self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || !request.url.startsWith(SCOPE)) return;
  if (request.cache === "reload") return; // somebody has reason to doubt the copy
  if (!request.url.startsWith(BUNDLES)) event.respondWith(fromShell(request));
  else if (request.cache === "default") event.respondWith(fromBundles(request));
});

async function precache() {
  // The first time, what the page has just loaded is used again. An update asks the server about every file, so that
  // no copy from before gets among the new ones.
  const cache = (await ownShells()).length ? "no-cache" : "default";
  await (await caches.open(CURRENT)).addAll(files.map((file) => new Request(file, { cache })));
}

async function takeOver() {
  for (const name of await ownShells()) if (name !== CURRENT) await caches.delete(name);
  await self.clients.claim(); // so that the first visit already goes on offline
}

/** Shells that this app stored, this version's among them: other apps may share the address. */
async function ownShells() {
  const names = (await caches.keys()).filter((name) => name.startsWith("shell-"));
  const own = await Promise.all(names.map(async (name) => (await caches.open(name)).match(SCOPE)));
  return names.filter((_, index) => own[index]);
}

async function fromShell(request) {
  const cache = await caches.open(CURRENT);
  const exact = await cache.match(request, { ignoreSearch: true, ignoreVary: true });
  if (exact) return exact;
  return (request.mode === "navigate" && (await cache.match(SCOPE))) || fetch(request);
}

/** The page's worker stores bundles; here they are only read, for the measuring part. */
async function fromBundles(request) {
  return (await caches.match(request, { ignoreVary: true })) ?? fetch(request);
}
