"""runtime/js (WebAssembly, in Node) against the Python runtime, both int8.

    MASAKHANER_DIR=FOLDER python -m tests.benchmarks.javascript [--bundle BUNDLE]

Reads every dev sentence of the ten languages of MasakhaNER 1.0, as words and put together as running text, and
10,000 generated strings in both runtimes, and tags the sentences in both. The tagger is BUNDLE's (then only its
languages are read), else the teacher in AFRIBERTA_DIR or the built-in one, untrimmed. Prints a row per language,
every tag that differs (where, never what the text is), and as the last line one JSON object. Needs node and
the packages of tests/export/runtime/js/package.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from export.bundle import BundleDetails, write_bundle
from export.card import Card
from export.manifest import Licence, read_manifest
from export.runtime.encode import word_logits
from export.runtime.session import open_session, session_logits
from export.runtime.tagger import Tagger
from export.variants import build_variant
from tests.export.runtime.hard_texts import as_read, as_windows, hard_texts
from toolkit.counts import count_entities
from toolkit.data.masakhaner import read_split
from toolkit.data.types import Sentence
from toolkit.languages import LANGUAGES
from toolkit.raw_text import detokenise
from toolkit.teacher import read_teacher

ROOT = Path(__file__).resolve().parents[2]
JS = ROOT / "tests" / "export" / "runtime" / "js"
RUNTIME = ROOT / "export" / "runtime" / "js"
STRINGS = 10_000
MISMATCHES = ("offsets", "sentences", "ids")
COLUMNS = ("dev sentences", "words", *MISMATCHES, "flips", "wasm F1 against native", "native F1", "wasm F1")


@dataclass(frozen=True)
class Flip:
    """A word that the two tag differently; `margin` is by how much the native logits preferred their tag."""

    lang: str
    sentence: int
    word: int
    native: str
    wasm: str
    margin: float


def teacher_bundle(source: Path, work: Path) -> Path:
    """The teacher, untrimmed, as an int8 bundle."""
    labels = read_teacher(source, work / "teacher").labels
    build_variant("onnx-fp32", work / "teacher", work / "fp32")
    build_variant("onnx-int8", work / "teacher", work / "int8", work / "fp32")
    details = BundleDetails(
        name="javascript benchmark",
        model="onnx/model_int8.onnx",
        dtype="int8",
        labels=labels,
        languages=tuple(code for code, language in LANGUAGES.items() if language.masakhaner1),
        max_length=512,
        recipe={},
        provenance={},
        licences=(Licence("teacher", "unknown", False),),
        card=Card("A benchmark's bundle.", ()),
    )
    return write_bundle(work / "int8", details, work / "bundle").folder


def node(script: str, *arguments: str | Path) -> str:
    command = ["node", JS / script, *arguments]
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=True).stdout


def compared(bundle: Path, max_length: int, lines: Iterable[dict[str, Any]], work: Path) -> dict[str, Any]:
    """The report of compare.js."""
    report: dict[str, Any] = json.loads(node("compare.js", bundle, str(max_length), written(lines, work)))
    for example in report["examples"]:
        print(f"  {example['what']} differ", file=sys.stderr)
    return report


def written(lines: Iterable[Any], work: Path) -> Path:
    file = work / "lines.jsonl"
    with file.open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(line) + "\n" for line in lines)
    return file


def as_lines(sentences: Sequence[Sentence], tagger: Tagger) -> Iterator[dict[str, Any]]:
    """Each sentence as running text, and as the words it has in the data."""
    for sentence in sentences:
        yield as_read(detokenise(sentence.words)[0], tagger.encoder)
        given = {"given": sentence.words, "windows": as_windows(sentence.words, tagger.encoder)}
        yield as_read(" ".join(sentence.words), tagger.encoder) | given


def language_row(
    lang: str, bundle: Path, tagger: Tagger, data: Path, work: Path
) -> tuple[dict[str, Any], list[Flip]]:
    sentences = [sentence for sentence in read_split(data, lang, "dev") if sentence.words]
    report = compared(bundle, tagger.encoder.max_length, as_lines(sentences, tagger), work)
    logits = session_logits(open_session(bundle / read_manifest(bundle / "manifest.json").model))
    rows = [word_logits(logits, tagger.encoder, sentence.words) for sentence in sentences]
    native = [[tagger.labels[index] for index in row.argmax(axis=1)] for row in rows]
    answers = node("answer.js", bundle, written(({"words": sentence.words} for sentence in sentences), work))
    wasm = [json.loads(answer)["tags"] for answer in answers.splitlines()]
    flips = [
        Flip(lang, number, word, ours, theirs, round(float(np.diff(np.sort(row[word])[-2:])[0]), 4))
        for number, (row, one, other) in enumerate(zip(rows, native, wasm, strict=True))
        for word, (ours, theirs) in enumerate(zip(one, other, strict=True))
        if ours != theirs
    ]
    gold = [sentence.tags for sentence in sentences]
    f1 = [count_entities(*pair).f1 for pair in ((native, wasm), (gold, native), (gold, wasm))]
    words = sum(len(sentence.words) for sentence in sentences)
    values = (len(sentences), words, *(report[name] for name in MISMATCHES), len(flips), *f1)
    return dict(zip(COLUMNS, values, strict=True)), flips


def minified_bytes() -> int:
    options = ("--bundle", "--minify", "--format=esm", "--charset=utf8", "--external:@huggingface/tokenizers")
    command = ["node", JS / "node_modules" / "esbuild" / "bin" / "esbuild", RUNTIME / "index.js", *options]
    return len(subprocess.run([str(part) for part in command], capture_output=True, check=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--bundle", type=Path, help="an int8 bundle; default: the teacher, untrimmed")
    chosen = parser.parse_args().bundle
    data = Path(os.environ["MASAKHANER_DIR"])
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        source = Path(os.environ.get("AFRIBERTA_DIR") or ROOT / "toolkit" / "builtin" / "teacher")
        bundle = chosen or teacher_bundle(source, work)
        tagger = Tagger.load(bundle)
        golden = json.loads(node("answer.js", bundle))
        strings = (as_read(text, tagger.encoder) for text in hard_texts(STRINGS))
        generated = compared(bundle, tagger.encoder.max_length, strings, work)
        print("lang", *COLUMNS, sep="\t")
        rows, flips = {}, []
        for lang in read_manifest(bundle / "manifest.json").languages:
            rows[lang], found = language_row(lang, bundle, tagger, data, work)
            shown = (f"{value:.2f}" if isinstance(value, float) else value for value in rows[lang].values())
            print(lang, *shown, sep="\t", flush=True)
            flips += found
    for flip in flips:
        print(f"flip: {flip.lang} dev sentence {flip.sentence} word {flip.word}: native {flip.native}, "
              f"wasm {flip.wasm}, margin {flip.margin}")  # fmt: skip
    total = {name: sum(row[name] for row in rows.values()) for name in COLUMNS[:6]}
    lowest = min(row[COLUMNS[6]] for row in rows.values())
    strings_total = {name: generated[name] for name in ("texts", "words", *MISMATCHES)}
    golden_total = {**golden, "problems": len(golden["problems"])}
    print(json.dumps({"dev": total, "generated": strings_total, "golden": golden_total,
                      "lowest_f1_against_native": round(lowest, 2), "minified_bytes": minified_bytes()}))  # fmt: skip


if __name__ == "__main__":
    main()
