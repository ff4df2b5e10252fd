// The service worker seen from the page: offline use, new versions, and installing the app.

/**
 * Registers the service worker. Without one (plain http, private windows) the app works, but not offline.
 * @param {(update: () => void) => void} offer is told of a new version, and how to change to it
 * @returns {Promise<boolean>} whether the shell is stored, so that the page opens offline
 */
export async function startOffline(offer) {
  const workers = navigator.serviceWorker;
  if (!workers) return false;
  let controlled = Boolean(workers.controller);
  workers.addEventListener("controllerchange", () => {
    if (controlled) location.reload(); // a new version; the first one just takes the page over
    controlled = true;
  });
  try {
    // "none": precache.js is asked for at the server too, or a new build stays unseen.
    const registration = await workers.register("sw.js", { updateViaCache: "none" });
    controlled ||= registration.active?.state === "activated"; // a page reloaded past its caches has no controller
    watch(registration, offer);
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") registration.update().catch(() => {});
    });
    return await settled(registration);
  } catch {
    return false;
  }
}

/**
 * @param {ServiceWorkerRegistration} registration
 * @param {(update: () => void) => void} offer
 */
function watch(registration, offer) {
  const waits = () => {
    const worker = registration.waiting;
    if (worker && registration.active) offer(() => worker.postMessage("skip-waiting"));
  };
  waits();
  registration.addEventListener("updatefound", () => registration.installing?.addEventListener("statechange", waits));
}

/**
 * Whether a version of the shell is stored, once that is known.
 * @param {ServiceWorkerRegistration} registration
 * @returns {Promise<boolean>}
 */
function settled(registration) {
  const worker = registration.installing;
  if (registration.active || !worker) return Promise.resolve(Boolean(registration.active));
  return new Promise((resolve) => {
    worker.addEventListener("statechange", () => {
      if (worker.state === "activated" || worker.state === "redundant") resolve(worker.state === "activated");
    });
  });
}

/** Asks the server for a new version; `startOffline` offers it. */
export async function lookForUpdate() {
  try {
    await (await navigator.serviceWorker.getRegistration())?.update();
  } catch {
    // offline, or there is none
  }
}

/**
 * Shows `button` while the browser is ready to install the app.
 * @param {HTMLButtonElement} button
 */
export function offerInstall(button) {
  /** @type {any} */
  let prompt;
  addEventListener("beforeinstallprompt", (event) => {
    event.preventDefault();
    prompt = event;
    button.hidden = false;
  });
  addEventListener("appinstalled", () => (button.hidden = true));
  button.addEventListener("click", async () => {
    button.hidden = true;
    await prompt?.prompt();
  });
}
