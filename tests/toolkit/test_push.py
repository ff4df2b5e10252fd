"""Bundles pushed to a stand-in of the hub through the whole of huggingface_hub, and read back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from export.bundle import write_bundle
from export.manifest import Licence
from export.runtime.errors import UserError
from export.runtime.tagger import Tagger
from export.verify import verify_bundle
from tests.export.conftest import build_details, build_variant
from tests.toolkit.card_rules import front_matter_of
from tests.toolkit.stand_in_hub_upload import ATTRIBUTES, Answer, UploadHub, running
from toolkit.push import Pushed, push_bundle

REPO = "you/swa-names"
HTML = b"<html>welcome</html>"
NOT_FREE = (Licence("labelled data", "CC BY-NC 4.0", False),)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[UploadHub]:
    """A running stand-in that huggingface_hub takes for the hub, a token that may write, and an empty cache."""
    from huggingface_hub import constants

    with running(UploadHub()) as stand_in:
        # huggingface_hub reads HF_ENDPOINT and HF_HOME once, when it is imported.
        template = stand_in.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "ENDPOINT", stand_in.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr("huggingface_hub.file_download.HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", False)
        monkeypatch.delenv("HUGGING_FACE_HUB_TOKEN", raising=False)
        monkeypatch.setenv("HF_TOKEN", "hf_writes")
        yield stand_in


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with its weights beside the graph, not for commerce; not to be changed."""
    folder = tmp_path_factory.mktemp("made")
    variant = build_variant(folder / "variant", external=True)
    return write_bundle(variant, build_details(licences=NOT_FREE), folder / "bundle").folder


@pytest.fixture
def own(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "bundle"))


def tree(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def writes(hub: UploadHub) -> list[str]:
    return [request for request in hub.requests if not request.startswith(("GET", "HEAD"))]


def refused(hub: UploadHub, bundle: Path, repo: str = REPO, public: bool = False) -> str:
    """Message and remedy of a push that must fail, and must leave what is there."""
    before = {name: list(repository.heads) for name, repository in hub.repositories.items() if repository.files}
    with pytest.raises(UserError) as caught:
        push_bundle(bundle, repo, public=public)
    after = {name: repository.heads for name, repository in hub.repositories.items() if name in before}
    assert after == before
    assert caught.value.remedy
    return str(caught.value)


def test_a_repository_is_made_and_holds_the_bundle_byte_for_byte(hub: UploadHub, made: Path) -> None:
    steps: list[float] = []
    done = push_bundle(made, REPO, progress=steps.append)
    repository = hub.repositories[REPO]
    assert repository.private
    assert repository.files == {**tree(made), ".gitattributes": ATTRIBUTES}
    assert repository.lfs == {"onnx/model.onnx", "sentencepiece.bpe.model"}
    assert len(repository.heads) == 2  # the one that made it, and one for everything
    sizes = sum(map(len, tree(made).values()))
    assert done == Pushed(f"{hub.url}/{REPO}", repository.commit, len(tree(made)), sizes, False)
    assert steps == sorted(steps) and steps[-1] == 1.0
    assert "evidence/measurements.json" in repository.files
    assert not any("torch" in agent for agent in hub.agents), hub.agents  # telemetry


def test_what_was_pushed_comes_back_whole_and_tags(hub: UploadHub, made: Path, tmp_path: Path) -> None:
    from huggingface_hub import snapshot_download

    push_bundle(made, REPO)
    back = Path(snapshot_download(REPO, local_dir=tmp_path / "back"))
    assert (back / ".gitattributes").is_file() and (back / ".cache" / "huggingface").is_dir()
    report = verify_bundle(back)
    assert (report.ok, report.problems) == (True, ())
    text = "Rais alitembelea Nairobi."
    assert Tagger.load(back).tag(text) == Tagger.load(made).tag(text)


def test_the_same_again_changes_nothing_and_says_so(hub: UploadHub, made: Path) -> None:
    first = push_bundle(made, REPO)
    hub.requests.clear()
    again = push_bundle(made, REPO)
    assert again == replace(first, uploaded_bytes=0, unchanged=True)
    assert writes(hub) == []


def test_only_what_changed_is_sent_and_what_vanished_is_deleted(hub: UploadHub, own: Path, tmp_path: Path) -> None:
    push_bundle(own, REPO)
    plain = build_variant(tmp_path / "variant")  # its weights inside the graph: one file less
    newer = write_bundle(plain, build_details(licences=NOT_FREE, evidence={}), tmp_path / "newer").folder
    hub.requests.clear()
    done = push_bundle(newer, REPO)
    repository = hub.repositories[REPO]
    assert {"onnx/model.onnx_data", "evidence/measurements.json"} <= set(repository.heads[1][1])
    assert repository.files == {**tree(newer), ".gitattributes": ATTRIBUTES}
    before = tree(own)
    changed = [name for name, data in tree(newer).items() if before.get(name) != data]
    assert done.uploaded_bytes == sum(len(tree(newer)[name]) for name in changed)
    assert {"onnx/model.onnx", "manifest.json"} <= set(changed) and "tokenizer.json" not in changed
    assert sum(request.startswith("PUT") for request in hub.requests) == 1
    assert not done.unchanged and len(repository.heads) == 3


def test_large_files_travel_in_parts(hub: UploadHub, made: Path) -> None:
    hub.part_bytes = 200
    push_bundle(made, REPO)
    assert hub.repositories[REPO].files == {**tree(made), ".gitattributes": ATTRIBUTES}
    assert len(hub.parts) == -(-(made / "onnx" / "model.onnx").stat().st_size // 200) > 1


def test_a_zip_is_pushed_like_its_folder(hub: UploadHub, made: Path) -> None:
    push_bundle(made.with_name("bundle.zip"), REPO)
    files = {name: data for name, data in tree(made).items() if not name.startswith("evidence/")}
    assert hub.repositories[REPO].files == {**files, ".gitattributes": ATTRIBUTES}


def test_everyone_sees_it_only_when_asked(hub: UploadHub, made: Path) -> None:
    push_bundle(made, REPO, public=True)
    assert not hub.repositories[REPO].private
    assert "is public" in refused(hub, made)
    hub.add("you/closed", {})
    assert "is private" in refused(hub, made, "you/closed", public=True)


def test_the_card_on_the_hub_still_says_non_commercial(hub: UploadHub, made: Path) -> None:
    push_bundle(made, REPO)
    card = hub.repositories[REPO].files["README.md"].decode()
    front = front_matter_of(card)
    assert (front["license"], front["license_name"]) == ("other", "non-commercial")
    assert "**non-commercial**" in card


def test_a_damaged_bundle_never_leaves(hub: UploadHub, own: Path) -> None:
    (own / "tokenizer.json").write_text("{}")
    assert "damaged" in (said := refused(hub, own)) and "tokenizer.json" in said
    assert hub.requests == []


def test_files_outside_the_manifest_never_leave(hub: UploadHub, own: Path) -> None:
    (own / "notes.txt").write_text("mine")
    assert "notes.txt" in refused(hub, own)
    assert hub.requests == []


def test_a_repository_of_something_else_is_left_alone(hub: UploadHub, made: Path) -> None:
    for files in (
        {"README.md": b"mine"},
        {"manifest.json": b'{"name": "a web page"}', "a.js": b""},
        {"manifest.json": b"no JSON"},
        {**tree(made), "notes.txt": b"mine"},
    ):
        hub.add(REPO, files)
        assert "holds" in refused(hub, made)
        assert not writes(hub)
    hub.add(
        REPO,
        {"manifest.json": json.dumps({"schema_version": 99, "files": {"old.onnx": {}}}).encode(), "old.onnx": b""},
    )
    push_bundle(made, REPO)  # a bundle of another version is ours
    assert "old.onnx" not in hub.repositories[REPO].files


@pytest.mark.parametrize(
    "repo",
    ["", "swa-names", "you/", "/swa", "you/swa/names", "you/swa names", "you/swa--names", "you/swa.git", "../x"],
)
def test_a_malformed_repository_id_is_told_before_anything_is_sent(hub: UploadHub, made: Path, repo: str) -> None:
    assert "name/repository" in refused(hub, made, repo)
    assert hub.requests == []


def test_without_a_token_it_says_how_to_log_in(hub: UploadHub, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    said = refused(hub, made)
    assert "hf auth login" in said and "HF_TOKEN" in said and "write" in said
    assert hub.requests == []


@pytest.mark.parametrize(("exists", "token"), [(False, "hf_reads"), (True, "hf_reads"), (False, "hf_wrong")])
def test_a_token_that_may_not_write_is_told(
    hub: UploadHub, made: Path, monkeypatch: pytest.MonkeyPatch, exists: bool, token: str
) -> None:
    if exists:
        hub.add(REPO, {})
    monkeypatch.setenv("HF_TOKEN", token)
    said = refused(hub, made)
    assert ("does not know this token" if token == "hf_wrong" else "may not write") in said
    assert "hf auth login" in said


@pytest.mark.parametrize("private", [None, True, False])
def test_a_repository_of_someone_else_is_told(hub: UploadHub, made: Path, private: bool | None) -> None:
    if private is not None:
        hub.add("masakhane/ner", {}, private)
    said = refused(hub, made, "masakhane/ner", public=private is False)
    assert "may not write to masakhane/ner" in said and "under your own name" in said


def test_a_change_under_way_is_told_and_nothing_is_lost(hub: UploadHub, made: Path) -> None:
    repository = hub.add(REPO, {})
    hub.before_commit = lambda: repository.add_commit({**repository.files, "theirs.txt": b"new"}) and None
    with pytest.raises(UserError, match="was changed while"):
        push_bundle(made, REPO)
    assert set(repository.files) == {".gitattributes", "theirs.txt"}


def test_a_card_that_the_hub_refuses_is_told_with_its_reason(hub: UploadHub, made: Path) -> None:
    hub.fail["POST /api/validate-yaml"] = Answer(400, {"errors": [{"message": '"language" is odd'}], "warnings": []})
    assert '"language" is odd' in refused(hub, made)


def test_a_hub_that_does_not_answer_is_told(hub: UploadHub, made: Path) -> None:
    hub.stop()
    assert "Could not reach" in refused(hub, made)


def test_an_offline_switch_is_named(hub: UploadHub, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants
    from huggingface_hub.utils import reset_sessions

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    reset_sessions()  # the switch is read when a session is made
    try:
        assert "HF_HUB_OFFLINE" in refused(hub, made)
    finally:
        monkeypatch.undo()
        reset_sessions()


@pytest.mark.parametrize(
    ("request_", "status", "body", "said"),
    [
        ("GET /api/models/.*", 200, HTML, "No usable answer"),  # a captive portal
        ("GET /api/models/.*", 429, HTML, "pause"),
        ("POST /api/validate-yaml", 200, b"[]", "No usable answer"),
        ("POST /api/models/.*/preupload/main", 200, b"[]", "No usable answer"),
        ("POST /api/models/.*/commit/main", 200, b"{}", "No usable answer"),
        ("POST /.*/batch", 507, HTML, "no room"),
        ("POST /api/models/.*/preupload/main", 404, HTML, "any more"),
        ("POST /api/models/.*/commit/main", 500, HTML, "HTTP 500"),
        ("POST /lfs/verify", 403, HTML, "may not write"),
    ],
)
def test_other_answers_are_told_without_a_traceback(
    hub: UploadHub, made: Path, request_: str, status: int, body: bytes, said: str
) -> None:
    hub.add(REPO, {})
    hub.fail[request_] = Answer(status, body)
    assert said in refused(hub, made)


def test_a_repository_that_does_not_appear_is_told(hub: UploadHub, made: Path) -> None:
    hub.fail["GET /api/models/.*"] = Answer(404, headers={"X-Error-Code": "RepoNotFound"})
    assert "does not show it" in refused(hub, made)
