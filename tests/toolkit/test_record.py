"""The record of a run: written, read again, and damaged."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from toolkit.record import SUFFIX, RunRecord, read_records, record_files, write_record


def test_a_record_is_read_as_it_was_written(finished_run: RunRecord, tmp_path: Path) -> None:
    path = tmp_path / f"swa-cpu-edge{SUFFIX}"
    write_record(finished_run, path)
    assert read_records(tmp_path) == [finished_run]
    assert record_files(tmp_path) == [path]


def test_the_runs_of_a_folder_come_by_file_name(finished_run: RunRecord, tmp_path: Path) -> None:
    for lang in ("yor", "amh", "luo"):
        write_record(replace(finished_run, lang=lang), tmp_path / f"{lang}-cpu-edge{SUFFIX}")
    (tmp_path / "notes.json").write_text("{}")
    assert [record.lang for record in read_records(tmp_path)] == ["amh", "luo", "yor"]


def test_candidates_are_found_by_name(finished_run: RunRecord) -> None:
    assert finished_run.selected.name == "onnx-int8"
    teacher = finished_run.candidate("teacher")
    assert teacher is not None and teacher.test["f1"] == 80.0
    assert finished_run.candidate("distilled student") is None


DAMAGES: dict[str, Callable[[dict[str, Any]], str]] = {
    "cut off": lambda value: json.dumps(value)[:-20],
    "not JSON": lambda value: "",
    "not an object": lambda value: "[]",
    "a key missing": lambda value: json.dumps({key: item for key, item in value.items() if key != "licence"}),
    "a key too many": lambda value: json.dumps({**value, "colour": 1}),
    "a stage of another form": lambda value: json.dumps({**value, "stages": [{"name": "teacher"}]}),
    "candidates of another form": lambda value: json.dumps({**value, "candidates": [1]}),
    "no schema": lambda value: json.dumps({key: item for key, item in value.items() if key != "schema"}),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_record_is_left_out_with_a_warning(
    damage: Callable[[dict[str, Any]], str],
    finished_run: RunRecord,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_record(finished_run, tmp_path / f"b{SUFFIX}")
    (tmp_path / f"a{SUFFIX}").write_text(damage(json.loads(json.dumps(asdict(finished_run)))))
    assert read_records(tmp_path) == [finished_run]
    assert f"warning: {tmp_path / f'a{SUFFIX}'} is damaged" in capsys.readouterr().err
    assert record_files(tmp_path) == [tmp_path / f"b{SUFFIX}"]


def test_a_record_of_another_schema_is_left_out_silently(
    finished_run: RunRecord, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / f"old{SUFFIX}").write_text(json.dumps({"schema": 0, "other": "form"}))
    write_record(finished_run, tmp_path / f"swa{SUFFIX}")
    assert read_records(tmp_path) == [finished_run]
    assert capsys.readouterr().err == ""
    assert record_files(tmp_path) == [tmp_path / f"swa{SUFFIX}"]


def test_a_folder_that_is_not_there_has_no_runs(tmp_path: Path) -> None:
    assert read_records(tmp_path / "none") == []
