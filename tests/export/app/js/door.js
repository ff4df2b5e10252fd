// The app's real server behind a door: it counts what is asked for, breaks single answers, and can be shut.

import http from "node:http";

/** One door per test: a port of its own is an origin of its own, with its own caches. */
export class Door {
  /** @param {string} upstream address of a server of the app @param {string} folder path the app appears under */
  constructor(upstream, folder = "/") {
    this.upstream = upstream;
    this.folder = folder;
    /** @type {{ path: string, status: number, bytes: number }[]} answered requests, without the folder */
    this.requests = [];
    /** @type {{ path: RegExp, status?: number, cutAt?: number, wait?: true, change?: (body: Buffer) => Buffer }[]} */
    this.faults = [];
    /** @type {(() => void)[]} */
    this.held = []; // answers that wait for `resume`
    this.sockets = new Set();
    this.closedBytes = 0; // sent over connections that have ended
    this.server = http.createServer((request, response) => this.#answer(request, response));
    this.server.on("connection", (socket) => {
      this.sockets.add(socket);
      socket.on("close", () => {
        this.sockets.delete(socket);
        this.closedBytes += socket.bytesWritten;
      });
    });
  }

  async open(port = 0) {
    await new Promise((resolve, reject) => {
      this.server.once("error", reject);
      this.server.listen(port, "127.0.0.1", () => resolve(undefined));
    });
    this.server.unref(); // a test that fails leaves it open
    this.port = this.server.address().port;
    this.origin = `http://127.0.0.1:${this.port}`;
    this.url = this.origin + this.folder;
    return this;
  }

  /** The server is gone: open connections break, new ones are refused. */
  async shut() {
    const closed = new Promise((resolve) => this.server.close(resolve));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  reopen() {
    return this.open(this.port);
  }

  /** Every byte sent so far: bodies as compressed, and HTTP's headers. */
  get bytesSent() {
    return this.closedBytes + [...this.sockets].reduce((sum, socket) => sum + socket.bytesWritten, 0);
  }

  /** Lets the answers go that a fault held back. */
  resume() {
    this.faults = this.faults.filter(({ wait }) => !wait);
    for (const deliver of this.held.splice(0)) deliver();
  }

  /** How often a path was asked for. @param {RegExp} path */
  count(path) {
    return this.requests.filter((one) => path.test(one.path)).length;
  }

  #answer(request, response) {
    if (!request.url.startsWith(this.folder)) return void response.writeHead(404).end();
    const path = request.url.slice(this.folder.length);
    const fault = this.faults.find((one) => one.path.test(path));
    const headers = { ...request.headers };
    if (fault) delete headers["accept-encoding"]; // bytes that can be cut and changed
    const url = new URL(path, `${this.upstream}/`);
    const onward = http.request(url, { method: request.method, headers }, (incoming) => {
      const chunks = [];
      incoming.on("data", (chunk) => chunks.push(chunk));
      incoming.on("end", () => {
        const deliver = () => this.#deliver(path, fault, incoming, Buffer.concat(chunks), response);
        if (fault?.wait && this.faults.includes(fault)) this.held.push(deliver);
        else deliver();
      });
    });
    onward.on("error", () => response.destroy());
    request.pipe(onward);
  }

  #deliver(path, fault, incoming, body, response) {
    const status = fault?.status ?? incoming.statusCode;
    const whole = fault?.change ? fault.change(body) : body;
    this.requests.push({ path, status, bytes: whole.length });
    const headers = { ...incoming.headers, "content-length": String(whole.length) };
    if (status === 304) delete headers["content-length"];
    if (fault?.status) for (const name of ["cache-control", "etag", "content-encoding"]) delete headers[name];
    response.writeHead(status, headers);
    if (fault?.cutAt === undefined) return void response.end(status === 304 ? undefined : whole);
    // The length was promised; the connection breaks before it is kept.
    response.write(whole.subarray(0, fault.cutAt), () => response.destroy());
  }
}
