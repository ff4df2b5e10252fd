"""The model card of a bundle: its README.md, with every value escaped."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from export.front_matter import front_matter
from export.manifest import MANIFEST, NON_COMMERCIAL, Manifest
from export.runtime.compatibility import PACKAGES

APP_GUIDE = Path(__file__).with_name("app_guide.md")
OPENS_TOO = (
    "transformers.js and optimum's ORTModelForTokenClassification open this folder as it is. For entities take the "
    "tagger in `runtime/`: their pipelines group sub-words, not words, and give other entities."
)
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|~$-])")


@dataclass(frozen=True)
class CardScore:
    """An entity F1 (0 to 100) with its 95 % interval, on `entities` gold entities."""

    data: str
    language: str
    split: str
    f1: float
    low: float
    high: float
    entities: int
    teacher_f1: float | None = None


@dataclass(frozen=True)
class Card:
    """What the model card says beyond the manifest.

    Only what follows from the files belongs here: a latency would make two builds of one bundle differ.
    Those are in evidence/.
    """

    summary: str
    scores: tuple[CardScore, ...] = ()
    limits: tuple[str, ...] = ()
    example: str = "Rais Samia Suluhu Hassan alitembelea Arusha."
    extra: tuple[tuple[str, str], ...] = ()  # more (what, value) rows for the table of facts


def escape(text: str) -> str:
    """`text` as one line of Markdown that reads as it stands: no markup, no HTML, no links."""
    line = " ".join(text.split())
    line = _MARKDOWN.sub(r"\\\1", line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))
    line = re.sub(r"^(\d+)\.(?= |$)", r"\1&#8203;.", line)  # no numbered list
    return re.sub(r"(?i)\b((?:https?|ftp|mailto)(?=:)|www(?=\.))", r"\1&#8203;", line)  # no links


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table of escaped cells."""
    lines = ["| " + " | ".join(map(escape, row)) + " |" for row in (header, *rows)]
    return [lines[0], "|" + " --- |" * len(header), *lines[1:], ""]


def model_card(manifest: Manifest, card: Card) -> str:
    """README.md of a bundle.

    Args:
        manifest: its `files` hold what the card gives sizes of (model, tokenizer), not yet the card itself.
    """
    size = sum(manifest.files[name].bytes for name in manifest.model_parts)
    facts = [
        ("languages", ", ".join(manifest.languages)),
        ("entity types", ", ".join(sorted({label[2:] for label in manifest.labels if label != "O"}))),
        ("model", f"{manifest.model}, {manifest.dtype}, {size / 1e6:.2f} MB"),
        ("tokenizer", f"tokenizer.json, {manifest.files['tokenizer.json'].bytes / 1e6:.2f} MB"),
        ("needs", ", ".join(manifest.requires)),
        ("licence", manifest.licence),
        *card.extra,
    ]
    lines = [*front_matter(manifest, card.scores), ""]
    lines += [f"# {escape(manifest.name)}", "", escape(card.summary), ""]
    lines += table(("what", "value"), facts)
    lines += ["## Use", "", *_use(card.example)]
    lines += [*_app_guide(manifest), OPENS_TOO, ""]
    if card.scores:
        lines += ["## How good it is", "", "Entity F1 with its 95 % interval:", "", *_scores(card.scores)]
    if card.limits:
        lines += ["## Limits", "", *(f"- {escape(limit)}" for limit in card.limits), ""]
    lines += ["## Licences", "", *table(("what", "licence", "commercial use"), _licences(manifest))]
    if manifest.licence == NON_COMMERCIAL:
        lines += ["The weights may be used for **non-commercial** purposes only (LICENSES/).", ""]
    lines += ["What it was made from and how stands in manifest.json, what was measured in evidence/.", ""]
    return "\n".join(lines)


def _app_guide(manifest: Manifest) -> list[str]:
    needed = (MANIFEST, "tokenizer.json", *manifest.model_parts)
    size = sum(manifest.files[name].bytes for name in needed if name in manifest.files)
    values = {"@SIZE@": f"{size / 1e6:.1f}", "@TOLERANCE@": f"{manifest.logit_tolerance:g}"}
    text = APP_GUIDE.read_text("utf-8")
    for name, value in values.items():
        text = text.replace(name, value)
    return [*text.splitlines(), ""]


def _use(example: str) -> list[str]:
    quoted = " ".join(example.split()).replace("'", "'\\''")
    return [
        f"    python3 runtime/tagger.py '{quoted}'",
        "    python3 runtime/tagger.py --serve      JSON lines in, JSON lines out, for as long as it is needed",
        "    python3 runtime/measure.py             how fast it is here, and whether it answers right",
        "",
        f"Needs Python 3.11 to 3.13 on a 64-bit system, and once: `python3 -m pip install {' '.join(PACKAGES)}` "
        "(on Raspberry Pi OS in an environment: `python3 -m venv env`, then env/bin/python3).",
        "",
    ]


def _scores(scores: Sequence[CardScore]) -> list[str]:
    rows = [
        (
            score.data,
            score.language,
            score.split,
            f"{score.f1:.1f}",
            f"{score.low:.1f} to {score.high:.1f}",
            str(score.entities),
            "" if score.teacher_f1 is None else f"{score.teacher_f1:.1f}",
        )
        for score in scores
    ]
    return table(("data", "language", "split", "F1", "interval", "entities", "teacher's F1"), rows)


def _licences(manifest: Manifest) -> list[tuple[str, str, str]]:
    return [(item.what, item.licence, "yes" if item.commercial else "no") for item in manifest.licences]
