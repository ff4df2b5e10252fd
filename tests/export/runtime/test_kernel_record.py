"""Plans and results survive JSON; another kind, version or place is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from export.runtime.conditions import Conditions
from export.runtime.errors import UserError
from export.runtime.kernel_record import (
    DataFile,
    Feed,
    Graph,
    KernelPlan,
    KernelResult,
    LeftOut,
    Sweep,
    TextPlan,
    Timing,
    Tokenizing,
    read_plan,
)
from export.runtime.machine import describe_machine
from export.runtime.measurement import summarize

PLAN = KernelPlan(
    data=(DataFile("int8.data", "int8", 4096),),
    graphs=(Graph("edge int8", "00.onnx", 4096, (16, 64), (Feed("input_ids", "int64", (1, None), 4, 100),)),),
    text=TextPlan("tokenizer.json", (16,), (("a", "b"),)),
    threads=(1, 2),
)
ROOM = Conditions(None, None, None, None, None)
RESULT = KernelResult(
    plan_sha256="ab" * 32,
    measured_at="2026-11-22T10:00:00+00:00",
    seconds=3.5,
    machine=describe_machine(),
    before=ROOM,
    after=replace(ROOM, throttled=("throttled",)),
    copy_gb_s=None,
    cold_read_mb_s=90.5,
    tokenizing=(Tokenizing(16, 15.5, 9.0, summarize([0.1])),),
    sweeps=(Sweep(1, (Timing("edge int8", 16, summarize([1.0, 2.0]), None),), (LeftOut("big", "no room"),)),),
)


def test_plan_and_result_come_back_as_they_were() -> None:
    assert KernelPlan.from_json(json.loads(json.dumps(PLAN.to_json()))) == PLAN
    assert KernelResult.from_json(json.loads(json.dumps(RESULT.to_json()))) == RESULT


@pytest.mark.parametrize(
    "change", [{"kind": "kernel result"}, {"schema": 2}, {"extra": 1}, {"rounds": "5"}, {"graphs": [{"name": "x"}]}]
)
def test_another_plan_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        KernelPlan.from_json({**PLAN.to_json(), **change})


def test_what_is_no_object_is_refused() -> None:
    with pytest.raises(UserError, match="no kernel result of schema 1: found 'list'"):
        KernelResult.from_json([])


def test_a_plan_is_read_with_the_digest_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(PLAN.to_json()), "utf-8")
    plan, digest = read_plan(path)
    assert plan == PLAN and len(digest) == 64
    path.write_text(path.read_text() + " ", "utf-8")
    assert read_plan(path)[1] != digest


@pytest.mark.parametrize(
    "plan",
    [
        replace(PLAN, graphs=(replace(PLAN.graphs[0], path="../00.onnx"),)),
        replace(PLAN, data=(DataFile("/tmp/int8.data", "int8", 1),)),
        replace(PLAN, text=replace(PLAN.text, tokenizer="a/tokenizer.json")),
    ],
)
def test_a_plan_names_only_files_beside_it(plan: KernelPlan, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(plan.to_json()), "utf-8")
    with pytest.raises(UserError, match="not beside it"):
        read_plan(path)


def test_a_missing_or_damaged_plan_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Cannot read .*plan\.json"):
        read_plan(tmp_path / "plan.json")
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(UserError, match=r"plan\.json is not JSON"):
        read_plan(tmp_path / "plan.json")
