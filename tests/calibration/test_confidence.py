"""Temperature scaling and the calibration error of predicted entities."""

from __future__ import annotations

import numpy as np
import pytest
from seqeval.metrics import precision_score

from calibration.confidence import Reliability, entity_reliability, fit_temperature

LABELS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")


def logits_for(tags: list[str], probability: float) -> np.ndarray:
    """float32 (words, labels): `probability` for each tag, the rest shared evenly."""
    rows = np.full((len(tags), len(LABELS)), (1 - probability) / (len(LABELS) - 1))
    rows[np.arange(len(tags)), [LABELS.index(tag) for tag in tags]] = probability
    return np.log(rows).astype(np.float32)


def honest_tagger(sentences: int, seed: int = 0) -> tuple[list[np.ndarray], list[list[str]]]:
    """One-word sentences whose predicted person is right as often as its probability says."""
    random = np.random.default_rng(seed)
    probabilities = random.uniform(0.4, 0.99, sentences)
    gold = [["B-PER"] if random.random() < p else ["B-LOC"] for p in probabilities]
    return [logits_for(["B-PER"], float(p)) for p in probabilities], gold


@pytest.mark.parametrize("overconfidence", [0.5, 1.0, 2.5, 4.0])
def test_temperature_undoes_overconfidence(overconfidence: float) -> None:
    logits, gold = honest_tagger(4000)
    assert fit_temperature([row * overconfidence for row in logits], gold, LABELS) == pytest.approx(
        overconfidence, rel=0.06
    )


def test_temperature_lowers_the_calibration_error_on_other_sentences() -> None:
    dev, dev_gold = honest_tagger(1000, seed=1)
    test, test_gold = honest_tagger(1000, seed=2)
    temperature = fit_temperature([row * 3 for row in dev], dev_gold, LABELS)
    before = entity_reliability([row * 3 for row in test], test_gold, LABELS)
    after = entity_reliability([row * 3 for row in test], test_gold, LABELS, temperature)
    assert error_of(before) > 0.12
    assert error_of(after) < 0.05
    assert (before.entities, before.accuracy) == (after.entities, after.accuracy)


def test_fit_counts_entities_not_words() -> None:
    """Hundreds of certain, correct O words say nothing about the scores that users see."""
    logits, gold = honest_tagger(1000)
    padded = [np.concatenate([row * 2, logits_for(["O"] * 50, 0.999)]) for row in logits]
    alone = fit_temperature([row * 2 for row in logits], gold, LABELS)
    assert fit_temperature(padded, [tags + ["O"] * 50 for tags in gold], LABELS) == pytest.approx(alone)


def test_all_right_on_a_small_dev_does_not_ask_for_certainty() -> None:
    gold = [["B-PER", "I-PER"]] * 20
    logits = [logits_for(tags, 0.9) for tags in gold]
    temperature = fit_temperature(logits, gold, LABELS)
    score = entity_reliability(logits, gold, LABELS, temperature).confidence
    assert score == pytest.approx(21 / 22, abs=1e-3)  # Platt's target


def test_without_predicted_entities_there_is_nothing_to_fit() -> None:
    assert fit_temperature([logits_for(["O", "O"], 0.9)], [["B-PER", "O"]], LABELS) == 1.0
    assert fit_temperature([], [], LABELS) == 1.0


def test_word_without_sub_words_does_not_disturb() -> None:
    certain = np.array([[0.0, -1e4, -1e4, -1e4, -1e4]], np.float32)
    logits, gold = honest_tagger(500)
    with_blank = [np.concatenate([row, certain]) for row in logits]
    tags = [[*each, "O"] for each in gold]
    assert fit_temperature(with_blank, tags, LABELS) == pytest.approx(fit_temperature(logits, gold, LABELS))
    assert entity_reliability(with_blank, tags, LABELS, 2.0) == entity_reliability(logits, gold, LABELS, 2.0)


def test_score_is_the_mean_over_the_words_and_right_means_the_same_span_and_type() -> None:
    predicted = [["B-PER", "I-PER", "O"], ["B-LOC", "O", "O"]]
    gold = [["B-PER", "I-PER", "O"], ["B-LOC", "I-LOC", "O"]]
    person = np.concatenate([logits_for(["B-PER"], 0.9), logits_for(["I-PER"], 0.6), logits_for(["O"], 0.5)])
    result = entity_reliability([person, logits_for(predicted[1], 0.85)], gold, LABELS)
    assert [(bin_.count, bin_.accuracy) for bin_ in result.bins] == [(1, 1.0), (1, 0.0)]
    assert [bin_.confidence for bin_ in result.bins] == pytest.approx([0.75, 0.85])
    assert error_of(result) == pytest.approx((0.25 + 0.85) / 2)
    assert result.bins[0].low < 0.75 <= result.bins[0].high


def test_calibration_error_weighs_bins_by_their_entities() -> None:
    logits = [logits_for(["B-PER"], 0.95)] * 8 + [logits_for(["B-PER"], 0.45)] * 2
    gold = [["B-PER"]] * 6 + [["O"]] * 2 + [["B-PER"]] * 2
    result = entity_reliability(logits, gold, LABELS)
    assert error_of(result) == pytest.approx(0.8 * (0.95 - 0.75) + 0.2 * (1 - 0.45), abs=1e-6)
    assert (result.confidence, result.accuracy) == (pytest.approx(0.85, abs=1e-6), 0.8)


def test_accuracy_is_seqevals_precision_also_with_orphan_inside_tags() -> None:
    random = np.random.default_rng(5)
    gold = [[LABELS[index] for index in random.integers(0, 5, 8)] for _ in range(300)]
    predicted = [[tag if random.random() < 0.8 else "O" for tag in tags] for tags in gold]
    result = entity_reliability([logits_for(tags, 0.7) for tags in predicted], gold, LABELS)
    assert result.accuracy == pytest.approx(precision_score(gold, predicted))


@pytest.mark.parametrize(("probability", "last"), [(1.0, 1.0), (1 / 3 + 1e-3, 0.4)])
def test_scores_at_the_edges_fall_into_a_bin(probability: float, last: float) -> None:
    rows = np.array([[0.0, 50.0, 0, 0, 0]]) if probability == 1.0 else logits_for(["B-PER"], probability)
    result = entity_reliability([rows], [["B-PER"]], LABELS)
    assert [bin_.high for bin_ in result.bins] == pytest.approx([last])


def test_no_predicted_entity_has_no_calibration_error() -> None:
    none = entity_reliability([logits_for(["O"], 0.9), np.zeros((0, 5))], [["B-PER"], []], LABELS)
    assert none == Reliability(None, 0, None, None, ())


@pytest.mark.parametrize("gold", [[["O"]], [["O", "O"], ["O"]]])
def test_misaligned_gold_is_refused(gold: list[list[str]]) -> None:
    logits = [logits_for(["O", "B-PER"], 0.9)]
    with pytest.raises(ValueError):
        fit_temperature(logits, gold, LABELS)
    with pytest.raises(ValueError):
        entity_reliability(logits, gold, LABELS)


def error_of(result: Reliability) -> float:
    assert result.expected_calibration_error is not None
    return result.expected_calibration_error
