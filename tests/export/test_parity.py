"""The parity check sees every real difference and none that padding makes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from export.parity import SHAPES, compare, probe_inputs, require_parity, torch_logits
from export.runtime.errors import UserError

Probes = list[tuple[np.ndarray, np.ndarray]]


def table(change: Callable[[np.ndarray], np.ndarray] = lambda rows: rows) -> Callable[..., np.ndarray]:
    """Logits looked up by id, float32 (b, n, 3)."""
    rows = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    changed = change(rows.copy())
    return lambda input_ids, attention_mask: changed[input_ids]


@pytest.fixture
def probes() -> Probes:
    return probe_inputs(50, 512, 1)


def test_probes_reach_from_one_sub_word_to_the_longest_padded_batch(probes: Probes) -> None:
    assert [ids.shape for ids, _ in probes] == list(SHAPES) and SHAPES[0] == (1, 1) and SHAPES[-1] == (4, 510)
    for ids, mask in probes:
        assert ids.dtype == mask.dtype == np.int64
        assert (ids[mask == 0] == 1).all() and ids[mask == 1].min() >= 4 and ids.max() < 50
        assert (mask[:, 0] == 1).all() and mask[0].all()  # every row has something, the first is full
        assert (np.diff(mask, axis=1) <= 0).all()  # padding on the right
    lengths = probes[-1][1].sum(axis=1)
    assert len(set(lengths.tolist())) == 4
    again = probe_inputs(50, 512, 1)
    assert all((a == b).all() for one, two in zip(probes, again, strict=True) for a, b in zip(one, two, strict=True))


def test_probes_fit_a_shorter_model_and_a_tiny_vocabulary() -> None:
    assert [ids.shape[1] for ids, _ in probe_inputs(50, 20, 1)] == [1, 7, 20, 20]
    assert max(ids.max() for ids, _ in probe_inputs(3, 20, 1)) == 2


def test_equal_logits_differ_by_nothing(probes: Probes) -> None:
    report = compare(table(), table(), probes)
    assert (report.max_difference, report.mean_difference, report.tags_equal) == (0.0, 0.0, 1.0)
    assert report.positions == sum(int(mask.sum()) for _, mask in probes)
    require_parity(report, "model.onnx")


def test_what_stands_at_padding_does_not_count(probes: Probes) -> None:
    def other_padding(rows: np.ndarray) -> np.ndarray:
        rows[1] += 100
        return rows

    assert compare(table(), table(other_padding), probes).max_difference == 0


def test_one_other_row_is_found_and_weighed(probes: Probes) -> None:
    def other_row(rows: np.ndarray) -> np.ndarray:
        rows[7, rows[7].argmax()] -= 50
        return rows

    report = compare(table(), table(other_row), probes)
    share = sum(int(((ids == 7) & (mask == 1)).sum()) for ids, mask in probes) / report.positions
    assert report.max_difference == pytest.approx(50, rel=1e-5)
    assert report.mean_difference == pytest.approx(50 * share, rel=1e-5)
    assert report.tags_equal == pytest.approx(1 - share)
    with pytest.raises(UserError, match=r"model\.onnx differs from torch by up to 50"):
        require_parity(report, "model.onnx")


def test_the_tolerance_is_a_limit_on_any_single_logit(probes: Probes) -> None:
    report = compare(table(), table(lambda rows: rows + np.float32(5e-4)), probes)
    require_parity(report, "model.onnx")
    with pytest.raises(UserError):
        require_parity(report, "model.onnx", tolerance=1e-4)


def test_a_logit_that_is_no_number_is_refused(probes: Probes) -> None:
    def broken(rows: np.ndarray) -> np.ndarray:
        rows[9] = np.nan
        return rows

    with pytest.raises(UserError, match="nan"):
        require_parity(compare(table(), table(broken), probes), "model.onnx")


def test_torchs_logits_are_those_of_evaluation_mode_in_float32(build_model: Callable[..., Any]) -> None:
    model = build_model().bfloat16().train()
    logits = torch_logits(model)
    ids = np.array([[0, 9, 8, 2]])
    first, second = logits(ids, np.ones_like(ids)), logits(ids, np.ones_like(ids))
    assert first.dtype == np.float32 and first.shape == (1, 4, 9)
    assert (first == second).all()  # no dropout
