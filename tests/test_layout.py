"""The shape of the repository: what lies where, and what may import what."""

from __future__ import annotations

import ast
import glob
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("toolkit", "export", "calibration")
LONGEST_FILE = 300
TOP_LEVEL = {
    ".ci", ".gitignore", "LICENSE", "Makefile", "README.md", "calibration", "device_profiles", "export",
    "pyproject.toml", "tests", "toolkit",
}  # fmt: skip
CODE = {".js", ".mjs", ".ts", ".css", ".html", ".kt", ".kts", ".swift", ".java", ".gradle"}
TEXT = CODE | {
    ".py", ".toml", ".md", ".json", ".jsonl", ".txt", ".yml", ".jinja", ".webmanifest", ".svg", ".xml", ".plist",
    ".properties", "",
}  # fmt: skip


def files() -> list[Path]:
    """The files of the repository, those that git would take up included; all files where git is not at hand."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, capture_output=True, text=True, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        folders = [ROOT / name for name in TOP_LEVEL if (ROOT / name).is_dir()]
        found = [path for folder in folders for path in folder.rglob("*")]
        found = [path for path in found if not {"__pycache__", "node_modules"} & set(path.parts)]
        found += [ROOT / name for name in TOP_LEVEL]
        return [path for path in found if path.is_file()]
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


FILES = files()


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


SOURCES = {relative(path): path for path in FILES if path.suffix == ".py"}


def imported(path: Path) -> Iterator[str]:
    """Dotted names of the modules that a file imports, anywhere in it; relative ones made absolute."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = relative(path).split("/")[: -node.level] if node.level else []
            yield ".".join([*package, *([node.module] if node.module else [])])


def in_package(name: str) -> list[Path]:
    return [path for source, path in SOURCES.items() if source.startswith(f"{name}/")]


def test_the_top_level_is_fixed() -> None:
    assert {relative(path).split("/")[0] for path in FILES} == TOP_LEVEL


@pytest.mark.parametrize("folder", [*PACKAGES, "device_profiles", "tests"])
def test_each_top_level_folder_says_what_lives_there(folder: str) -> None:
    assert len((ROOT / folder / "README.md").read_text("utf-8")) > 200


def test_files_are_short_enough_to_say_one_thing() -> None:
    sources = SOURCES | {relative(path): path for path in FILES if path.suffix in CODE}
    lines = {name: path.read_text("utf-8").count("\n") for name, path in sources.items()}
    longer = {name: count for name, count in lines.items() if count > LONGEST_FILE and not name.startswith("tests/")}
    assert longer == {}


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [("export", ("toolkit", "calibration")), ("calibration", ("toolkit",)), ("export/runtime", PACKAGES)],
)
def test_dependencies_point_one_way(package: str, forbidden: tuple[str, ...]) -> None:
    wrong = [
        f"{relative(path)} imports {name}"
        for path in in_package(package)
        for name in imported(path)
        if name.split(".")[0] in forbidden and not (package == "export/runtime" and name.startswith("export.runtime"))
    ]
    assert wrong == []


def test_calibration_takes_little_of_export() -> None:
    taken = {name for path in in_package("calibration") for name in imported(path) if name.startswith("export")}
    # Static int8 quantizes the embedding table as dynamic int8 does.
    allowed = {"export.atomic", "export.quantize"}
    assert {name for name in taken if not name.startswith("export.runtime")} <= allowed


def test_the_runtime_needs_three_packages_and_nothing_of_ours() -> None:
    allowed = {"numpy", "onnxruntime", "tokenizers", "export"} | set(sys.stdlib_module_names)
    wrong = {
        f"{relative(path)}: {name}"
        for path in in_package("export/runtime")
        for name in imported(path)
        if name.split(".")[0] not in allowed
    }
    assert wrong == set()


def test_no_file_of_the_runtime_is_named_like_a_standard_module() -> None:
    # A script's folder comes first on its path, so such a file would be taken for the standard module.
    names = {path.stem for path in in_package("export/runtime")} - {"__init__"}
    assert names & set(sys.stdlib_module_names) == set()


def test_no_file_names_a_place_of_one_machine() -> None:
    places = re.compile("|".join(("/work" + "/", "/root" + "/", "/home" + r"/(?!me\b|user\b)", r"\.\./" + "shared")))
    wrong = []
    for path in FILES:
        if path.suffix in TEXT and relative(path) != ".ci/run":
            text = path.read_text("utf-8", errors="replace")
            wrong += [f"{relative(path)}: {match}" for match in set(places.findall(text))]
    assert wrong == []


def test_no_trained_text_or_bytecode_is_kept() -> None:
    unwanted = (".pyc", ".pkl", ".pickle", ".zip", ".bin", ".pt")
    assert [relative(path) for path in FILES if path.suffix in unwanted] == []


def test_the_built_in_teacher_fits_its_place() -> None:
    teacher = [path for path in FILES if "toolkit/builtin/teacher" in relative(path)]
    assert {"NOTICE", "README.md", "model.safetensors"} <= {path.name for path in teacher}
    assert sum(path.stat().st_size for path in teacher) <= 25_000_000


def test_data_files_inside_packages_are_installed_with_them() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    declared = project["tool"]["setuptools"]["package-data"]
    missing = []
    for package in PACKAGES:
        installed: set[str] = set()
        for pattern in declared.get(package, []):  # read as setuptools reads it: * stays within a folder
            installed.update(glob.glob(pattern, root_dir=ROOT / package, recursive=True))
        for path in FILES:
            name = relative(path)
            known = path.suffix == ".py" or path.name == "README.md" or path.name.startswith(".")
            if name.startswith(f"{package}/") and not known and name.removeprefix(f"{package}/") not in installed:
                missing.append(name)
    assert missing == []


def test_every_requirement_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    named = [*project["dependencies"], *(r for extra in project["optional-dependencies"].values() for r in extra)]
    assert [requirement for requirement in named if not re.fullmatch(r"[\w-]+==[\d.]+", requirement)] == []
    assert [requirement.split("==")[0] for requirement in project["dependencies"]] == [
        "numpy",
        "onnxruntime",
        "tokenizers",
    ]
