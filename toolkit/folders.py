"""Model folders: what passes from stage to stage, in Hugging Face layout."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from export.runtime.files import TOKENIZER_FILES


def copy_tokenizer(source: Path, target: Path) -> None:
    """Copy the tokenizer's files from one model folder to another."""
    target.mkdir(parents=True, exist_ok=True)
    for name in TOKENIZER_FILES:
        if (source / name).exists():
            shutil.copyfile(source / name, target / name)


def folder_labels(folder: Path) -> tuple[str, ...]:
    """The tags of a model folder's head, in the order of its logits."""
    names = json.loads((folder / "config.json").read_text("utf-8"))["id2label"]
    return tuple(names[index] for index in sorted(names, key=int))
