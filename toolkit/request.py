"""What a run is asked to do."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Request:
    """What a run is asked to do; texts as on the command line.

    Attributes:
        teacher, data, corpus: auto, builtin, a folder or a hub id.
        out: folder for bundles; the one of this run is <lang>-<target>-<recipe> in it.
        cache: folder of the stage store.
        yes: do not ask before a long run.
    """

    lang: str
    target: str
    recipe: str = "edge"
    teacher: str = "auto"
    data: str = "auto"
    corpus: str = "auto"
    seed: int = 1
    out: Path = Path("build")
    cache: Path = Path(".cache")
    yes: bool = False

    @property
    def command(self) -> str:
        """The command that repeats this run."""
        parts: list[tuple[str, Any, Any]] = [
            ("lang", self.lang, None),
            ("target", self.target, None),
            ("recipe", self.recipe, "edge"),
            ("teacher", self.teacher, "auto"),
            ("data", self.data, "auto"),
            ("corpus", self.corpus, "auto"),
            ("seed", self.seed, 1),
        ]
        given = (f"--{name} {shlex.quote(str(value))}" for name, value, default in parts if value != default)
        return " ".join(["python -m toolkit bundle", *given])
