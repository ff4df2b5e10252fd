"""A stand-in for the hub: its HTTP API over files in memory, on 127.0.0.1."""

from __future__ import annotations

import hashlib
import io
import json
import re
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest


@dataclass
class StandInHub:
    """Repositories by (kind, id, revision); `requests` records what was asked."""

    commit: str = "0123456789abcdef0123456789abcdef01234567"
    url: str = ""
    files: dict[tuple[str, str, str], dict[str, bytes]] = field(default_factory=dict)
    tags: dict[str, list[str]] = field(default_factory=dict)
    refuse: dict[str, tuple[int, str]] = field(default_factory=dict)  # id -> status, X-Error-Code
    body: bytes | None = None  # answered to everything, as a captive portal does
    requests: list[str] = field(default_factory=list)
    stop: Callable[[], None] = lambda: None

    def add(self, kind: str, repo_id: str, files: dict[str, bytes], revision: str = "main") -> None:
        self.files[kind, repo_id, revision] = files

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body for a path of the hub's API or a file."""
        self.requests.append(path)
        if self.body is not None:
            return 200, {"Content-Type": "text/html"}, self.body
        api = re.fullmatch(r"/api/(models|datasets)/([^/]+/[^/]+?)(?:/revision/([^/]+))?", path)
        if api:
            kind, repo_id, revision = api[1][:-1], api[2], unquote(api[3] or "main")
            return self._info(kind, repo_id, revision)
        file = re.fullmatch(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        if file:
            return self._file("dataset" if file[1] else "model", file[2], unquote(file[3]), unquote(file[4]))
        return 404, {}, b""

    def _info(self, kind: str, repo_id: str, revision: str) -> tuple[int, dict[str, str], bytes]:
        if repo_id in self.refuse:
            status, code = self.refuse[repo_id]
            return status, {"X-Error-Code": code}, b"{}"
        if not any(key[:2] == (kind, repo_id) for key in self.files):
            return 401, {"X-Error-Code": "RepoNotFound"}, b"{}"
        if revision == self.commit:  # every revision here has the same one
            revision = next(key[2] for key in self.files if key[:2] == (kind, repo_id))
        if (kind, repo_id, revision) not in self.files:
            return 404, {"X-Error-Code": "RevisionNotFound"}, b"{}"
        siblings = [
            {"rfilename": name, "size": len(data)} for name, data in self.files[kind, repo_id, revision].items()
        ]
        info = {"id": repo_id, "sha": self.commit, "siblings": siblings, "tags": self.tags.get(repo_id, [])}
        return 200, {"Content-Type": "application/json"}, json.dumps(info).encode()

    def _file(self, kind: str, repo_id: str, revision: str, name: str) -> tuple[int, dict[str, str], bytes]:
        assert revision == self.commit, "downloads are pinned to the listed commit"
        for (its_kind, its_id, _), files in self.files.items():
            if (its_kind, its_id) == (kind, repo_id) and name in files:
                etag = hashlib.sha256(files[name]).hexdigest()
                return 200, {"ETag": f'"{etag}"', "X-Repo-Commit": self.commit}, files[name]
        return 404, {"X-Error-Code": "EntryNotFound"}, b""


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInHub]:
    """A running stand-in that huggingface_hub takes for the hub, with an empty cache."""
    from huggingface_hub import constants

    stand_in = StandInHub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = stand_in.answer(urlsplit(self.path).path)
            self.send_response(status)
            for header, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(header, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()

    def stop() -> None:
        server.shutdown()
        server.server_close()

    stand_in.url = f"http://127.0.0.1:{server.server_port}"
    stand_in.stop = stop
    # huggingface_hub reads HF_ENDPOINT and HF_HOME once, when it is imported.
    template = stand_in.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "ENDPOINT", stand_in.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr("huggingface_hub.file_download.HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    yield stand_in
    stop()


@pytest.fixture
def zip_of() -> Callable[[dict[str, bytes]], bytes]:
    def make(members: dict[str, bytes]) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in members.items():
                archive.writestr(name, data)
        return buffer.getvalue()

    return make


@pytest.fixture
def conll_folder(tmp_path: Path) -> Callable[..., Path]:
    """Writes splits given as text into folder/LANG/SPLIT.txt."""

    def make(lang: str = "swa", name: str = "own", **splits: str) -> Path:
        place = tmp_path / name / lang
        place.mkdir(parents=True)
        for split, text in splits.items():
            (place / f"{split}.txt").write_bytes(text.encode("utf-8"))
        return tmp_path / name

    return make
