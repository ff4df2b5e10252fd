"""A stand-in for the hub that files are pushed to: the API that huggingface_hub speaks, over memory, on 127.0.0.1.

It is as strict as the hub about what a test could get wrong: who may write where, digests and sizes of LFS objects,
which files must be LFS, the parent of a commit, and the front matter of a model card.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.toolkit.card_rules import card_problems

LFS_PATTERNS = ("*.onnx", "*.model", "*.bin", "*.safetensors", "*.pt", "*.zip")  # of those the hub writes
ATTRIBUTES = "".join(f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in LFS_PATTERNS).encode()
LARGEST_REGULAR = 10_000_000


def git_digest(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


@dataclass
class Answer(Exception):
    """A status, with headers and a body."""

    status: int
    body: Any = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Repository:
    """`heads` are the commits, oldest first, each with all of its files."""

    private: bool
    heads: list[tuple[str, dict[str, bytes]]] = field(default_factory=list)
    lfs: set[str] = field(default_factory=set)  # names stored by LFS

    @property
    def commit(self) -> str:
        return self.heads[-1][0]

    @property
    def files(self) -> dict[str, bytes]:
        return self.heads[-1][1]

    def add_commit(self, files: dict[str, bytes]) -> str:
        listing = "".join(f"{git_digest(data)} {name}\n" for name, data in sorted(files.items()))
        parent = self.heads[-1][0] if self.heads else ""
        self.heads.append((hashlib.sha1((parent + listing).encode()).hexdigest(), files))
        return self.commit


@dataclass
class UploadHub:
    """Repositories by id; `tokens` gives the names that each token may write under."""

    url: str = ""
    tokens: dict[str, tuple[str, ...]] = field(default_factory=lambda: {"hf_writes": ("you",), "hf_reads": ()})
    repositories: dict[str, Repository] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    parts: dict[tuple[str, int], bytes] = field(default_factory=dict)
    part_bytes: int | None = None  # size of one part of larger LFS objects
    requests: list[str] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)
    fail: dict[str, Answer] = field(default_factory=dict)  # "METHOD path" as a regular expression -> the answer
    before_commit: Callable[[], None] = lambda: None
    stop: Callable[[], None] = lambda: None

    def add(self, repo_id: str, files: dict[str, bytes], private: bool = True) -> Repository:
        repository = self.repositories[repo_id] = Repository(private)
        repository.add_commit({".gitattributes": ATTRIBUTES, **files})
        return repository

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        self.requests.append(f"{method} {path}")
        self.agents.add(headers.get("user-agent", ""))
        for pattern, answer in self.fail.items():
            if re.fullmatch(pattern, f"{method} {path}"):
                return answer
        try:
            for its_method, pattern, handler in _ROUTES:
                found = re.fullmatch(pattern, path)
                if found and its_method == method.replace("HEAD", "GET"):
                    return handler(self, headers, body, *map(unquote, found.groups()))
        except Answer as answer:
            return answer
        return Answer(404)

    def _writer(self, headers: dict[str, str], repo_id: str) -> None:
        token = headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.tokens:
            raise Answer(401, headers={"X-Error-Message": "Invalid credentials in Authorization header"})
        if repo_id.split("/")[0] not in self.tokens[token]:
            said = f"You don't have the rights to write under the namespace {repo_id.split('/')[0]}"
            raise Answer(403, {"error": said}, {"X-Error-Message": said})

    def _repository(self, headers: dict[str, str], repo_id: str) -> Repository:
        token = headers.get("authorization", "").removeprefix("Bearer ")
        if token and token not in self.tokens:
            raise Answer(401, headers={"X-Error-Message": "Invalid credentials in Authorization header"})
        found = self.repositories.get(repo_id)
        if found is None or (found.private and repo_id.split("/")[0] != "you"):
            raise Answer(404, headers={"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"})
        return found

    def _create(self, headers: dict[str, str], body: bytes) -> Answer:
        asked = json.loads(body)
        repo_id = f"{asked['organization']}/{asked['name']}"
        assert asked["type"] == "model"
        self._writer(headers, repo_id)
        url = f"{self.url}/{repo_id}"
        if repo_id in self.repositories:
            return Answer(409, {"error": "You already created this model repo", "url": url})
        self.add(repo_id, {}, asked["private"])
        return Answer(200, {"url": url, "name": repo_id, "id": "0"})

    def _info(self, headers: dict[str, str], body: bytes, repo_id: str) -> Answer:
        repository = self._repository(headers, repo_id)
        siblings = []
        for name, data in repository.files.items():
            sibling: dict[str, Any] = {"rfilename": name, "size": len(data), "blobId": git_digest(data)}
            if name in repository.lfs:
                sha256 = hashlib.sha256(data).hexdigest()
                sibling |= {"blobId": "0" * 40, "lfs": {"sha256": sha256, "size": len(data), "pointerSize": 134}}
            siblings.append(sibling)
        info = {"id": repo_id, "sha": repository.commit, "private": repository.private}
        return Answer(200, {**info, "siblings": siblings})

    def _validate_yaml(self, headers: dict[str, str], body: bytes) -> Answer:
        asked = json.loads(body)
        assert asked["repoType"] == "model"
        errors = [{"message": problem} for problem in card_problems(asked["content"])]
        return Answer(400 if errors else 200, {"errors": errors, "warnings": []})

    def _preupload(self, headers: dict[str, str], body: bytes, repo_id: str) -> Answer:
        self._writer(headers, repo_id)
        repository = self._repository(headers, repo_id)
        modes = []
        for file in json.loads(body)["files"]:
            assert len(base64.b64decode(file["sample"])) == min(512, file["size"])
            old = repository.files.get(file["path"])
            lfs = self._must_be_lfs(file["path"], file["size"])
            oid = None if old is None else hashlib.sha256(old).hexdigest() if lfs else git_digest(old)
            mode = "lfs" if lfs else "regular"
            modes.append({"path": file["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        return Answer(200, {"files": modes})

    @staticmethod
    def _must_be_lfs(name: str, size: int) -> bool:
        return size > LARGEST_REGULAR or any(fnmatch(name.split("/")[-1], pattern) for pattern in LFS_PATTERNS)

    def _batch(self, headers: dict[str, str], body: bytes, repo_id: str) -> Answer:
        self._writer(headers, repo_id)
        asked = json.loads(body)
        assert (asked["operation"], asked["hash_algo"]) == ("upload", "sha256") and "basic" in asked["transfers"]
        objects = []
        for wanted in asked["objects"]:
            actions: dict[str, Any] = {}
            oid, size = wanted["oid"], wanted["size"]
            if oid not in self.objects:
                actions = {
                    "upload": {"href": f"{self.url}/lfs/{oid}/{size}", "header": {}},
                    "verify": {"href": f"{self.url}/lfs/verify", "header": {}},
                }
            if actions and self.part_bytes and size > self.part_bytes:
                parts = {str(n + 1): f"{self.url}/lfs/part/{oid}/{n + 1}" for n in range(-(-size // self.part_bytes))}
                actions["upload"]["header"] = {"chunk_size": str(self.part_bytes), **parts}
            objects.append({"oid": oid, "size": size, **({"actions": actions} if actions else {})})
        return Answer(200, {"transfer": "basic", "objects": objects})

    def _put(self, headers: dict[str, str], body: bytes, oid: str, size: str) -> Answer:
        if len(body) != int(size) or hashlib.sha256(body).hexdigest() != oid:
            return Answer(400, "digest or size differs")
        self.objects[oid] = body
        return Answer(200)

    def _put_part(self, headers: dict[str, str], body: bytes, oid: str, number: str) -> Answer:
        assert self.part_bytes is not None and 0 < len(body) <= self.part_bytes
        self.parts[oid, int(number)] = body
        return Answer(200, headers={"ETag": f'"{git_digest(body)}"'})

    def _join(self, headers: dict[str, str], body: bytes, oid: str, size: str) -> Answer:
        asked = json.loads(body)
        numbers = [part["partNumber"] for part in asked["parts"]]
        assert asked["oid"] == oid and numbers == list(range(1, len(numbers) + 1))
        data = [self.parts[oid, number] for number in numbers]
        assert [part["etag"].strip('"') for part in asked["parts"]] == [git_digest(part) for part in data]
        return self._put(headers, b"".join(data), oid, size)

    def _verify(self, headers: dict[str, str], body: bytes) -> Answer:
        asked = json.loads(body)
        return Answer(200 if len(self.objects.get(asked["oid"], b"")) == asked["size"] else 404)

    def _commit(self, headers: dict[str, str], body: bytes, repo_id: str) -> Answer:
        self._writer(headers, repo_id)
        self.before_commit()
        repository = self._repository(headers, repo_id)
        assert headers["content-type"] == "application/x-ndjson" and body.endswith(b"\n")
        first, *rest = [json.loads(line) for line in body.splitlines()]
        assert first["key"] == "header" and first["value"]["summary"] and rest
        if first["value"].get("parentCommit") != repository.commit:
            return Answer(412, {"error": "A commit has happened since. Please refresh and try again."})
        files, lfs, seen = dict(repository.files), set(repository.lfs), set()
        for line in rest:
            key, value, name = line["key"], line["value"], line["value"]["path"]
            assert name not in seen, f"{name} twice in one commit"
            seen.add(name)
            lfs.discard(name)
            if key == "file":
                assert value["encoding"] == "base64"
                files[name] = base64.b64decode(value["content"], validate=True)
                assert not self._must_be_lfs(name, len(files[name])), f"{name} must be LFS"
            elif key == "lfsFile":
                if value["algo"] != "sha256" or len(self.objects.get(value["oid"], b"")) != value["size"]:
                    return Answer(400, {"error": f"LFS object of {name} is missing"})
                files[name] = self.objects[value["oid"]]
                lfs.add(name)
            elif key == "deletedFile" and name in files:
                del files[name]
            else:
                said = "A file with this name doesn't exist"
                return Answer(404, {"error": said}, {"X-Error-Code": "EntryNotFound", "X-Error-Message": said})
        if "README.md" in seen and "README.md" in files and (problems := card_problems(files["README.md"].decode())):
            return Answer(400, {"error": problems[0]})
        repository.lfs = lfs
        commit = repository.add_commit(files)
        return Answer(200, {"commitUrl": f"{self.url}/{repo_id}/commit/{commit}", "commitOid": commit})

    def _file(self, headers: dict[str, str], body: bytes, repo_id: str, revision: str, name: str) -> Answer:
        repository = self._repository(headers, repo_id)
        heads = dict(repository.heads)
        commit = repository.commit if revision == "main" else revision
        if name not in heads.get(commit, {}):
            return Answer(404, headers={"X-Error-Code": "EntryNotFound"})
        data = heads[commit][name]
        return Answer(200, data, {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": commit})


_ID = "([^/]+/[^/]+)"
_ROUTES: tuple[tuple[str, str, Callable[..., Answer]], ...] = (
    ("POST", "/api/repos/create", UploadHub._create),
    ("GET", f"/api/models/{_ID}", UploadHub._info),
    ("GET", f"/api/models/{_ID}/revision/[^/]+", UploadHub._info),
    ("POST", "/api/validate-yaml", UploadHub._validate_yaml),
    ("POST", f"/api/models/{_ID}/preupload/main", UploadHub._preupload),
    ("POST", f"/{_ID}\\.git/info/lfs/objects/batch", UploadHub._batch),
    ("PUT", "/lfs/part/([0-9a-f]{64})/([0-9]+)", UploadHub._put_part),
    ("PUT", "/lfs/([0-9a-f]{64})/([0-9]+)", UploadHub._put),
    ("POST", "/lfs/verify", UploadHub._verify),
    ("POST", "/lfs/([0-9a-f]{64})/([0-9]+)", UploadHub._join),
    ("POST", f"/api/models/{_ID}/commit/main", UploadHub._commit),
    ("GET", f"/{_ID}/resolve/([^/]+)/(.+)", UploadHub._file),
)


@contextmanager
def running(hub: UploadHub) -> Iterator[UploadHub]:
    """Serve the stand-in on a free port of 127.0.0.1; `hub.url` is its address."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            assert "Transfer-Encoding" not in self.headers, "stores of LFS objects want a length"
            headers = {name.lower(): value for name, value in self.headers.items()}
            found = hub.answer(self.command, urlsplit(self.path).path, headers, body)
            data = found.body if isinstance(found.body, bytes) else json.dumps(found.body).encode()
            self.send_response(found.status)
            for name, value in {**found.headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        do_GET = do_HEAD = do_POST = do_PUT = _answer

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop() -> None:
        server.shutdown()
        server.server_close()

    hub.url, hub.stop = f"http://127.0.0.1:{server.server_port}", stop
    yield hub
    stop()
