from __future__ import annotations

from pathlib import Path

import pytest

from export.runtime.errors import UserError
from toolkit.remote.trees import Tree


def folder(path: Path, **files: str) -> Path:
    for name, text in files.items():
        (path / name.replace("__", "/")).parent.mkdir(parents=True, exist_ok=True)
        (path / name.replace("__", "/")).write_text(text)
    return path


def test_equal_files_have_equal_names_and_any_difference_another(tmp_path: Path) -> None:
    names = [
        Tree.of_folder("thing", folder(tmp_path / str(number), **files)).name
        for number, files in enumerate(
            [{"a": "1", "b__c": "2"}, {"b__c": "2", "a": "1"}, {"a": "1", "b__c": "3"}, {"a": "1", "b__d": "2"}]
        )
    ]
    assert names[0] == names[1]
    assert len(set(names)) == 3
    assert all(name.startswith("thing-") and len(name) == len("thing-") + 32 for name in names)


def test_bytecode_is_left_out_and_names_may_stand_below_a_folder(tmp_path: Path) -> None:
    path = folder(tmp_path / "x", **{"a.py": "12", "a.md": "3", "__pycache__/a.pyc": "x"})
    tree = Tree.of_folder("runtime", path, "runtime", "*.py")
    assert [name for name, _ in tree.files] == ["runtime/a.py"]
    assert tree.bytes == 2
    assert [name for name, _ in Tree.of_folder("all", path).files] == ["a.md", "a.py"]


def test_a_digest_that_is_known_names_the_tree(tmp_path: Path) -> None:
    path = folder(tmp_path / "x", a="1") / "a"
    assert Tree.of("bundle", {"a": path}, "0123456789abcdef" * 4).name == "bundle-0123456789abcdef0123456789abcdef"


def test_nothing_and_unreadable_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing to send as thing"):
        Tree.of_folder("thing", tmp_path)
    with pytest.raises(UserError, match="gone cannot be read"):
        Tree.of("thing", {"a": tmp_path / "gone"})
