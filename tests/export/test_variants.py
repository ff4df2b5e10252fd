"""Every variant is a folder that answers the same call, and the table says which file is which."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import AutoModelForTokenClassification

from export import bnb
from export.bundle_details import MODEL_FOLDER_FILES
from export.parity import torch_logits
from export.quantize import model_bytes
from export.runtime.encode import WordEncoder, word_logits
from export.runtime.errors import UserError
from export.variants import VARIANTS, build_variant, can_build, open_variant
from toolkit.data.types import Labelled

IDS = np.array([[0, 9, 77, 200, 2], [0, 6, 2, 1, 1]])
MASK = (IDS != 1).astype(np.int64)


def reference(model: Path) -> np.ndarray:
    return torch_logits(AutoModelForTokenClassification.from_pretrained(model))(IDS, MASK)


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_the_table_names_files_as_transformers_js_does() -> None:
    for name, variant in VARIANTS.items():
        assert name.endswith(variant.precision), name
        if variant.backend == "onnx":
            suffix = "" if variant.precision == "fp32" else f"_{variant.precision}"
            assert variant.model == f"onnx/model{suffix}.onnx"
    assert {variant.backend for variant in VARIANTS.values()} == {"onnx", "torchscript", "bnb"}


def test_an_onnx_variant_is_the_model_folder_with_its_file_in_place_of_the_weights(exported: Any) -> None:
    for folder, model in ((exported.fp32, "onnx/model.onnx"), (exported.int8, "onnx/model_int8.onnx")):
        assert files(folder) == {*MODEL_FOLDER_FILES, model}
        for name in MODEL_FOLDER_FILES:
            assert (folder / name).read_bytes() == (exported.model / name).read_bytes()
    for report in (exported.fp32_report, exported.int8_report):
        assert json.loads(json.dumps(report)) == report  # it goes into the store


@pytest.mark.parametrize("name", ["onnx-fp32", "onnx-int8"])
def test_an_onnx_variant_answers_like_torch(exported: Any, name: str) -> None:
    folder = exported.fp32 if name == "onnx-fp32" else exported.int8
    found = open_variant(name, folder, {})(IDS, MASK)
    expected = reference(exported.model)
    assert found.dtype == np.float32 and found.shape == expected.shape
    error = np.abs(found - expected)[MASK == 1].mean() / expected.std()
    assert error < (1e-5 if name == "onnx-fp32" else 0.2)
    assert (error > 1e-4) == (name == "onnx-int8")  # it is the file of its precision that was opened


@pytest.mark.parametrize("name", ["torchscript-fp32", "torchscript-int8"])
def test_a_torchscript_variant_answers_like_torch(teacher: Path, tmp_path: Path, name: str) -> None:
    report = build_variant(name, teacher, tmp_path)
    assert files(tmp_path) == {*MODEL_FOLDER_FILES, VARIANTS[name].model}
    expected = reference(teacher)
    found = open_variant(name, tmp_path, report)(IDS, MASK)
    assert np.abs(found - expected)[MASK == 1].mean() / expected.std() < 0.2
    with pytest.raises(UserError, match="is a program"):
        open_variant(name, tmp_path, {**report, "sha256": "0" * 64})


@pytest.mark.skipif(can_build("llm-int8") is not None, reason="bitsandbytes does not run here")
def test_an_llm_int8_variant_answers_like_torch(build_model: Callable[..., Any], tmp_path: Path) -> None:
    model = build_model(hidden_size=64, intermediate_size=64)
    model.save_pretrained(tmp_path / "model")
    report = build_variant("llm-int8", tmp_path / "model", tmp_path / "out")
    expected = reference(tmp_path / "model")
    found = open_variant("llm-int8", tmp_path / "out", report)(IDS, MASK)
    assert np.abs(found - expected)[MASK == 1].mean() / expected.std() < 0.2
    assert {"gpu/config.json", "config.json"} <= files(tmp_path / "out")


def test_static_int8_is_made_from_the_fp32_file_by_the_function_given(exported: Any, tmp_path: Path) -> None:
    from calibration.static_int8 import calibration_inputs, quantize_static_int8

    words = [("Rais", "Samia", "Suluhu", "alitembelea", "Arusha", ".")] * 3

    def quantize(fp32: Path, target: Path) -> Any:
        assert fp32 == exported.fp32 / "onnx" / "model.onnx"
        return quantize_static_int8(fp32, target, calibration_inputs(WordEncoder.load(exported.fp32), words))

    report = build_variant("onnx-static-int8", exported.model, tmp_path, exported.fp32, quantize)
    assert report["float_matmuls"] == 0 and report["windows"] > 0
    assert files(tmp_path) == {*MODEL_FOLDER_FILES, "onnx/model_int8.onnx"}
    assert open_variant("onnx-static-int8", tmp_path, report)(IDS, MASK).shape == (2, 5, 9)


def test_weights_lie_beside_the_graph_where_the_device_asks_for_it(exported: Any, tmp_path: Path) -> None:
    fp32, int8 = tmp_path / "fp32", tmp_path / "int8"
    build_variant("onnx-fp32", exported.model, fp32, external_data=True)
    report = build_variant("onnx-int8", exported.model, int8, fp32, external_data=True)
    assert files(int8) == {*MODEL_FOLDER_FILES, "onnx/model_int8.onnx", "onnx/model_int8.onnx_data"}
    assert report["bytes_before"] == model_bytes(fp32 / "onnx" / "model.onnx")
    found = open_variant("onnx-int8", int8, report)(IDS, MASK)
    assert (found == open_variant("onnx-int8", exported.int8, {})(IDS, MASK)).all()


def test_words_get_the_same_tags_from_every_variant(exported: Any, few: Labelled) -> None:
    encoder = WordEncoder.load(exported.fp32)
    torch = torch_logits(AutoModelForTokenClassification.from_pretrained(exported.model))
    candidates = {
        "onnx-fp32": open_variant("onnx-fp32", exported.fp32, {}),
        "onnx-int8": open_variant("onnx-int8", exported.int8, {}, threads=2),
    }
    for name, logits in candidates.items():
        same = [
            word_logits(logits, encoder, s.words).argmax(1) == word_logits(torch, encoder, s.words).argmax(1)
            for s in few.test
        ]
        assert np.concatenate(same).mean() >= (1.0 if name == "onnx-fp32" else 0.85)


def test_what_a_machine_cannot_make_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [can_build(name) for name in VARIANTS if VARIANTS[name].backend != "bnb"] == [None] * 5

    def absent(device: str | None) -> str:
        raise UserError("bitsandbytes is not installed.", "Run make setup TARGET=gpu.")

    monkeypatch.setattr(bnb, "usable_device", absent)
    reason = can_build("llm-int8")
    assert reason is not None and "bitsandbytes is not installed" in reason and "\n" not in reason
