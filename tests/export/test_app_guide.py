"""The part of a model card that tells app developers how to ship the bundle."""

from __future__ import annotations

import json
import re
from pathlib import Path

from export.card import APP_GUIDE
from export.runtime.compatibility import PACKAGES
from export.runtime_files import runtime_files

ROOT = Path(__file__).parents[2]
GUIDE = APP_GUIDE.read_text("utf-8")


def test_a_bundles_readme_has_the_guide_with_its_own_figures(finished_bundle: Path) -> None:
    card = (finished_bundle / "README.md").read_text("utf-8")
    assert "## From bundle to app in ten minutes" in card
    assert re.search(r"and `onnx/`, \d+\.\d MB", card)
    assert not re.search("@[A-Z]+@", card)


def test_every_file_of_the_runtime_that_it_names_is_shipped() -> None:
    shipped = runtime_files()
    named = set(re.findall(r"runtime/[\w./-]*\w", GUIDE))
    assert {
        "runtime/js/README.md",
        "runtime/kotlin/README.md",
        "runtime/swift/README.md",
        "runtime/measure.py",
    } <= named
    assert [name for name in named if not any(file == name or file.startswith(f"{name}/") for file in shipped)] == []


def test_versions_are_those_that_the_packages_were_checked_with() -> None:
    peers = json.loads((ROOT / "export/runtime/js/package.json").read_text("utf-8"))["peerDependencies"]
    asked = re.findall(r"(@?[\w/-]+)@(\d[\d.]*\d)", GUIDE)
    assert len(asked) == 2 and all(peers[name] == version for name, version in asked)
    (android,) = re.findall(r"onnxruntime-android:([\d.]+\d)", GUIDE)
    for file in ("export/app/android/app/build.gradle.kts", "export/runtime/kotlin/README.md"):
        assert f"onnxruntime-android:{android}" in (ROOT / file).read_text("utf-8")
    assert f"pip install {' '.join(PACKAGES)}" in GUIDE
