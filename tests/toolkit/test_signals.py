"""What the teacher says is stored per word, compactly, and comes back as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoModelForTokenClassification

from export.parity import torch_logits
from export.runtime.encode import CERTAIN, WordEncoder, word_logits
from toolkit import training
from toolkit.data.types import Labelled
from toolkit.features import examples
from toolkit.signals import LONGEST, read_signals, sample_unlabelled, write_signals

ODD = ("Rais", "a\u2028b", "\u00a0", "na\u00a0na", "\u200b", "a\x85b", "a\rb", "\ud800", "", "ẹ̀kọ́", "'\"\\")


@pytest.fixture(autouse=True)
def fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is stored must not depend on whether this processor has bfloat16."""
    monkeypatch.setattr(training, "has_bf16", lambda: False)


def sentences(few: Labelled) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    return [s.words for s in few.train[:12]], [s.words for s in few.train[12:40]]


def test_logits_come_back_within_half_precision(teacher: Path, few: Labelled, tmp_path: Path) -> None:
    labelled, unlabelled = sentences(few)
    report = write_signals(teacher, labelled, unlabelled, hidden=False, out=tmp_path)
    signals = read_signals(tmp_path, report["labelled"])
    assert report["sentences"] == len(signals.sentences) == 40 and signals.labelled == 12
    assert signals.hidden is None and signals.logits is not None and signals.logits.dtype == np.float16
    assert report["words"] == len(signals.logits) and report["bytes_per_word"] == 18
    logits = torch_logits(AutoModelForTokenClassification.from_pretrained(teacher))
    encoder = WordEncoder.load(teacher)
    for number, words in enumerate([*labelled, *unlabelled]):
        expected = word_logits(logits, encoder, words)
        found = signals.logits[signals.starts[number] :][: len(words)]
        np.testing.assert_allclose(found.astype(np.float32), expected, atol=0.01)


def test_hidden_states_come_back_within_half_a_step(teacher: Path, few: Labelled, tmp_path: Path) -> None:
    labelled, unlabelled = sentences(few)
    report = write_signals(teacher, labelled, unlabelled, hidden=True, out=tmp_path)
    signals = read_signals(tmp_path, report["labelled"])
    assert signals.logits is None and signals.hidden is not None and signals.hidden[0].dtype == np.int8
    assert report["bytes_per_word"] == 32 + 2
    model = AutoModel.from_pretrained(teacher, add_pooling_layer=False).eval()
    every = examples(WordEncoder.load(teacher), [*labelled, *unlabelled])
    for example in every[::5]:
        with torch.inference_mode():
            expected = model(torch.from_numpy(example["input_ids"])[None])[0][0, example["first"]].numpy()
        found = signals.hidden_rows(signals.rows(example))
        step = np.abs(expected).max(axis=1, keepdims=True) / 127
        assert (np.abs(found - expected) <= 0.51 * step + 0.001 * np.abs(expected)).all()


@pytest.mark.parametrize("hidden", [False, True])
def test_any_word_survives_the_file_and_the_next_sentence_keeps_its_rows(
    teacher: Path, tmp_path: Path, hidden: bool
) -> None:
    unlabelled = [ODD, (), ("Samia", "Suluhu")]
    write_signals(teacher, [("Rais",)], unlabelled, hidden, tmp_path)
    signals = read_signals(tmp_path, 1)
    assert [tuple(words) for words in signals.sentences] == [("Rais",), *unlabelled]
    assert signals.starts.tolist() == [0, 1, 1 + len(ODD), 1 + len(ODD)]
    (*_, last) = examples(WordEncoder.load(teacher), signals.sentences)
    assert signals.rows(last).tolist() == [1 + len(ODD), 2 + len(ODD)]


def test_a_word_without_sub_words_is_certainly_outside(teacher: Path, tmp_path: Path) -> None:
    write_signals(teacher, [], [("Rais", "\u200b", "Samia")], hidden=False, out=tmp_path)
    rows = read_signals(tmp_path, 0).logits
    assert rows is not None
    assert rows[1].tolist() == [0.0] + [-CERTAIN] * 8
    assert np.abs(rows[[0, 2]]).max() < 100


def test_rows_of_a_window_are_those_of_its_words(teacher: Path, demo: Labelled, tmp_path: Path) -> None:
    long = tuple(word for sentence in demo.train[:12] for word in sentence.words)
    write_signals(teacher, [("Rais",), long], [], hidden=False, out=tmp_path)
    signals = read_signals(tmp_path, 2)
    short_windows = examples(WordEncoder.load(teacher, 40), signals.sentences)
    rows = np.concatenate([signals.rows(example) for example in short_windows])
    assert len(short_windows) > 4 and sorted(rows.tolist()) == list(range(1 + len(long)))
    assert [example["sentence"] for example in short_windows[:2]] == [0, 1]


def test_a_sample_holds_about_the_tokens_asked_for(teacher: Path, paragraphs: list[tuple[str, ...]]) -> None:
    encoder = WordEncoder.load(teacher)
    chosen = sample_unlabelled(paragraphs, encoder, 2000, seed=1)
    tokens = [len(encoder.sub_words(words)[0]) + 2 for words in chosen]
    assert sum(tokens[:-1]) < 2000 <= sum(tokens)
    assert chosen == sample_unlabelled(paragraphs, encoder, 2000, seed=1)
    assert chosen != sample_unlabelled(paragraphs, encoder, 2000, seed=2)
    assert len({tuple(words) for words in chosen}) == len(chosen)
    assert len(sample_unlabelled(paragraphs, encoder, 10**9, seed=1)) == len(paragraphs)
    assert sample_unlabelled(paragraphs, encoder, 0, seed=1) == []


def test_a_sample_leaves_out_scraps_and_cuts_long_paragraphs(teacher: Path) -> None:
    chosen = sample_unlabelled([("na", "ni"), ("na",) * 1000], WordEncoder.load(teacher), 10**6, seed=1)
    assert [len(words) for words in chosen] == [LONGEST]
