from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from export.runtime import settings
from export.runtime.manifest import Setting
from export.runtime.measurement import Measurement, Speedup
from export.runtime.memory import Memory
from export.runtime.profile_record import Profile
from export.runtime.protocol import Progress, Protocol, Subject
from export.runtime.settings import SettingResult, recommend, settings_to_try, spoken, sweep_settings

TINY = Protocol(lengths=(8,), rounds=2, runs=2, warm_runs=1, warm_seconds=0.0, cold_starts=1)


def result(threads: int, ratio: float, prepacking: bool = True, peak: int | None = 100) -> SettingResult:
    return SettingResult(Setting(threads, prepacking), 1.0, 2.0, 10, ratio, ratio, ratio, peak, peak)


def subject(artifact: Path) -> Subject:
    model = artifact / "onnx" / "model.onnx"
    options = (("prepacking", True), ("max_length", 64))
    return Subject("tiny", "onnx", artifact, model, "export.runtime.worker", options)


@pytest.mark.parametrize(
    ("cores", "threads"),
    [
        (None, [1]),
        (1, [1]),
        (4, [1, 2, 3, 4]),
        (8, [1, 2, 3, 4, 5, 6, 7, 8]),
        (12, [1, 2, 3, 4, 5, 6, 7, 8, 12]),
        (64, [1, 2, 3, 4, 5, 6, 7, 8, 16, 32, 64]),
    ],
)
def test_every_number_of_threads_is_tried_up_to_the_cores(cores: int | None, threads: list[int]) -> None:
    assert settings_to_try(cores, external_data=False) == tuple(Setting(count, True) for count in threads)


def test_prepacking_is_left_out_only_where_that_can_save_memory() -> None:
    assert settings_to_try(2, external_data=True) == (
        Setting(1, True), Setting(2, True), Setting(1, False), Setting(2, False),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("ratios", "threads"),
    [
        ([1.0], 1),
        ([1.0, 1.14], 1),
        ([1.0, 1.15], 2),
        ([1.0, 1.1, 1.2, 1.3], 3),  # 3 gains a fifth over 1; 4 gains too little over 3
        ([1.0, 1.8, 2.0, 2.2], 4),
        ([1.0, 0.6, 0.5], 1),
    ],
)
def test_more_threads_must_be_clearly_faster(ratios: list[float], threads: int) -> None:
    assert recommend([result(index + 1, ratio) for index, ratio in enumerate(ratios)]) == Setting(threads, True)


@pytest.mark.parametrize(
    ("ratio", "peak", "prepacking"),
    [
        (0.9, 95, False),
        (0.9, 96, True),  # saves too little
        (0.8, 60, False),
        (0.79, 60, True),  # costs too much
        (0.9, None, True),  # not told
    ],
)
def test_prepacking_goes_where_memory_gains_more_than_time_costs(
    ratio: float, peak: int | None, prepacking: bool
) -> None:
    results = [result(1, 1.0), result(2, 1.0), result(1, ratio, False, peak), result(2, 3.0, False, 1)]
    assert recommend(results) == Setting(1, prepacking)


def test_settings_are_spoken() -> None:
    assert spoken(Setting(1, True)) == "1 thread"
    assert spoken(Setting(3, False)) == "3 threads without prepacking"


@pytest.fixture
def scripted(profile: Profile, monkeypatch: pytest.MonkeyPatch) -> list[list[Subject]]:
    """`measure_subjects` that measures nothing: n threads are n times as fast as one."""
    pairs: list[list[Subject]] = []

    def measure(
        subjects: Sequence[Subject], sentences: Any, protocol: Protocol, zipped: bool, progress: Progress
    ) -> dict[str, Measurement]:
        pairs.append(list(subjects))
        assert not zipped
        progress(1, 2, "halfway")
        return {
            one.name: dataclasses.replace(
                profile.measurement,
                memory=Memory(len(pairs), None, one.threads, None),
                speedups=(Speedup(64, one.threads or 0, 0.5, 9.0, 2),) if len(subjects) > 1 else (),
            )
            for one in subjects
        }

    monkeypatch.setattr(settings, "measure_subjects", measure)
    return pairs


def test_each_setting_is_measured_beside_the_first(tmp_path: Path, scripted: list[list[Subject]]) -> None:
    tried = (Setting(1, True), Setting(2, True), Setting(1, False))
    seen: list[tuple[int, int, str]] = []
    found = sweep_settings(subject(tmp_path), [["ab"]], tried, progress=lambda *now: seen.append(now))
    assert [[(one.threads, dict(one.options)["prepacking"]) for one in pair] for pair in scripted] == [
        [(1, True), (2, True)],
        [(1, True), (1, False)],
    ]
    assert all(dict(one.options)["max_length"] == 64 for pair in scripted for one in pair)
    assert [one.setting for one in found] == list(tried)
    assert [one.ratio for one in found] == [1.0, 2.0, 1.0]
    assert [(one.peak, one.anonymous) for one in found] == [(1, 1), (1, 2), (2, 1)]
    assert (found[1].ratio_low, found[1].ratio_high, found[1].samples) == (0.5, 9.0, 3)
    assert seen == [(1, 4, "halfway"), (3, 4, "halfway")]


def test_a_single_setting_is_measured_alone(tmp_path: Path, scripted: list[list[Subject]]) -> None:
    (found,) = sweep_settings(subject(tmp_path), [["ab"]], [Setting(1, True)])
    assert [len(pair) for pair in scripted] == [1]
    assert (found.ratio, found.ratio_low, found.ratio_high, found.p50_ms) == (1.0, 1.0, 1.0, 2.0)


def test_a_model_with_external_data_runs_at_every_setting(external_variant: Path) -> None:
    tried = (Setting(1, True), Setting(2, False))
    found = sweep_settings(subject(external_variant), [["ab", "cd"]], tried, TINY)
    assert [one.setting for one in found] == list(tried)
    assert all(one.samples == 4 and 0 < one.p50_ms <= one.p95_ms for one in found)
    assert found[1].ratio > 0
