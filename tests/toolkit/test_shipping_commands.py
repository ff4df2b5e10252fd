"""The commands that put bundles where people are reach what does the work; what that does is tested where it is."""

from __future__ import annotations

import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import export.app.build
import export.app.packages
import export.app.serve
import toolkit.push
from export.app.build import App, Entry, FirstVisit
from export.runtime.errors import UserError
from toolkit import commands
from toolkit.cli import main

ENTRY = Entry(
    id="swa-web-edge-0a1b2c3d",
    name="swa-web-edge",
    path="bundles/swa-web-edge-0a1b2c3d",
    languages=("swa",),
    entity_types=("DATE", "PER"),
    licence="non-commercial",
    model_bytes=2_700_000,
    download_bytes=3_250_000,
    files=("manifest.json",),
    model_sha256="00",
    examples=(),
)


class Work:
    """What the command asked for, in order."""

    def __init__(self) -> None:
        self.done: list[Any] = []
        self.verdict = 0

    def bundle(self, options: Any) -> int:
        kept = ("lang", "target", "recipe", "teacher", "data", "corpus", "seed", "out", "yes", "strict")
        self.done.append(("bundle", {name: getattr(options, name) for name in kept}))
        return self.verdict

    def runtime_packages(self, cache: Path, note: Any) -> Path:
        self.done.append(("packages", cache))
        return Path("vendor")

    def build_app(self, bundles: list[Path], packages: Path, out: Path) -> App:
        self.done.append(("build", bundles, packages, out))
        return App(out, "0123456789abcdef", (ENTRY,), 21_400_000, FirstVisit(60_000, 3_650_000, 2_700_000))

    def serve(self, folder: Path, port: int, ready: Any) -> None:
        self.done.append(("serve", folder, port))
        ready(port)
        raise KeyboardInterrupt


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Work:
    made = Work()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(commands.CACHE_VARIABLE, str(tmp_path / "cache" / "stages"))
    monkeypatch.setattr(commands, "bundle", made.bundle)
    monkeypatch.setattr(export.app.packages, "runtime_packages", made.runtime_packages)
    monkeypatch.setattr(export.app.build, "build_app", made.build_app)
    monkeypatch.setattr(export.app.serve, "serve", made.serve)
    return made


def test_bundles_that_are_there_are_built_in_and_served_until_ctrl_c(
    work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(export.app.serve, "check_port", lambda port: None)
    assert main(["app", "--port", "8123", "--out", "o", "a", "b.zip"]) == 0
    assert work.done == [
        ("packages", tmp_path / "cache" / "app"),
        ("build", [Path("a"), Path("b.zip")], Path("vendor"), Path("o/app")),
        ("serve", Path("o/app"), 8123),
    ]
    shown = capsys.readouterr()
    for text in ("Web app 0123456789abcdef", "swa; DATE, PER; non-commercial; 3.25 MB", "6.41 MB with swa-web-edge"):
        assert text in shown.out
    for text in ("0.06 MB", "3.65 MB", "2.70 MB", "21.40 MB", str(Path("o/app"))):
        assert text in shown.out
    assert "http://localhost:8123   Ctrl-C stops." in shown.out and "adb reverse tcp:8123 tcp:8123" in shown.out
    assert shown.err == "Stopped.\n"


def test_each_language_is_bundled_first_with_the_options_of_the_line(work: Work) -> None:
    given = "--lang swa --lang yor --recipe trim-int8 --teacher a/b --data d --corpus c --seed 7 --out o --yes"
    assert main(["app", "--no-serve", *given.split(), "--", "own"]) == 0
    options = {
        "target": "web", "recipe": "trim-int8", "teacher": "a/b", "data": "d", "corpus": "c", "seed": 7,
        "out": Path("o"), "yes": True, "strict": False,
    }  # fmt: skip
    packages, first, second, build = work.done
    assert packages[0] == "packages"  # before minutes of work, so that a missing npm is told at once
    assert (first, second) == (("bundle", {"lang": "swa", **options}), ("bundle", {"lang": "yor", **options}))
    assert build[1] == [Path("own"), Path("o/swa-web-trim-int8"), Path("o/yor-web-trim-int8")]


def test_another_target_names_another_bundle(work: Work) -> None:
    assert main(["app", "--no-serve", "--lang", "swa", "--target", "android-mid"]) == 0
    assert work.done[-1][1] == [Path("build/swa-android-mid-edge")]


def test_a_failed_verdict_is_said_and_the_app_is_there_to_look_at(
    work: Work, capsys: pytest.CaptureFixture[str]
) -> None:
    work.verdict = 1
    assert main(["app", "--no-serve", "--lang", "swa"]) == 0
    assert work.done[-1][0] == "build"
    assert "The verdict on build/swa-web-edge failed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "No language and no bundle for the app."),
        (["--lang", "swa", "--lang", "xx"], "Unknown language 'xx'."),
        (["--lang", "swa", "--target", "toaster"], "Unknown target 'toaster'."),
    ],
)
def test_a_mistake_is_told_before_anything_is_done(
    arguments: list[str], said: str, work: Work, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["app", *arguments]) == 2
    assert said in capsys.readouterr().err and work.done == []


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_a_port_that_is_none_is_refused(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["app", "b", f"--port={port}"])
    assert "is no port" in capsys.readouterr().err


def test_a_taken_port_is_told_before_anything_is_made(work: Work, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert main(["app", "--lang", "swa", "--port", str(port)]) == 2
        assert work.done == [] and f"Port {port} of 127.0.0.1 is taken." in capsys.readouterr().err
        assert main(["app", "--lang", "swa", "--port", str(port), "--no-serve"]) == 0


def test_a_folder_of_something_else_is_told_before_anything_is_made(
    work: Work, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "o" / "app").mkdir(parents=True)
    (tmp_path / "o" / "app" / "thesis.txt").write_text("mine")
    assert main(["app", "--lang", "swa", "--out", "o", "--no-serve"]) == 2
    assert work.done == [] and "holds something else than an app" in capsys.readouterr().err


def test_a_language_given_twice_is_made_once(work: Work) -> None:
    assert main(["app", "--no-serve", "--lang", "swa", "--lang", "swa"]) == 0
    assert [done[0] for done in work.done] == ["packages", "bundle", "build"]


def test_a_real_folder_is_really_served(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "index.html").write_text("<p>Samia</p>")
    from toolkit import shipping_commands

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(UserError, match="is taken"):
            shipping_commands._serve(tmp_path, other.getsockname()[1])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("unchanged", "said"), [(False, "1.50 MB"), (True, "nothing; all was there")])
def test_push_prints_where_the_bundle_is(
    unchanged: bool, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def push_bundle(bundle: Path, repo: str, *, public: bool, progress: Any) -> Any:
        assert (bundle, repo, public) == (Path("b"), "you/swa-names", True)
        progress(0.5)
        return SimpleNamespace(
            url="https://hub/you/swa-names", commit="c0ffee", files=12, uploaded_bytes=1_500_000, unchanged=unchanged
        )

    monkeypatch.setattr(toolkit.push, "push_bundle", push_bundle)
    assert main(["push", "b", "--repo", "you/swa-names", "--public"]) == 0
    shown = capsys.readouterr()
    assert "https://hub/you/swa-names" in shown.out and "c0ffee" in shown.out and said in shown.out
    assert "Pushing: 50 %" in shown.err


def test_push_is_private_unless_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def push_bundle(bundle: Path, repo: str, *, public: bool, progress: Any) -> Any:
        asked.append(public)
        raise UserError("enough", "")

    monkeypatch.setattr(toolkit.push, "push_bundle", push_bundle)
    assert main(["push", "b", "--repo", "you/swa-names"]) == 2
    assert asked == [False]
