"""The app's server: what it sends, what it keeps to itself, and how it goes on."""

from __future__ import annotations

import gzip
import http.client
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from export.app import serve as serving
from export.app.serve import CSP, FOR_GOOD, REVALIDATE, check_port, make_server, serve
from export.runtime.errors import UserError

PAGE = "<!doctype html>" + "<p>Samia</p>" * 100
FILES = {
    "index.html": PAGE,
    "app.js": "export {};" * 100,
    "sw.js": "x" * 500,
    "manifest.webmanifest": '{"name": "x"}' * 50,
    "style.css": "p{}" * 100,
    "icon.svg": "<svg/>" * 100,
    "vendor/x.mjs": "export {};" * 100,
    "vendor/x.wasm": "\0asm" * 100,
    "vendor/LICENSES.txt": "MIT" * 100,
    "bundles/swa-1/manifest.json": "{}" * 100,
    "bundles/swa-1/golden.jsonl": "{}\n" * 100,
    "bundles/swa-1/README.md": "# swa" * 100,
    "bundles/swa-1/onnx/model.onnx": "weights" * 100,
    ".hidden": "secret",
}
PNG = bytes(range(256)) * 4


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / "app" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "app" / name).write_text(text, "utf-8")
    (tmp_path / "app" / "icon-192.png").write_bytes(PNG)
    (tmp_path / "outside.txt").write_text("secret")
    return tmp_path / "app"


@pytest.fixture
def port(folder: Path) -> Iterator[int]:
    with make_server(folder, 0) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_port
        server.shutdown()


def ask(port: int, target: str, method: str = "GET", **headers: str) -> Reply:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        reply = connection.getresponse()
        return Reply(reply.status, dict(reply.getheaders()), reply.read())
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/app.js", "text/javascript; charset=utf-8"),
        ("/vendor/x.mjs", "text/javascript; charset=utf-8"),
        ("/vendor/x.wasm", "application/wasm"),
        ("/manifest.webmanifest", "application/manifest+json"),
        ("/style.css", "text/css; charset=utf-8"),
        ("/icon.svg", "image/svg+xml"),
        ("/icon-192.png", "image/png"),
        ("/bundles/swa-1/manifest.json", "application/json"),
        ("/bundles/swa-1/onnx/model.onnx", "application/octet-stream"),
    ],
)
def test_each_file_has_its_type_and_the_headers_of_all(target: str, kind: str, port: int) -> None:
    reply = ask(port, target)
    assert (reply.status, reply.headers["Content-Type"]) == (200, kind)
    assert reply.headers["Content-Security-Policy"] == CSP and "'wasm-unsafe-eval'" in CSP
    assert (reply.headers["X-Content-Type-Options"], reply.headers["Referrer-Policy"]) == ("nosniff", "no-referrer")
    assert reply.headers["Server"] == "app"


def test_the_shell_is_asked_for_again_and_bundles_never(port: int) -> None:
    assert ask(port, "/sw.js").headers["Cache-Control"] == REVALIDATE == "no-cache"
    assert ask(port, "/bundles/swa-1/onnx/model.onnx").headers["Cache-Control"] == FOR_GOOD
    assert "immutable" in FOR_GOOD and "max-age=31536000" in FOR_GOOD


@pytest.mark.parametrize("name", sorted(set(FILES) - {".hidden"}))
def test_everything_but_images_is_compressed_where_that_is_accepted(name: str, port: int) -> None:
    plain, small = ask(port, f"/{name}"), ask(port, f"/{name}", Accept_Encoding="br, gzip;q=0.8")
    assert plain.body.decode() == FILES[name] and "Content-Encoding" not in plain.headers
    assert small.headers["Content-Encoding"] == "gzip" and gzip.decompress(small.body) == plain.body
    assert int(small.headers["Content-Length"]) == len(small.body) < len(plain.body)
    assert small.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
    assert small.headers["ETag"] != plain.headers["ETag"]


def test_a_large_file_goes_piece_by_piece_so_that_a_slow_connection_gets_it_whole(
    folder: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = bytes(1_000_000)
    (folder / "large.png").write_bytes(data)
    sizes: list[int] = []
    write = socketserver._SocketWriter.write  # type: ignore[attr-defined]

    def counted(self: object, piece: bytes) -> int:
        sizes.append(len(piece))
        return int(write(self, piece))

    monkeypatch.setattr(socketserver._SocketWriter, "write", counted)  # type: ignore[attr-defined]
    assert ask(port, "/large.png").body == data
    assert max(sizes) <= 1 << 16 and sum(sizes) > len(data)


def test_an_image_goes_as_it_is(port: int) -> None:
    reply = ask(port, "/icon-192.png", Accept_Encoding="gzip")
    assert reply.body == PNG and "Content-Encoding" not in reply.headers and "Vary" not in reply.headers


@pytest.mark.parametrize("accepted", ["gzip;q=0", "gzip; q=0.00", "br", "", "xgzip"])
def test_gzip_that_is_not_accepted_is_not_sent(accepted: str, port: int) -> None:
    assert "Content-Encoding" not in ask(port, "/", Accept_Encoding=accepted).headers


def test_a_file_is_compressed_once(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def counted(data: bytes) -> bytes:
        sizes.append(len(data))
        return gzip.compress(data)

    monkeypatch.setattr(serving, "gzipped", counted)
    threads = [threading.Thread(target=ask, args=(port, "/app.js")) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sizes == [len(FILES["app.js"])]


def test_everything_can_be_compressed_before_it_is_asked_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = serving.Files(folder)
    files.load()
    monkeypatch.setattr(serving, "gzipped", pytest.fail)
    for name in set(FILES) - {".hidden"}:
        path = files.find(f"/{name}")
        assert path is not None and files.get(path).data.decode() == FILES[name]


def test_what_has_not_changed_is_not_sent_again(folder: Path, port: int) -> None:
    first = ask(port, "/", Accept_Encoding="gzip")
    tag = first.headers["ETag"]
    for tags in (tag, f'"other", W/{tag}', "*"):
        again = ask(port, "/", Accept_Encoding="gzip", If_None_Match=tags)
        assert (again.status, again.body, again.headers["ETag"]) == (304, b"", tag)
        assert again.headers["Cache-Control"] == REVALIDATE
    assert ask(port, "/", If_None_Match=tag).status == 200  # the tag is of the compressed one
    (folder / "index.html").write_text(PAGE + "<p>new</p>")
    changed = ask(port, "/", Accept_Encoding="gzip", If_None_Match=tag)
    assert changed.status == 200 and gzip.decompress(changed.body).endswith(b"<p>new</p>")


def test_head_has_the_headers_of_get_and_no_body(port: int) -> None:
    got, head = ask(port, "/app.js"), ask(port, "/app.js", "HEAD")
    assert head.body == b""
    assert {**head.headers, "Date": ""} == {**got.headers, "Date": ""}


@pytest.mark.parametrize(
    "target",
    [
        "/nothing.js", "/vendor", "/vendor/", "/bundles/", "/app.js/", "/.hidden", "/vendor/../.hidden",
        "/../outside.txt", "/%2e%2e/outside.txt", "/..%2foutside.txt", "/vendor/..%2f..%2foutside.txt",
        "/vendor\\x.mjs", "/app.js%00.png", "//outside.txt", "/link.txt", "/linked/outside.txt", "/%ff",
        "/" + "a" * 3000,
    ],
)  # fmt: skip
def test_what_is_no_file_of_the_folder_is_not_found(target: str, folder: Path, port: int) -> None:
    (folder / "link.txt").symlink_to(folder.parent / "outside.txt")
    (folder / "linked").symlink_to(folder.parent)
    reply = ask(port, target)
    assert (reply.status, reply.body) == (404, b"404 Not Found\n")
    assert reply.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert reply.headers["Content-Security-Policy"] == CSP


def test_an_absolute_path_of_the_machine_is_no_path_of_the_app(folder: Path, port: int) -> None:
    assert ask(port, f"/{folder.parent / 'outside.txt'}").status == 404


def test_an_address_that_is_none_is_not_found(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(b"GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 404 ")


def test_a_query_does_not_change_the_file(port: int) -> None:
    assert ask(port, "/app.js?v=2").body.decode() == FILES["app.js"]
    assert ask(port, "/?source=home").body.decode() == PAGE


def test_other_methods_are_refused(port: int) -> None:
    for method in ("POST", "PUT", "DELETE"):
        assert ask(port, "/", method, Content_Length="0").status == 501


def test_a_connection_serves_several_requests_and_one_that_breaks_off_harms_none(
    port: int, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.create_connection(("127.0.0.1", port), 10) as broken:
        broken.sendall(b"GET /vendor/x.wasm HTTP/1.1\r\nHo")
        broken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for name in ("app.js", "style.css"):
        connection.request("GET", f"/{name}")
        assert connection.getresponse().read().decode() == FILES[name]
    connection.close()
    assert capfd.readouterr() == ("", "")  # nor is anything logged


def test_a_file_that_goes_away_in_between_is_not_found(
    folder: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving.Files, "find", lambda self, target: folder / "gone.js")
    assert ask(port, "/gone.js").status == 404


def test_a_port_that_is_taken_says_how_to_name_another(folder: Path, port: int) -> None:
    for ask_for in (lambda: make_server(folder, port), lambda: check_port(port)):
        with pytest.raises(UserError, match=f"Port {port} of 127.0.0.1 is taken") as caught:
            ask_for()
        assert f"PORT={port + 1}" in caught.value.remedy
    check_port(0)
    with pytest.raises(UserError, match="cannot be had"):
        make_server(folder, 0, "192.0.2.1")


def test_a_folder_without_a_page_is_not_served(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no app") as caught:
        make_server(tmp_path, 0)
    assert "make app LANG=swa" in caught.value.remedy


def test_the_port_is_told_when_it_listens_and_given_back_on_ctrl_c(folder: Path) -> None:
    told: list[int] = []

    def ready(port: int) -> None:
        told.append(port)
        with socket.create_connection(("127.0.0.1", port), 10):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        serve(folder, 0, ready=ready)
    with make_server(folder, told[0]) as server:
        assert server.server_port == told[0]


def test_only_this_machine_is_served_unless_asked(folder: Path) -> None:
    asked: Callable[..., object] = make_server
    assert asked.__defaults__ == ("127.0.0.1",)  # type: ignore[attr-defined]
