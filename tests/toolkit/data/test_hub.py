from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from export.runtime.errors import UserError
from toolkit.data.hub import HubUnreachable, download, fetch_model, list_repo, missing_bytes, model_files

if TYPE_CHECKING:
    from conftest import StandInHub

MODEL = {
    "config.json": b"{}",
    "tokenizer_config.json": b"{}",
    "sentencepiece.bpe.model": b"pieces",
    "model.safetensors": b"weights",
    "pytorch_model.bin": b"pickle",
    "modeling_evil.py": b"raise SystemExit",
    "onnx/model.onnx": b"graph",
    "README.md": b"card",
}


def test_a_model_is_fetched_without_code_and_with_safetensors_only(hub: StandInHub) -> None:
    hub.add("model", "org/model", MODEL)
    folder = fetch_model("org/model")
    assert folder.name == hub.commit
    assert sorted(path.name for path in folder.rglob("*")) == [
        "README.md", "config.json", "model.safetensors", "sentencepiece.bpe.model", "tokenizer_config.json",
    ]  # fmt: skip
    assert (folder / "model.safetensors").read_bytes() == b"weights"


def test_weights_in_pieces_come_with_their_index(hub: StandInHub) -> None:
    names = ["config.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    index = "model.safetensors.index.json"
    hub.add("model", "org/model", {name: b"x" for name in [*names, index, "pytorch_model.bin"]})
    assert set(model_files(list_repo("org/model", "model"))) == {*names, index}


def test_bin_weights_are_taken_where_there_is_nothing_safer(hub: StandInHub) -> None:
    hub.add(
        "model",
        "org/model",
        {"config.json": b"{}", "pytorch_model.bin": b"pickle", "training_args.bin": b"x"},
    )
    assert model_files(list_repo("org/model", "model")) == ("config.json", "pytorch_model.bin")


@pytest.mark.parametrize(("left_out", "named"), [("model.safetensors", "weights"), ("config.json", "config.json")])
def test_a_repository_without_weights_or_configuration_is_refused(hub: StandInHub, left_out: str, named: str) -> None:
    files = {"config.json": b"{}", "model.safetensors": b"x"}
    del files[left_out]
    hub.add("model", "org/model", files)
    with pytest.raises(UserError, match=f"has no {named}"):
        fetch_model("org/model")


def test_a_later_run_needs_no_network_and_sees_the_same_commit(hub: StandInHub) -> None:
    hub.add("model", "org/model", MODEL)
    listing = list_repo("org/model", "model")
    wanted = sum(len(MODEL[name]) for name in model_files(listing))
    assert missing_bytes(listing, model_files(listing)) == wanted
    first = fetch_model("org/model")
    asked = len(hub.requests)
    hub.stop()
    assert fetch_model("org/model") == first
    assert missing_bytes(listing, model_files(listing)) == 0
    assert len(hub.requests) == asked


def test_what_another_program_cached_serves_offline(hub: StandInHub, tmp_path: Path) -> None:
    hub.stop()
    cache = tmp_path / "cache" / "models--org--model"
    (cache / "refs").mkdir(parents=True)
    (cache / "refs" / "main").write_text(hub.commit)
    snapshot = cache / "snapshots" / hub.commit
    snapshot.mkdir(parents=True)
    for name in ("config.json", "model.safetensors"):
        (snapshot / name).write_bytes(MODEL[name])
    assert fetch_model("org/model") == snapshot


def test_a_damaged_listing_is_asked_for_again(hub: StandInHub, tmp_path: Path) -> None:
    hub.add("model", "org/model", MODEL)
    first = fetch_model("org/model")
    (file,) = (tmp_path / "cache").rglob("listings/*.json")
    for damage in ("{", "{}", "[]", "null"):
        file.write_text(damage)
        asked = len(hub.requests)
        assert fetch_model("org/model") == first
        assert len(hub.requests) == asked + 1


def test_a_listing_is_kept_only_once_its_files_were_downloaded(hub: StandInHub) -> None:
    hub.add("model", "org/model", {"README.md": b""})
    with pytest.raises(UserError, match="no weights"):
        fetch_model("org/model")
    hub.add("model", "org/model", MODEL)  # the owner uploads them later
    assert fetch_model("org/model").is_dir()


def test_the_first_revision_that_exists_is_listed(hub: StandInHub) -> None:
    hub.add("dataset", "org/data", {"a.parquet": b"x"})
    listing = list_repo("org/data", "dataset", ("refs/convert/parquet", "main"))
    assert listing.source == f"org/data@{hub.commit}"
    assert list(listing.files) == ["a.parquet"]
    hub.add("dataset", "org/both", {"old.csv": b"x"})
    hub.add("dataset", "org/both", {"swa/train/0.parquet": b"x"}, "refs/convert/parquet")
    assert list(list_repo("org/both", "dataset", ("refs/convert/parquet", "main")).files) == ["swa/train/0.parquet"]


def test_the_licence_comes_from_the_card(hub: StandInHub) -> None:
    hub.tags["org/model"] = ["region:us", "license:mit"]
    hub.add("model", "org/model", MODEL)
    assert list_repo("org/model", "model").licence == "mit"
    hub.add("model", "org/other", MODEL)
    assert list_repo("org/other", "model").licence == "unknown (see the hub page of org/other)"


def test_an_unreachable_hub_names_every_way_on(hub: StandInHub) -> None:
    hub.stop()
    with pytest.raises(HubUnreachable, match=f"Could not reach {hub.url} for org/model") as caught:
        fetch_model("org/model")
    for way in ("TEACHER=builtin DATA=builtin", "AFRIBERTA_DIR", "MASAKHANER_DIR", "CORPUS_DIR"):
        assert way in caught.value.remedy


def test_a_connection_lost_between_listing_and_download_is_explained(
    hub: StandInHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)  # between its retries
    hub.add("model", "org/model", MODEL)
    listing = list_repo("org/model", "model")
    hub.stop()
    with pytest.raises(HubUnreachable, match="Could not reach"):
        download(listing, ["config.json"])


@pytest.mark.parametrize(
    ("status", "code", "message", "remedy"),
    [
        (401, "RepoNotFound", "no model org/model, or it is private", "HF_TOKEN"),
        (404, "RepoNotFound", "no model org/model, or it is private", "Check the id"),
        (401, "GatedRepo", "org/model is gated", "Accept its terms"),
        (403, "", r"refuses access to org/model \(HTTP 403\)", "HF_TOKEN"),
        (404, "RevisionNotFound", "no such revision", "Choose one"),
        (503, "", r"No usable answer .* \(HTTP 503\)", "TEACHER=builtin DATA=builtin"),
    ],
)
def test_what_the_hub_refuses_is_explained(
    hub: StandInHub, status: int, code: str, message: str, remedy: str
) -> None:
    hub.refuse["org/model"] = (status, code)
    with pytest.raises(UserError, match=message) as caught:
        fetch_model("org/model")
    assert remedy in caught.value.remedy


@pytest.mark.parametrize("body", [b"<html>Welcome to the hotel</html>", b"{}", b"[]"])
def test_a_captive_portal_is_not_taken_for_the_hub(hub: StandInHub, body: bytes) -> None:
    hub.body = body
    with pytest.raises(HubUnreachable, match="No usable answer"):
        fetch_model("org/model")


def test_a_file_gone_from_the_hub_is_explained(hub: StandInHub) -> None:
    hub.add("model", "org/model", MODEL)
    listing = list_repo("org/model", "model")
    hub.add("model", "org/model", {})
    with pytest.raises(UserError, match="no longer has a file"):
        download(listing, ["config.json"])


def test_an_impossible_id_is_refused_before_any_request(hub: StandInHub) -> None:
    with pytest.raises(UserError, match="neither a folder here nor a hub id"):
        fetch_model("org/model/../../x")
    assert hub.requests == []


@pytest.mark.parametrize(
    ("code", "message"), [(errno.ENOSPC, "The disk is full"), (errno.EACCES, "Could not store org/model")]
)
def test_a_disk_that_takes_no_more_is_explained(
    hub: StandInHub, monkeypatch: pytest.MonkeyPatch, code: int, message: str
) -> None:
    hub.add("model", "org/model", MODEL)
    listing = list_repo("org/model", "model")

    def failing(*_: Any, **__: Any) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("huggingface_hub.hf_hub_download", failing)
    with pytest.raises(UserError, match=message):
        download(listing, ["config.json"])


def test_hf_endpoint_and_hf_home_of_the_environment_are_honoured(hub: StandInHub, tmp_path: Path) -> None:
    hub.add("model", "org/model", MODEL)
    script = "from toolkit.data.hub import fetch_model; print(fetch_model('org/model'))"
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home")}
    environment.pop("HF_HUB_CACHE", None)
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert Path(ran.stdout.strip()).is_relative_to(tmp_path / "home")
    offline = subprocess.run(
        [sys.executable, "-c", script.replace("org/model", "org/never")],
        env={**environment, "HF_HUB_OFFLINE": "1"}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "HubUnreachable" in offline.stderr
    assert "HF_HUB_OFFLINE keeps the hub out" in offline.stderr


def test_importing_the_module_imports_no_hub_library() -> None:
    script = "import json, sys, toolkit.data.sources; print(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout)
    assert not {"torch", "datasets", "huggingface_hub", "transformers", "pyarrow", "requests"} & set(loaded)
