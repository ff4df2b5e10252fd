"""The app in headless Chromium at the size of a phone, against what the Python runtime says.

Needs node, chromium, and the packages of tests/export/app/js and tests/export/runtime/js (npm ci --ignore-scripts).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from export.app import build
from export.bundle import write_bundle
from export.manifest import read_manifest
from export.runtime.profile_record import Profile
from export.runtime.tagger import Tagger
from tests.export.app.app_site import CHROMIUM, ROOT, SCRIPTS, missing, served, vendor
from tests.export.conftest import build_details
from toolkit.data.types import Labelled

MEASURE = "measure.test.js"
CASES = sorted(path.name for path in SCRIPTS.glob("*.test.js") if path.name != MEASURE)
# No two sentences alike, since the app remembers what it made of one.
LONG = "".join(f"Rais wa {number} 😀 alifika Mombasa. " for number in range(4000))[:100_000]
HOSTILE = {
    "markup": '<img src=x onerror="document.title=1"> Samia <b>Kano</b> </script><script>document.title=1</script>',
    "entities of HTML": "&lt;Samia&gt; &amp; Kano &#60;",
    "right to left": "زار أحمد علي مدينة القاهرة. דוד ביקר בירושלים. \u202eSamia\u202c \u200fKano",
    "decomposed Yoruba": "A\u0300de\u0301yo\u0323la\u0301 lo\u0323 si\u0301 I\u0300ba\u0300da\u0300n.",
    "joined emoji": "👩\u200d👩\u200d👧 Samia 🏿🇰🇪 Arusha 👨\u200d🚀",
    "read in other ways elsewhere": "Ka\u0344no Ka\u061cno Ka\u200dno \u0344 \u061c \u200d",
    "half of a pair": "Samia \ud800 Kano \udc00Arusha",
    "nothing to see": "\u200b \u2060 \ufeff \x00 \t\n\n  ",
    "one long word": "Ka" * 2000,
    "lines": "Samia\n\nKano\n\u2028Arusha\u2029.",
}

MISSING = missing()
pytestmark = [pytest.mark.skipif(bool(MISSING), reason=f"needs {MISSING}"), pytest.mark.xdist_group("node")]


@pytest.fixture(scope="module")
def bundles(teacher: Path, few: Labelled, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two bundles in fp32, whose tags no kernel can change; and one in int8, as users get them."""
    from export.variants import build_variant

    folder = tmp_path_factory.mktemp("app-bundles")
    build_variant("onnx-fp32", teacher, folder / "fp32")
    build_variant("onnx-int8", teacher, folder / "int8", folder / "fp32")
    made = []
    for lang, dtype, model in (
        ("swa", "fp32", "model.onnx"),
        ("yor", "fp32", "model.onnx"),
        ("hau", "int8", "model_int8.onnx"),
    ):
        details = build_details(
            name=f"{lang} tiny",
            model=f"onnx/{model}",
            dtype=dtype,
            labels=few.labels,
            languages=(lang,),
            max_length=128,
            temperature=1.7,
        )
        made.append(write_bundle(folder / dtype, details, folder / f"{lang}-web-edge").folder)
    return made


def expected(folder: Path, texts: dict[str, str]) -> list[dict[str, Any]]:
    """Texts by name with the entities that the Python runtime finds, in UTF-16 units as the page has them."""
    tagger = Tagger.load(folder)
    found = []
    for name, text in texts.items():
        entities = [
            {"type": one.type, "text": one.text, "start": one.start_utf16, "end": one.end_utf16}
            for one in tagger.tag(text)
        ]
        found.append({"name": name, "text": text, "entities": entities})
    return found


@pytest.fixture(scope="module")
def environment(bundles: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Two builds of the app, one stylesheet apart, served; and the answers of Python, for the scripts in js/."""
    folder = tmp_path_factory.mktemp("app")
    newer = Path(shutil.copytree(build.WEB, folder / "newer-sources"))
    (newer / "style.css").write_text((newer / "style.css").read_text("utf-8") + "\n/* newer */\n", "utf-8")
    packages = vendor(folder / "vendor")
    first = build.build_app(bundles, packages, folder / "first")
    second = build.build_app(bundles, packages, folder / "second", web=newer)
    assert first.version != second.version
    assert [entry.id for entry in first.entries] == [entry.id for entry in second.entries]
    swa, yor, _ = bundles
    answers = {
        "bundles": [{"id": entry.id, "bytes": entry.model_bytes} for entry in first.entries],
        "versions": [first.version, second.version],
        "examples": expected(swa, {str(n): text for n, text in enumerate(first.entries[0].examples)}),
        "hostile": expected(yor, HOSTILE),
        "long": expected(yor, {"long": LONG})[0],
    }
    (folder / "answers.json").write_text(json.dumps(answers), "utf-8")
    with ExitStack() as stack:
        addresses = [stack.enter_context(served(app.folder)) for app in (first, second)]
        yield {
            "CHROMIUM": str(CHROMIUM),
            "ANSWERS": str(folder / "answers.json"),
            "APP": addresses[0],
            "NEWER_APP": addresses[1],
        }


def run(case: str, environment: dict[str, str], scratch: Path) -> None:
    """Run a script of js/; its report is the message where a test of it fails."""
    done = subprocess.run(
        ["node", "--test", "--test-reporter=spec", case],
        cwd=SCRIPTS,
        env={**os.environ, **environment, "SCRATCH": str(scratch)},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, f"{done.stdout[-8000:]}\n{done.stderr[-2000:]}"


@pytest.mark.parametrize("case", CASES)
def test_app(case: str, environment: dict[str, str], tmp_path: Path) -> None:
    run(case, environment, tmp_path)


def test_the_profile_of_the_browser_is_one_of_ours(
    environment: dict[str, str], bundles: list[Path], tmp_path: Path
) -> None:
    run(MEASURE, environment, tmp_path)
    data = json.loads((tmp_path / "profile.json").read_text("utf-8"))
    jsonschema.validate(data, json.loads((ROOT / "export" / "profile.schema.json").read_text("utf-8")))
    profile = Profile.from_json(data)
    assert profile.agreement.ok and profile.agreement.same_ids == profile.agreement.sentences > 30
    assert profile.model_sha256 == read_manifest(bundles[-1] / "manifest.json").model_sha256
    assert profile.quick and profile.host is None
    assert "chromium" in json.dumps(data).lower() or "chrome" in json.dumps(data).lower()


def test_scripts_are_short() -> None:
    for file in SCRIPTS.glob("*.js"):
        lines = file.read_text("utf-8").splitlines()
        assert len(lines) <= 300 and max(map(len, lines)) <= 118, file.name
