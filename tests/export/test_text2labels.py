"""text2labels.onnx: a sentence in, the runtime's words, offsets and labels out; and how a bundle holds it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import helper

from export import text2labels
from export.bundle import BundleDetails, write_bundle
from export.card import Card
from export.golden import golden_texts
from export.manifest import Alternative, Licence
from export.onnx_scan import EXTENSIONS_DOMAIN, TEXT_OPERATORS, scan_onnx
from export.runtime.characters import normalize
from export.runtime.encode import Logits, WordEncoder
from export.runtime.errors import UserError
from export.runtime.session import open_session, session_logits
from export.runtime.tagger import Tagger
from export.sbom import Package
from export.text2labels import FILE, Parts, SentenceTooLong, Text2Labels, by_runtime, export_text2labels
from export.verify import verify_bundle
from tests.export.forgery import problems, rehash
from tests.export.runtime.hard_texts import hard_texts
from toolkit.data.types import Sentence
from toolkit.evaluate import evaluate_bundle

pytest.importorskip("onnxruntime_extensions", reason="needs onnxruntime-extensions: make setup")

LONGEST = 60
LANGUAGES = ("amh", "hau", "ibo", "kin", "lug", "luo", "pcm", "swa", "wol", "yor")
WITHOUT = """
import sys
sys.modules["onnxruntime_extensions"] = sys.modules["onnx"] = None
from pathlib import Path
from export.verify import verify_bundle
report = verify_bundle(Path(sys.argv[1]))
print(*report.problems, *report.notes, sep="\\n")
sys.exit(not report.ok)
"""


@pytest.fixture(scope="module")
def parts(exported: Any) -> Parts:
    config = json.loads((exported.int8 / "config.json").read_text("utf-8"))
    labels = tuple(config["id2label"][str(index)] for index in range(len(config["id2label"])))
    return Parts(exported.int8, "onnx/model_int8.onnx", labels, LANGUAGES, LONGEST, 1.5)


@pytest.fixture(scope="module")
def file(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("text2labels") / "text2labels.onnx"
    export_text2labels(parts, out)
    return out


@pytest.fixture(scope="module")
def graph(file: Path) -> Text2Labels:
    return Text2Labels(file)


@pytest.fixture(scope="module")
def runtime(parts: Parts) -> tuple[Logits, WordEncoder]:
    logits = session_logits(open_session(parts.folder / parts.model))
    return logits, WordEncoder.load(parts.folder, LONGEST)


@pytest.fixture
def with_graph(parts: Parts, file: Path, tmp_path: Path) -> Path:
    """A bundle that holds the graph."""
    variant = Path(shutil.copytree(parts.folder, tmp_path / "variant"))
    (variant / FILE).parent.mkdir()
    shutil.copyfile(file, variant / FILE)
    package = Package("onnxruntime-extensions", "0.15.2", "MIT License")
    details = BundleDetails(
        name="swa tiny",
        model=parts.model,
        dtype="int8",
        labels=parts.labels,
        languages=("swa",),
        max_length=LONGEST,
        recipe={"name": "tiny"},
        provenance={"data": {"source": "demo text"}},
        licences=(Licence("demo text", "Apache-2.0", True),),
        card=Card("A tagger for tests."),
        alternatives=(Alternative("text2labels", "int8", (FILE,), ("onnxruntime-extensions==0.15.2",)),),
        alternative_packages=(package,),
    )
    return write_bundle(variant, details, tmp_path / "bundle").folder


def test_a_bundle_that_holds_it_is_evaluated(with_graph: Path, parts: Parts) -> None:
    sentences = [Sentence(("Rais", "Samia", "alifika", "."), ("O", "B-PER", "O", "O"))]
    assert len(evaluate_bundle(with_graph, sentences, parts.labels).predictions) == 1


def readable(text: str) -> bool:
    """Whether the graph promises to read it as the runtime does: composed, and no NUL."""
    return "\0" not in text and text == normalize("NFC", text)


def texts() -> Iterator[str]:
    yield from ("", " \n\u200b", "''", "a''b ‘’ c' 'd' e’’’f'g", "… ... .... 1,000.50 10:30:", "<mask></s>▁ ▁a")
    yield from (item.text for item in golden_texts(LANGUAGES))
    yield from hard_texts(1500, seed=4)


def test_words_offsets_labels_and_scores_are_the_runtimes(
    parts: Parts, graph: Text2Labels, runtime: tuple[Logits, WordEncoder]
) -> None:
    asked, labels = 0, set()
    for text in filter(readable, texts()):
        try:
            found = graph(text)
        except SentenceTooLong:
            continue
        expected = by_runtime(*runtime, parts, text)
        # A lone surrogate comes back as what it was read as.
        assert [word[1:4] for word in found] == [word[1:4] for word in expected], ascii(text)
        assert [word.score for word in found] == pytest.approx([word.score for word in expected], abs=1e-6)
        asked += 1
        labels |= {word.label for word in found}
    assert asked > 900
    assert len(labels) > 3


def test_by_runtime_says_what_the_tagger_says(parts: Parts, runtime: tuple[Logits, WordEncoder]) -> None:
    tagger = Tagger(*runtime, parts.labels, parts.temperature)
    for item in golden_texts(("swa",)):
        answers = by_runtime(*runtime, parts, item.text)
        assert [answer.label for answer in answers] == tagger.tag_words([answer.text for answer in answers])


def test_a_sentence_is_refused_exactly_where_it_is_too_long(
    graph: Text2Labels, runtime: tuple[Logits, WordEncoder]
) -> None:
    room = LONGEST - 2
    assert len(runtime[1].sub_words(["ʘ"] * (room // 2))[0]) == room, "▁ and a piece"
    assert len(graph("ʘ " * (room // 2))) == room // 2
    with pytest.raises(SentenceTooLong, match="Cut it into sentences"):
        graph("ʘ " * (room // 2) + "a")


def test_the_report_tells_what_was_compared(parts: Parts, tmp_path: Path) -> None:
    out = tmp_path / "new" / "text2labels.onnx"
    report = export_text2labels(parts, out)
    assert report.bytes == out.stat().st_size > (parts.folder / parts.model).stat().st_size
    assert report.sentences == len(golden_texts(LANGUAGES))
    assert 2 <= report.too_long < 8
    assert report.requires == ("onnxruntime-extensions==0.15.2",)
    assert set(report.different) <= {item.why for item in golden_texts(())}
    assert scan_onnx(out).operators >= TEXT_OPERATORS


def test_the_same_model_gives_the_same_bytes(parts: Parts, file: Path, tmp_path: Path) -> None:
    export_text2labels(parts, tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == file.read_bytes()


def test_segmentations_that_score_the_same_are_told_apart_alike() -> None:
    from sentencepiece import sentencepiece_model_pb2

    from export.text_graph import with_exact_scores

    model = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]
    for score in (-3.3000001907, -7.123456, 0.0):
        model.pieces.add(piece=str(score), score=score)
    read = sentencepiece_model_pb2.ModelProto.FromString(with_exact_scores(model.SerializeToString()))  # type: ignore[attr-defined]
    scores = [piece.score for piece in read.pieces]
    assert scores == pytest.approx([-3.3, -7.123456, 0.0], abs=2**-15)
    assert all(score * 2**14 == int(score * 2**14) for score in scores)


def test_nothing_is_written_where_a_sentence_of_the_language_is_answered_otherwise(
    parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text2labels, "by_runtime", lambda *arguments: [])
    with pytest.raises(UserError, match="in another way than the runtime"):
        export_text2labels(parts, tmp_path / "out.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_library_or_sentencepiece_model_is_told_with_a_remedy(
    parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(parts.folder, tmp_path / "variant"))
    (folder / "sentencepiece.bpe.model").unlink()
    other = Parts(folder, parts.model, parts.labels, ("swa",), LONGEST)
    with pytest.raises(UserError, match="SentencePiece") as caught:
        export_text2labels(other, tmp_path / "out.onnx")
    assert "recipe" in caught.value.remedy
    monkeypatch.setattr(text2labels, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="onnxruntime-extensions, which is not installed") as caught:
        Text2Labels(tmp_path / "out.onnx")
    assert "make setup" in caught.value.remedy


def test_a_file_that_is_no_model_is_told_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "t.onnx").write_bytes(b"no model")
    with pytest.raises(UserError, match=r"text2labels\.onnx cannot be opened"):
        Text2Labels(tmp_path / "t.onnx")


def test_a_bundle_with_it_verifies_where_its_library_is_not_installed(with_graph: Path) -> None:
    run = subprocess.run([sys.executable, "-c", WITHOUT, str(with_graph)], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    assert f"{FILE}: checked by digest, not opened (text2labels needs onnxruntime-extensions==0.15.2)" in run.stdout
    assert verify_bundle(with_graph.with_suffix(".zip")).ok


def test_a_bundle_with_it_names_the_library_and_still_needs_none_itself(with_graph: Path) -> None:
    manifest = json.loads((with_graph / "manifest.json").read_bytes())
    assert not any("extensions" in package for package in manifest["requires"])
    components = json.loads((with_graph / "sbom.cdx.json").read_bytes())["components"]
    (library,) = [component for component in components if component["name"] == "onnxruntime-extensions"]
    assert (library["version"], library["scope"]) == ("0.15.2", "optional")


def test_optimum_and_the_runtime_still_take_the_bundles_own_model(with_graph: Path) -> None:
    from optimum.onnxruntime import ORTModelForTokenClassification

    model = ORTModelForTokenClassification.from_pretrained(with_graph)
    assert Path(model.model_path).name == "model_int8.onnx"
    assert Tagger.load(with_graph).tag_words(["Rais", "Samia"])


def test_its_operators_are_refused_where_no_such_alternative_is_declared(with_graph: Path, file: Path) -> None:
    shutil.copyfile(file, with_graph / "onnx" / "other.onnx")
    rehash(with_graph)
    told = problems(with_graph)
    assert {problem.split(":")[0] for problem in told} == {"onnx/other.onnx"}
    assert f"needs the custom operator {EXTENSIONS_DOMAIN}::SentencepieceTokenizer" in "\n".join(told)
    (with_graph / "onnx" / "other.onnx").unlink()
    rehash(with_graph, alternatives=[])
    assert {problem.split(":")[0] for problem in problems(with_graph)} == {FILE}


def test_the_bundles_own_model_may_not_use_them_even_if_declared(with_graph: Path, file: Path, parts: Parts) -> None:
    shutil.copyfile(file, with_graph / parts.model)
    other = {"format": "text2labels", "dtype": "int8", "files": [FILE, parts.model], "requires": []}
    rehash(with_graph, alternatives=[other])
    assert any(problem.startswith(f"{parts.model}: needs the custom operator") for problem in problems(with_graph))


@pytest.mark.parametrize("name", ["onnx/text2labels.bin", "onnx/text2labels.ort"])
def test_what_is_declared_is_scanned_whatever_its_name(with_graph: Path, name: str) -> None:
    model = onnx.load(with_graph / FILE)
    model.graph.node.append(helper.make_node("PyOp", [], ["z"], domain="e.x"))
    onnx.save(model, with_graph / name)
    other = {"format": "text2labels", "dtype": "int8", "files": [FILE, name], "requires": []}
    rehash(with_graph, alternatives=[other])
    (problem,) = problems(with_graph)
    assert problem.startswith(f"{name}: needs the custom operator e.x::PyOp")


@pytest.mark.parametrize(
    ("domain", "operator"), [(EXTENSIONS_DOMAIN, "AzureTextToText"), ("e.x", "E"), ("com.microsoft", "EPContext")]
)
def test_other_operators_of_a_library_are_refused_in_it(with_graph: Path, domain: str, operator: str) -> None:
    model = onnx.load(with_graph / FILE)
    model.graph.node.append(helper.make_node(operator, [], ["z"], domain=domain))
    onnx.save(model, with_graph / FILE)
    rehash(with_graph)
    assert any(problem.startswith(f"{FILE}: ") and operator in problem for problem in problems(with_graph))
