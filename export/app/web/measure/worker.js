// The measured worker: what worker.py is to profiles of other devices. It answers messages {id, command, ...}.
//
// Nothing is imported before "load" asks for it, so that the imports are timed. A worker that has loaded nothing
// yet says so at once.

/** @type {Promise<any> | undefined} */
let opened;

/**
 * @param {string} url of the bundle's folder
 */
async function load(url) {
  const begun = performance.now();
  const { start, openArtifact } = await import("./artifact.js");
  await start();
  const imports = (performance.now() - begun) / 1000;
  const artifact = await openArtifact(url);
  const { manifest, versions, clockMs } = artifact;
  return { artifact, reply: { manifest, versions, clockMs, seconds: { imports, ...artifact.seconds } } };
}

self.onmessage = async ({ data: { id, command, ...request } }) => {
  try {
    if (command === "load") {
      opened = load(request.url);
      self.postMessage({ id, reply: (await opened).reply });
    } else {
      const { artifact } = await opened;
      self.postMessage({ id, reply: await artifact[command](request) });
    }
  } catch (error) {
    self.postMessage({ id, error: String(error instanceof Error ? error.message : error) });
  }
};
self.postMessage({ ready: true });
