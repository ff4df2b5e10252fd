"""What a bundle answers, and how its answers on this machine compare with the golden ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from export.runtime import answers, rounds
from export.runtime.answers import Answer, compare, differences, golden_agreement, read_golden
from export.runtime.errors import UserError
from export.runtime.process import WorkerProcess


@pytest.fixture
def golden(finished_bundle: Path) -> list[Answer]:
    return [line for line in read_golden(finished_bundle) if line.words][:3]


def change_line(bundle: Path, number: int, **changes: Any) -> None:
    path = bundle / "golden.jsonl"
    lines = path.read_text("utf-8").removesuffix("\n").split("\n")
    lines[number - 1] = json.dumps(json.loads(lines[number - 1]) | changes)
    path.write_text("\n".join(lines) + "\n", "utf-8")


def flipped(answer: Answer, margin: float = 0.1) -> Answer:
    """The same with another tag at its first word, which led by `margin`."""
    tag = "B-PER" if answer.tags[0] != "B-PER" else "B-LOC"
    return replace(answer, tags=[tag, *answer.tags[1:]], margins=[margin, *answer.margins[1:]])


def test_equal_answers_agree_in_all(golden: list[Answer]) -> None:
    found = compare(zip(golden, golden, strict=True), 0.01)
    words = sum(len(line.words) for line in golden)
    assert (found.sentences, found.words, found.same_ids, found.same_tags) == (3, words, 3, words)
    assert (found.largest_logit_difference, found.flips, found.ok) == (0.0, (), True)


def test_each_flip_is_listed_and_allowed_only_where_the_lead_was_small(golden: list[Answer]) -> None:
    for margin, ok in ((0.1, True), (5.0, False)):
        stored = replace(golden[1], margins=[margin, *golden[1].margins[1:]])
        now = flipped(golden[1], margin)
        found = compare([(golden[0], golden[0]), (stored, now)], tolerance=1.0)
        (flip,) = found.flips
        assert (flip.line, flip.index, flip.word) == (2, 0, golden[1].words[0])
        assert (flip.expected, flip.found, flip.margin) == (stored.tags[0], now.tags[0], margin)
        assert found.same_tags == found.words - 1
        assert found.ok is ok


def test_other_ids_are_counted_and_never_right(golden: list[Answer]) -> None:
    windows = [{**golden[0].windows[0], "ids": [0, 7, 2]}]
    found = compare([(golden[0], replace(golden[0], windows=windows)), (golden[1], golden[1])], 1.0)
    assert (found.same_ids, found.ok) == (1, False)
    assert found.same_tags == found.words  # the tags still are


def test_other_words_leave_nothing_to_compare(golden: list[Answer]) -> None:
    found = compare([(golden[0], replace(golden[0], words=["x"]))], 1.0)
    assert (found.same_ids, found.same_tags, found.largest_logit_difference, found.ok) == (0, 0, None, False)


def test_the_largest_logit_difference_is_told_whatever_the_tolerance(golden: list[Answer]) -> None:
    rows = [[value + 0.3 for value in row] for row in golden[0].logits]
    moved = replace(golden[0], logits=rows)
    assert compare([(golden[0], moved)], 1.0).ok
    found = compare([(golden[0], moved), (golden[1], golden[1])], 0.1)
    assert found.largest_logit_difference == pytest.approx(0.3)
    assert not found.ok
    assert list(differences(golden[0], moved, 0.1)) == ["has logits that differ by 0.3000, more than the 0.1 allowed"]


def test_a_bundle_agrees_with_itself_in_a_process_of_its_own(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []

    def process(name: str, module: str, threads: int) -> WorkerProcess:
        started.append(threads)
        return WorkerProcess(name, module, threads)

    monkeypatch.setattr(rounds, "WorkerProcess", process)
    seen: list[tuple[int, int, str]] = []
    found = golden_agreement(bundle, threads=2, progress=lambda *now: seen.append(now))
    assert found.ok and found.same_ids == found.sentences == len(seen)
    assert found.same_tags == found.words > 100
    assert seen[-1][:2] == (len(seen) - 1, len(seen))
    assert started == [2]


def test_a_changed_golden_file_does_not_agree(bundle: Path) -> None:
    change_line(bundle, 1, tags=["B-LOC"] * len(read_golden(bundle)[0].tags))
    found = golden_agreement(bundle, prepacking=False)
    assert not found.ok and {flip.line for flip in found.flips} == {1}


def test_a_process_that_dies_is_told_by_its_signal(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dying_worker.py").write_text(
        "import os, sys\nsys.stdin.readline()\nprint('{}', flush=True)\n"
        "sys.stdin.readline()\nos.kill(os.getpid(), 4)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    subject = answers.bundle_subject
    monkeypatch.setattr(answers, "bundle_subject", lambda *given: replace(subject(*given), worker="dying_worker"))
    with pytest.raises(UserError, match="illegal instruction: this onnxruntime does not fit this CPU"):
        golden_agreement(bundle)


def test_a_line_separator_inside_a_text_ends_no_line(bundle: Path) -> None:
    before = len(read_golden(bundle))
    path = bundle / "golden.jsonl"
    path.write_text(path.read_text("utf-8").replace("\\u2028", "\u2028"), "utf-8")
    assert "\u2028" in path.read_text("utf-8")
    assert len(read_golden(bundle)) == before


def broken_lines() -> Iterator[bytes]:
    yield from (b"", b"{", b"3", b"[]", b'{"words": ["ab"]}', b'{"unknown": 1}', b"\xff", b"[" * 100_000)


@pytest.mark.parametrize("line", broken_lines())
def test_a_damaged_golden_line_is_named(bundle: Path, line: bytes) -> None:
    path = bundle / "golden.jsonl"
    path.write_bytes(path.read_bytes().split(b"\n")[0] + b"\n" + line + b"\n")
    with pytest.raises(UserError, match=r"golden\.jsonl cannot be used: line 2"):
        read_golden(bundle)


@pytest.mark.parametrize("changes", [{"text": 3}, {"words": [1]}, {"tags": "O"}, {"words": None}])
def test_a_golden_line_with_wrong_types_is_named(bundle: Path, changes: dict[str, Any]) -> None:
    change_line(bundle, 2, **changes)
    with pytest.raises(UserError, match="line 2 is not of its form"):
        read_golden(bundle)


@pytest.mark.parametrize("logits", [[1, 2, 3, 4], [["x"] * 5] * 4, [[[0.5] * 2] * 5] * 4, [[10**400] * 5] * 4])
def test_golden_numbers_that_are_none_are_an_error(bundle: Path, logits: list[Any]) -> None:
    change_line(bundle, 1, logits=logits)
    with pytest.raises(UserError, match=r"golden\.jsonl cannot be used: its answers cannot be compared"):
        golden_agreement(bundle)


def test_a_missing_golden_file_is_named(bundle: Path) -> None:
    (bundle / "golden.jsonl").unlink()
    with pytest.raises(UserError, match=r"golden\.jsonl cannot be used"):
        golden_agreement(bundle)
