"""Comparison of made-up answers."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest

from export.runtime.answers import Agreement, Flip
from export.runtime.machine import describe_machine
from toolkit.emulation.arm_cpus import ARM_CPUS
from toolkit.emulation.record import CpuResult, EmulationReport, WordAnswers, compare_cpu, rule
from toolkit.emulation.sample import Sample
from toolkit.emulation.text import HEADER, emulation_lines, emulation_rows

LABELS = ("O", "B-PER", "B-LOC")
A53 = ARM_CPUS["cortex-a53"]
WORDS = ("Wanjiku", "na", "Nairobi")
TAGS = ("B-PER", "O", "B-LOC")


def answers(tags: Sequence[str] = TAGS, margin: float = 2.0, ids: Sequence[int] = (0, 7, 2)) -> WordAnswers:
    """Logits that lead by `margin` to these tags."""
    logits = np.zeros((len(tags), len(LABELS)), np.float32)
    logits[range(len(tags)), [LABELS.index(tag) for tag in tags]] = margin
    return WordAnswers((tuple(ids),), tuple(tags), logits)


def sample(count: int = 1, public: bool = True) -> Sample:
    numbers = tuple(range(1, count + 1))
    return Sample("made up", not public, public, 2 * count, numbers, (WORDS,) * count)


def compare(
    native: Sequence[WordAnswers],
    emulated: Sequence[WordAnswers],
    dtype: str = "int8",
    public: bool = True,
    golden: Agreement | None = None,
    failures: Sequence[str] = (),
) -> CpuResult:
    one, other = (dict(enumerate(side, start=1)) for side in (native, emulated))
    return compare_cpu(A53, dtype, sample(len(native), public), one, other, golden, failures, 12.34)


def shifted(one: WordAnswers, by: float) -> WordAnswers:
    return WordAnswers(one.ids, one.tags, one.logits + np.float32(by))


@pytest.mark.parametrize("dtype", ["fp32", "int8"])
def test_equal_answers_agree(dtype: str) -> None:
    found = compare([answers()], [answers()], dtype)
    assert found.ok and found.problems == ()
    assert (found.sentences, found.words, found.same_ids, found.entities) == (1, 3, 1, 2)
    assert (found.f1, found.largest_logit_difference, found.flips) == (100.0, 0.0, ())
    assert found.emulator_seconds == 12.3


def test_fp32_logits_may_differ_by_rounding_and_no_more() -> None:
    assert compare([answers()], [shifted(answers(), 9e-5)], "fp32").ok
    found = compare([answers()], [shifted(answers(), 2e-4)], "fp32")
    assert found.problems == ("logits differ by 0.0002, more than 0.0001",)
    assert compare([answers()], [shifted(answers(), 0.3)], "int8").ok


def test_one_flip_in_200_entities_is_the_most_int8_may_have() -> None:
    native = [answers()] * 100
    flipped = answers(("B-LOC", "O", "B-LOC"))
    found = compare(native, [flipped, *native[1:]])
    assert (found.entities, found.f1) == (200, 99.5)
    assert found.ok
    found = compare(native[:99], [flipped, *native[1:99]])
    assert found.problems == ("entity F1 against the native answers is 99.49 over 198 entities, below 99.5",)


def test_a_flip_names_sentence_word_tags_and_the_margin_of_the_native_tag() -> None:
    native, emulated = answers(margin=0.0021), answers(("B-PER", "O", "O"))
    flip = compare([answers(), native], [answers(), emulated]).flips[0]
    assert (flip.sentence, flip.index, flip.word) == (2, 2, "Nairobi")
    assert (flip.native, flip.emulated, flip.margin) == ("B-LOC", "O", 0.0021)


def test_words_of_other_peoples_data_are_not_repeated() -> None:
    found = compare([answers()], [answers(("O", "O", "B-LOC"))], public=False)
    assert found.flips[0].word is None
    assert not any("Wanjiku" in line for line in emulation_lines(report(found, public=False)))


def test_other_ids_are_a_problem_even_with_equal_tags() -> None:
    found = compare([answers(), answers()], [answers(), answers(ids=(0, 8, 2))])
    assert found.same_ids == 1
    assert found.problems == ("other ids reach the model in 1 of 2 sentences",)


@pytest.mark.parametrize("dtype", ["fp32", "int8"])
def test_logits_that_are_no_numbers_are_a_problem(dtype: str) -> None:
    found = compare([answers(), answers()], [answers(), shifted(answers(), float("nan"))], dtype)
    assert found.problems == ("some logits are no numbers",)
    assert found.largest_logit_difference is None


def test_text_without_entities_has_no_f1() -> None:
    nothing = answers(("O", "O", "O"))
    assert compare([nothing], [nothing]).f1 is None
    assert compare([nothing], [nothing]).ok
    assert compare([nothing], [answers()]).f1 == 0.0
    assert not compare([nothing], [answers()]).ok


def test_a_crash_is_a_problem_whatever_was_answered_before() -> None:
    found = compare([answers(), answers()], [answers()], failures=["killed by SIGILL"])
    assert (found.sentences, found.f1, found.problems) == (1, 100.0, ("killed by SIGILL",))
    found = compare([answers()], [], failures=["killed by SIGILL"])
    assert (found.sentences, found.f1, found.largest_logit_difference) == (0, None, None)
    assert found.problems == ("killed by SIGILL",)


def agreement(ok: bool) -> Agreement:
    flip = Flip(3, 1, "Kisumu", "B-LOC", "O", 1.5)
    return Agreement(5, 20, 5, 19, 0.2, 1.0, () if ok else (flip,), ok)


def test_golden_sentences_answered_otherwise_are_a_problem() -> None:
    assert compare([answers()], [answers()], golden=agreement(True)).ok
    found = compare([answers()], [answers()], golden=agreement(False))
    assert "19 of 20 words with the golden tag" in found.problems[0]
    lines = list(emulation_lines(report(found)))
    assert "cortex-a53: golden.jsonl:3, word 1 'Kisumu': B-LOC when made, O there, margin 1.5" in lines


def report(*cpus: CpuResult, public: bool = True, dtype: str = "int8") -> EmulationReport:
    emulator = {"qemu": "7.2.22", "onnxruntime": "1.31.1"}
    return EmulationReport(
        "tiny", "ab" * 32, dtype, sample(public=public), cpus, emulator, describe_machine(), ("n",)
    )


def test_the_record_is_json_without_a_sentence_and_never_calls_its_time_a_devices() -> None:
    found = report(compare([answers()], [answers()]), compare([answers()], [answers(ids=(1,))]))
    record = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert (record["schema"], record["kind"], record["ok"]) == (1, "ARM emulation", False)
    assert record["model_sha256"] == "ab" * 32
    assert [cpu["ok"] for cpu in record["cpus"]] == [True, False]
    assert record["sample"] == {"source": "made up", "real_text": False, "sentences": 1, "of": 2}
    assert "Wanjiku" not in json.dumps(record)
    assert [key for key in record["cpus"][0] if "second" in key or "time" in key] == ["emulator_seconds"]
    assert record["native"]["onnxruntime"] == describe_machine().onnxruntime


def test_the_table_tells_who_disagrees_and_the_lines_why() -> None:
    flipped = compare([answers(margin=0.5)], [answers(("O", "O", "B-LOC"))])
    found = report(compare([answers()], [answers()], golden=agreement(True)), flipped)
    first, second = emulation_rows(found)
    assert len(first) == len(HEADER) == len(second)
    assert first == ("cortex-a53", "1", "1", "0", "100.00", "0", "19/20 tags", "12 s", "agrees")
    assert second[-1] == "DISAGREES" and second[HEADER.index("golden")] == "–"
    lines = list(emulation_lines(found))
    assert lines[0] == "1 of 2 sentences (3 words) of made up."
    assert "cortex-a53: sentence 1, word 0 'Wanjiku': B-PER here, O there, margin 0.5" in lines
    assert lines[-2] == "n"
    assert "nothing about a device" in lines[-1]


def test_each_dtype_has_its_rule() -> None:
    assert rule("fp32") == "ids equal, logits within 0.0001"
    assert "99.5" in rule("int8") and rule("int8") == rule("uint8")
