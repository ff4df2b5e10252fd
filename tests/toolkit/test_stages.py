"""The versions of the stages: a stage whose code changed is recorded anew, so that nobody forgets its version."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from toolkit import stages
from toolkit.stages import RECORD, ROOT, STAGES, Stage, current_digests, source_digest


def test_the_recorded_source_digests_are_those_of_the_code() -> None:
    recorded = json.loads(RECORD.read_text("utf-8"))
    current = current_digests()
    changed = sorted(name for name in {*recorded, *current} if recorded.get(name) != current.get(name))
    assert not changed, (
        f"The code of {', '.join(changed)} changed. If results change, raise the version in toolkit/stages.py; "
        "then record it: python -m toolkit.stages"
    )


@pytest.mark.parametrize("name", STAGES)
def test_the_source_files_of_a_stage_exist_and_are_named_once(name: str) -> None:
    sources = STAGES[name].sources
    assert len(set(sources)) == len(sources)
    assert all((ROOT / source).is_file() for source in sources)


def test_a_change_of_any_source_file_changes_the_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "ROOT", tmp_path)
    (tmp_path / "a.py").write_text("x = 1\n")
    (tmp_path / "b.py").write_text("y = 1\n")
    stage = Stage(1, ("a.py", "b.py"), ())
    seen = {source_digest(stage)}
    for name, text in (("a.py", "x = 2\n"), ("b.py", "y = 2\n"), ("a.py", "x = 3\n")):
        (tmp_path / name).write_text(text)
        seen.add(source_digest(stage))
    assert len(seen) == 4


def test_the_stages_of_a_run_are_those_that_have_a_version() -> None:
    calls = [
        node.args[0].value
        for path in (ROOT / "toolkit").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "run"
        and node.args
        and isinstance(node.args[0], ast.Constant)
    ]
    assert set(calls) == set(STAGES)


def test_the_libraries_of_the_stages_are_pinned() -> None:
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    named = {library for stage in STAGES.values() for library in stage.libraries}
    assert {library for library in named if f'"{library}==' not in project} == set()
