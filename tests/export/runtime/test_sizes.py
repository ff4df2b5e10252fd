from __future__ import annotations

import hashlib
import os
import zipfile
from pathlib import Path

import pytest

from export.runtime.errors import UserError
from export.runtime.sizes import artifact_sizes, model_digest, model_files, zipped_bytes


def fill(path: Path, size: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(size))
    return path


def test_external_data_belongs_to_its_model_and_neighbours_do_not(tmp_path: Path) -> None:
    model = fill(tmp_path / "model.onnx", 10)
    fill(tmp_path / "model.onnx_data", 20)
    fill(tmp_path / "model.onnx.data", 30)
    fill(tmp_path / "model.onnx.bak", 40)
    fill(tmp_path / "model_int8.onnx", 50)
    assert [path.name for path in model_files(model)] == ["model.onnx", "model.onnx.data", "model.onnx_data"]


def test_sizes_leave_runtime_and_documents_out(tmp_path: Path) -> None:
    model = fill(tmp_path / "onnx" / "model_int8.onnx", 1000)
    fill(tmp_path / "tokenizer.json", 200)
    fill(tmp_path / "sentencepiece.bpe.model", 30)
    fill(tmp_path / "config.json", 4)
    for name in ("README.md", "runtime/tagger.py", "golden.jsonl", "manifest.json"):
        fill(tmp_path / name, 5000)
    sizes = artifact_sizes(tmp_path, model)
    assert (sizes.model, sizes.tokenizer, sizes.labels, sizes.total) == (1000, 230, 4, 1234)
    assert sizes.zipped is not None and 1234 < sizes.zipped < 1234 + 4 * 200  # noise does not deflate
    assert artifact_sizes(tmp_path, model, zipped=False).zipped is None


def test_zipped_bytes_are_those_of_a_real_zip(tmp_path: Path) -> None:
    file = tmp_path / "zeros.bin"
    file.write_bytes(bytes(3 << 20) + os.urandom(1000))
    with zipfile.ZipFile(tmp_path / "real.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.write(file, file.name)
    real = (tmp_path / "real.zip").stat().st_size
    assert zipped_bytes([file]) == pytest.approx(real, abs=64)  # sizes after the data and in zip64 fields
    assert real < 8000


def test_a_folder_of_weights_is_a_model(tmp_path: Path) -> None:
    fill(tmp_path / "model.safetensors", 7)
    assert artifact_sizes(tmp_path, tmp_path).model == 7


def test_a_digest_covers_every_file_of_the_model(tmp_path: Path) -> None:
    model = fill(tmp_path / "model.onnx", 10)
    alone = model_digest(tmp_path, model)
    assert alone == hashlib.sha256(model.read_bytes()).hexdigest()
    data = fill(tmp_path / "model.onnx_data", 20)
    both = model_digest(tmp_path, model)
    named = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in (model, data)]
    assert both == hashlib.sha256("".join(named).encode()).hexdigest()
    fill(data, 20)
    assert len({alone, both, model_digest(tmp_path, model)}) == 3


@pytest.mark.parametrize("name", ["absent.onnx", ""])
def test_a_missing_model_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="There is no model at"):
        model_files(tmp_path / name)


def test_data_without_its_model_is_no_model(tmp_path: Path) -> None:
    fill(tmp_path / "model.onnx_data", 20)
    with pytest.raises(UserError, match="There is no model at"):
        model_files(tmp_path / "model.onnx")
