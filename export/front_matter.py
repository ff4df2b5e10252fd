"""The front matter of a model card: what a hub reads about a bundle, in the form that its check of YAML accepts.

After https://huggingface.co/docs/hub/model-cards and huggingface_hub's `ModelCardData`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from export.manifest import Manifest

if TYPE_CHECKING:
    from export.card import CardScore

# Hubs list languages by ISO 639-1 where there is such a code; the others keep their ISO 639-3 code.
ISO_639_1 = {
    "amh": "am", "bam": "bm", "ewe": "ee", "hau": "ha", "ibo": "ig", "kin": "rw", "lug": "lg", "nya": "ny",
    "sna": "sn", "swa": "sw", "tsn": "tn", "twi": "tw", "wol": "wo", "xho": "xh", "yor": "yo", "zul": "zu",
}  # fmt: skip
_ID = r"[A-Za-z0-9][\w.-]*/[\w.-]+"
_TEACHER = re.compile(rf"({_ID})(?:@.+)?", re.ASCII)
_PINNED = re.compile(rf"({_ID})@[0-9a-f]{{40}}", re.ASCII)


def front_matter(manifest: Manifest, scores: Sequence[CardScore]) -> list[str]:
    """The lines between `---` and `---`, those included. Scores are shares of 1 there, as hubs show F1."""
    values: dict[str, Any] = {
        "language": [ISO_639_1.get(code, code) for code in manifest.languages],
        "pipeline_tag": "token-classification",
        "library_name": "transformers.js",  # so that a hub shows the code that opens the bundle as it is
        "tags": ["onnx", "onnxruntime", "named-entity-recognition", manifest.dtype],
        # license_link takes nothing but a web address or a file LICENSE at the root; the texts are in LICENSES/.
        "license": "other",
        "license_name": re.sub(r"[^a-z0-9]+", "-", manifest.licence.lower()).strip("-"),
    }
    teacher = _record(manifest, "teacher")
    if teacher.get("source") == "hub" and (found := _TEACHER.fullmatch(str(teacher.get("name")))):
        values["base_model"] = found[1]
    if datasets := list(dict.fromkeys(_data_sets(manifest))):
        values["datasets"] = datasets
    if scores:
        values["metrics"] = ["f1"]
        values["model-index"] = [
            {"name": manifest.name, "results": [_result(score, datasets) for score in scores]},
        ]
    return ["---", *(f"{key}: {_yaml(value)}" for key, value in values.items()), "---"]


def _record(manifest: Manifest, key: str) -> dict[str, Any]:
    found = manifest.provenance.get(key)
    return found if isinstance(found, dict) else {}


def _data_sets(manifest: Manifest) -> Iterator[str]:
    """Ids on the hub of the labelled data, which is recorded as `id@commit` where it came from there."""
    for source in str(_record(manifest, "data").get("source")).split("; "):
        if found := _PINNED.fullmatch(source):
            yield found[1]


def _result(score: CardScore, datasets: Sequence[str]) -> dict[str, Any]:
    """One entry of `model-index`. The data is called what it was: demo text never passes for a public data set."""
    name = re.sub(r"[^a-z0-9.]+", "-", score.data.lower()).strip("-.")
    return {
        "task": {"type": "token-classification", "name": "Named entity recognition"},
        "dataset": {
            "type": datasets[0] if len(datasets) == 1 else name or "unnamed",
            "name": f"{score.data} ({score.language})",
            "config": score.language,
            "split": score.split,
        },
        "metrics": [{"type": "f1", "name": "entity F1 (seqeval)", "value": round(score.f1 / 100, 4)}],
    }


def _yaml(value: Any) -> str:
    """`value` as JSON that is also YAML, which knows no surrogate pairs and allows no control characters."""

    def one(found: re.Match[str]) -> str:
        code = ord(found[0])
        return found[0] if found[0].isprintable() else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

    return re.sub(r"[^\x20-\x7e]", one, json.dumps(value, ensure_ascii=False))
