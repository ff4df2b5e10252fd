"""Serves the app's folder to a browser on this machine, as a static host on the web would.

Standard library only. Every file is compressed once and kept in memory, which a folder of some 20 MB allows.
"""

from __future__ import annotations

import contextlib
import errno
import gzip
import hashlib
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote, urlsplit

from export.runtime.errors import UserError

INDEX = "index.html"
BUNDLES = "bundles"
CSP = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'"
)
ALWAYS = MappingProxyType(
    {
        "Content-Security-Policy": CSP,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }
)
REVALIDATE = "no-cache"  # the shell: ask each time whether it has changed
FOR_GOOD = "public, max-age=31536000, immutable"  # bundles/: a folder's name is a digest of what is in it
TYPES = MappingProxyType(
    {
        ".html": "text/html; charset=utf-8",
        ".css": "text/css; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".mjs": "text/javascript; charset=utf-8",
        ".json": "application/json",
        ".jsonl": "application/jsonl",
        ".webmanifest": "application/manifest+json",
        ".wasm": "application/wasm",
        ".svg": "image/svg+xml",
        ".png": "image/png",
        ".md": "text/markdown; charset=utf-8",
        ".txt": "text/plain; charset=utf-8",
    }
)
COMPRESSED_ALREADY = (".png",)
IDLE_SECONDS = 30.0  # then a connection without a request is closed, and one that takes nothing
PIECE = 1 << 16  # bytes written at once


def gzipped(data: bytes) -> bytes:
    """`data` as it goes over the wire; the same bytes each time."""
    return gzip.compress(data, 9, mtime=0)


@dataclass(frozen=True)
class Served:
    """A file in memory. `gzip` is None where compression gains nothing."""

    data: bytes
    gzip: bytes | None
    etag: str


class Files:
    """The files below a folder, read and compressed when first asked for, and again when they change."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._kept: dict[Path, tuple[tuple[int, int, int], Served]] = {}
        self._locks: dict[Path, threading.Lock] = {}
        self._guard = threading.Lock()

    def find(self, target: str) -> Path | None:
        """The file that a request's target means; None if there is none in the folder. Folders are not listed.

        Raises:
            OSError, ValueError: there can be no such file.
        """
        name = unquote(urlsplit(target).path, errors="replace").removeprefix("/") or INDEX
        if "\0" in name or "\\" in name or any(part.startswith(".") for part in name.split("/")):
            return None
        path = (self.folder / name).resolve()
        return path if path.is_relative_to(self.folder) and path.is_file() and not name.endswith("/") else None

    def get(self, path: Path) -> Served:
        """Content of a file that `find` gave; of several requests at once, one compresses it.

        Raises:
            OSError: it cannot be read.
        """
        with self._guard:
            lock = self._locks.setdefault(path, threading.Lock())
        with lock:
            status = path.stat()
            state = (status.st_mtime_ns, status.st_size, status.st_ino)
            kept = self._kept.get(path)
            if kept and kept[0] == state:
                return kept[1]
            data = path.read_bytes()
            small = None if path.suffix in COMPRESSED_ALREADY else gzipped(data)
            served = Served(data, small if small and len(small) < len(data) else None, _digest(data))
            self._kept[path] = (state, served)
            return served

    def load(self) -> None:
        """Read and compress everything before it is asked for, so that a first visit does not wait."""
        for path in sorted(self.folder.rglob("*"), key=lambda path: path.suffix != ".wasm"):
            with contextlib.suppress(OSError):
                if path.is_file():
                    self.get(path)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], files: Files) -> None:
        self.files = files
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Browsers drop connections all the time; anything else is a fault and keeps its traceback."""
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    error_content_type = "text/plain; charset=utf-8"
    error_message_format = "%(code)d %(message)s\n"
    server: _Server

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, body: bool) -> None:
        files = self.server.files
        path = served = None
        # A name too long for the system, no address at all, or a file that went away as the app was built again.
        with contextlib.suppress(OSError, ValueError):
            path = files.find(self.path)
            served = files.get(path) if path else None
        if path is None or served is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        compressed = served.gzip if _accepts_gzip(self.headers.get("Accept-Encoding", "")) else None
        data = compressed or served.data
        etag = f'"{served.etag}{"-gzip" if compressed else ""}"'
        unchanged = _matches(self.headers.get("If-None-Match", ""), etag)
        self.send_response(HTTPStatus.NOT_MODIFIED if unchanged else HTTPStatus.OK)
        self.send_header("ETag", etag)
        inside = path.relative_to(files.folder)
        self.send_header("Cache-Control", FOR_GOOD if inside.parts[0] == BUNDLES else REVALIDATE)
        if served.gzip:
            self.send_header("Vary", "Accept-Encoding")
        if not unchanged:
            self.send_header("Content-Type", TYPES.get(path.suffix, "application/octet-stream"))
            self.send_header("Content-Length", str(len(data)))
            if compressed:
                self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        if body and not unchanged:
            # IDLE_SECONDS are for each piece, so that a slow connection gets a large file too.
            for start in range(0, len(data), PIECE):
                self.wfile.write(data[start : start + PIECE])

    def version_string(self) -> str:
        return "app"  # which Python this is concerns nobody

    def end_headers(self) -> None:
        for name, value in ALWAYS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a page asks for dozens of files, and the browser's own tools show them."""


def _accepts_gzip(header: str) -> bool:
    """Whether an Accept-Encoding header names gzip, and not with a weight of 0."""
    for item in header.split(","):
        coding, *parameters = (part.strip().lower() for part in item.split(";"))
        if coding == "gzip":
            weight = next((parameter[2:] for parameter in parameters if parameter.startswith("q=")), "1")
            return weight.strip("0.") != ""
    return False


def _matches(header: str, etag: str) -> bool:
    """Whether an If-None-Match header holds the tag (RFC 9110, 13.1.2: weak comparison)."""
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return "*" in tags or etag in tags


def make_server(folder: Path, port: int, host: str = "127.0.0.1") -> _Server:
    """A server of `folder` that listens and does not yet answer: call serve_forever. Port 0 takes a free one.

    Raises:
        UserError: the folder holds no app, or the port cannot be had.
    """
    if not (folder / INDEX).is_file():
        raise UserError(f"{folder} holds no app: there is no {INDEX}.", "Build one: make app LANG=swa.")
    with _explained(port, host):
        return _Server((host, port), Files(folder))


def check_port(port: int, host: str = "127.0.0.1") -> None:
    """Raise now what `make_server` would raise of the port after minutes of building."""
    with _explained(port, host):
        ThreadingHTTPServer((host, port), BaseHTTPRequestHandler).server_close()


@contextlib.contextmanager
def _explained(port: int, host: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UserError(
                f"Port {port} of {host} is taken.", f"Stop what uses it, or name another one: PORT={port + 1}."
            ) from error
        raise UserError(
            f"Port {port} of {host} cannot be had: {error.strerror}.", "Name one above 1023: PORT=8000."
        ) from error


def serve(folder: Path, port: int, host: str = "127.0.0.1", ready: Callable[[int], None] | None = None) -> None:
    """Serve `folder` until the process is interrupted; `ready` is told the port once it listens.

    Raises:
        UserError: as `make_server`.
        KeyboardInterrupt: Ctrl-C, after the port was given back.
    """
    with make_server(folder, port, host) as server:
        threading.Thread(target=server.files.load, daemon=True).start()
        if ready:
            ready(server.server_port)
        server.serve_forever()
