"""The whole check, with a stand-in for QEMU: a script that runs this Python where QEMU would run an ARM one."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from export.bundle import write_bundle
from export.runtime.errors import UserError
from export.verify import verify_bundle
from tests.export.conftest import build_details, build_variant
from toolkit.emulation import answering, emulate
from toolkit.emulation.arm_cpus import CPUS
from toolkit.emulation.emulate import EVIDENCE_FILE, emulate_bundle, emulate_model, prepare
from toolkit.emulation.sample import Text
from toolkit.emulation.sysroot import Qemu, Sysroot
from toolkit.remote import wheels

FEW = Text(sentences=4)
# $2 is the core; what follows `-cpu CORE -L ROOT PYTHON` are Python's arguments.
QEMU = """\
#!/bin/sh
cpu=$2
shift 5
{trouble}
exec {python} "$@"
"""
Fake = Callable[..., Path]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle folder, its zip beside it, and the variant it was made of."""
    folder = tmp_path_factory.mktemp("tiny")
    return write_bundle(build_variant(folder / "variant"), build_details(), folder / "bundle").folder


@pytest.fixture
def bundle(tiny: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny, tmp_path / "bundle"))


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Puts a QEMU that does `trouble` first in place of the real one; returns the cache folder."""
    system = tmp_path / "system"
    (system / "usr").mkdir(parents=True)
    (system / "lib").mkdir()
    sysroot = Sysroot(system, system / "usr" / "bin" / "python3.11", (3, 11), "d" * 64)

    def put(trouble: str = "") -> Path:
        script = tmp_path / "qemu"
        script.write_text(QEMU.format(trouble=trouble, python=sys.executable))
        script.chmod(0o755)
        monkeypatch.setattr(emulate, "build_sysroot", lambda cache: sysroot)
        monkeypatch.setattr(emulate, "find_qemu", lambda cache, cpus: Qemu(script, "7.2.22"))
        monkeypatch.setattr(emulate, "device_site", lambda architecture, python: tmp_path)
        return tmp_path / "cache"

    return put


def test_a_bundle_that_answers_the_same_everywhere_leaves_evidence(fake: Fake, bundle: Path) -> None:
    steps: list[tuple[int, int]] = []
    found = emulate_bundle(bundle, FEW, fake(), progress=lambda done, total, what: steps.append((done, total)))
    assert found.ok
    assert [cpu.cpu for cpu in found.cpus] == list(CPUS)
    assert all(cpu.same_ids == cpu.sentences == 4 for cpu in found.cpus)
    assert all(cpu.golden and cpu.golden.ok and cpu.golden.sentences == 35 for cpu in found.cpus)
    assert found.emulator["qemu"] == "7.2.22" and found.emulator["onnxruntime"] == found.native.onnxruntime
    assert steps[0][0] == 0 and steps[-1][0] == steps[-1][1]
    record = json.loads((bundle / EVIDENCE_FILE).read_text("utf-8"))
    assert record["ok"] and record["sample"]["source"] == "demo text, swa, dev"
    assert verify_bundle(bundle).ok


def test_a_crash_is_told_with_signal_cpu_and_what_was_under_way(fake: Fake, bundle: Path) -> None:
    report = "import json; print(json.dumps({'doing': 'importing onnxruntime 1.21.0'}), flush=True)"
    trouble = f'[ $cpu = neoverse-n1 ] || {{ {sys.executable} -c "{report}"; kill -ILL $$; }}'
    found = emulate_bundle(bundle, FEW, fake(trouble))
    assert not found.ok
    a53, a72, n1 = found.cpus
    assert a53.problems == ("killed by SIGILL (illegal instruction) while importing onnxruntime 1.21.0",)
    assert a72.problems == a53.problems and a53.golden is None
    assert n1.ok


def test_an_exit_with_an_error_is_told_with_its_last_line(fake: Fake, bundle: Path) -> None:
    trouble = "echo '{\"doing\": \"opening the model\"}'; echo 'ImportError: no such thing' >&2; exit 3"
    found = emulate_bundle(bundle, FEW, fake(trouble), cpus=["cortex-a72"])
    assert found.cpus[0].problems == ("ended with exit status 3 while opening the model: ImportError: no such thing",)


def test_what_the_runtime_refuses_is_a_finding(fake: Fake, bundle: Path) -> None:
    trouble = 'echo \'{"error": "onnxruntime 1.21.0 does not run on this board.", "remedy": ""}\'; exit 1'
    found = emulate_bundle(bundle, FEW, fake(trouble), cpus=["cortex-a53"])
    assert found.cpus[0].problems == ("onnxruntime 1.21.0 does not run on this board",)


def test_a_hanging_cpu_is_ended_and_told(fake: Fake, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "SILENCE", 0.5)
    monkeypatch.setattr(emulate, "_native_answers", lambda subject, sample, folder: {})
    trouble = 'echo \'{"doing": "replaying line 1"}\'; exec sleep 60'
    found = emulate_bundle(bundle, FEW, fake(trouble), cpus=["cortex-a53"])
    assert found.cpus[0].problems == ("no answer for 0 s while replaying line 1",)


def test_other_logits_and_a_flip_are_found(fake: Fake, bundle: Path, tmp_path: Path) -> None:
    """The stand-in answers with another model of the same shape."""
    build_variant(tmp_path / "other", seed=1)
    trouble = textwrap.dedent(f"""\
        for request; do :; done
        sed "s#$PWD##; s#{bundle}/onnx#{tmp_path}/other/onnx#" "$request" > "$request.$cpu"
        set -- -P -m toolkit.emulation.emulated "$request.$cpu"
        """)
    found = emulate_bundle(bundle, FEW, fake(trouble), cpus=["cortex-a53"])
    result = found.cpus[0]
    assert result.same_ids == 4
    assert result.flips and all(flip.word for flip in result.flips)
    assert result.largest_logit_difference and result.largest_logit_difference > 0.1
    assert any(problem.startswith("logits differ by") for problem in result.problems)
    assert any(problem.startswith("golden sentences:") for problem in result.problems)
    assert any("rounding" in note for note in found.notes)


def test_a_python_that_never_starts_is_no_finding_about_the_bundle(fake: Fake, bundle: Path) -> None:
    with pytest.raises(
        UserError, match=r"does not start .ended with exit status 127 while starting: no loader"
    ) as caught:
        emulate_bundle(bundle, FEW, fake("echo 'no loader' >&2; exit 127"))
    assert "Delete" in caught.value.remedy
    assert not (bundle / EVIDENCE_FILE).exists()


def test_a_zip_is_checked_and_gets_no_evidence(fake: Fake, tiny: Path) -> None:
    zipped = next(tiny.parent.glob("*.zip"))
    before = zipped.read_bytes()
    assert emulate_bundle(zipped, FEW, fake(), cpus=["cortex-a53"]).ok
    assert zipped.read_bytes() == before


def test_other_wheels_than_the_pinned_ones_leave_no_evidence(fake: Fake, bundle: Path, tmp_path: Path) -> None:
    assert emulate_bundle(bundle, FEW, fake(), cpus=["cortex-a53"], site=tmp_path).ok
    assert not (bundle / EVIDENCE_FILE).exists()


def test_an_unsound_bundle_is_not_opened(fake: Fake, bundle: Path, tmp_path: Path) -> None:
    (bundle / "config.json").write_text("{}")
    with pytest.raises(UserError, match=r"is not a sound bundle: config.json") as caught:
        emulate_bundle(bundle, FEW, fake())
    assert "make verify" in caught.value.remedy
    (tmp_path / "bad.zip").write_bytes(b"no zip")
    with pytest.raises(UserError, match=r"is not a sound bundle: bad.zip"):
        emulate_bundle(tmp_path / "bad.zip", FEW, fake())
    with pytest.raises(UserError, match="no bundle at"):
        emulate_bundle(tmp_path / "absent", FEW, fake())


def test_sentences_are_shared_out_among_processes(fake: Fake, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2})
    found = emulate_bundle(bundle, Text(sentences=45), fake(), cpus=["cortex-a53"])
    assert found.ok
    assert found.cpus[0].sentences == 45
    assert found.cpus[0].golden is not None


def test_a_variant_folder_is_compared_by_the_rule_of_its_dtype(fake: Fake, tiny: Path, tmp_path: Path) -> None:
    variant = tiny.parent / "variant"
    found = emulate_model(variant, Text(lang="swa", sentences=3), fake(), cpus=["neoverse-n1"])
    assert (found.ok, found.dtype, found.cpus[0].golden) == (True, "fp32", None)
    int8 = Path(shutil.copytree(variant, tmp_path / "int8"))
    (int8 / "onnx" / "model.onnx").rename(int8 / "onnx" / "model_int8.onnx")
    assert emulate_model(int8, Text(lang="swa", sentences=3), fake(), cpus=["neoverse-n1"]).dtype == "int8"


def test_a_variant_folder_must_be_whole_and_stand_alone(fake: Fake, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has 0 files onnx/"):
        emulate_model(tmp_path, Text(lang="swa"), fake())
    folder = build_variant(tmp_path / "external", external=True)
    digest = emulate_model(folder, Text(lang="swa", sentences=1), fake(), cpus=["cortex-a53"]).model_sha256
    data = folder / "onnx" / "model.onnx_data"
    data.write_bytes(data.read_bytes()[::-1])
    other = emulate_model(folder, Text(lang="swa", sentences=1), fake(), cpus=["cortex-a53"]).model_sha256
    assert digest != other
    data.unlink()
    with pytest.raises(UserError, match=r"keeps weights in 'model.onnx_data'"):
        emulate_model(folder, Text(lang="swa"), fake())
    (build_variant(tmp_path / "nameless") / "config.json").write_text("{}")
    with pytest.raises(UserError, match=r"config.json cannot be used: it names no labels"):
        emulate_model(tmp_path / "nameless", Text(lang="swa"), fake())


def test_text_in_a_language_must_be_had(fake: Fake, tiny: Path) -> None:
    variant = tiny.parent / "variant"
    with pytest.raises(UserError, match="does not say its language"):
        emulate_model(variant, Text(), fake())
    with pytest.raises(UserError, match="no demo text in 'zul'"):
        emulate_model(variant, Text(lang="zul"), fake())
    # A bundle has its golden sentences.
    assert emulate_bundle(tiny.parent / "bundle", Text(lang="zul"), fake(), cpus=["cortex-a53"]).cpus[0].words == 0


def test_a_model_that_fails_here_is_no_finding_about_arm(fake: Fake, tiny: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny.parent / "variant", tmp_path / "broken"))
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(UserError, match=r"broken does not run on this machine: .*tokenizer.json"):
        emulate_model(folder, Text(lang="swa", sentences=1), fake())


def test_an_arm_machine_and_other_versions_are_noted(
    fake: Fake, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    trouble = 'echo \'{"versions": {"python": "3.11.2", "numpy": "1.0", "onnxruntime": null}}\'; exit 1'
    notes = emulate_bundle(bundle, FEW, fake(trouble), cpus=["cortex-a53"]).notes
    assert any("ARM itself" in note for note in notes)
    assert any("numpy is 1.0 on the emulated CPUs" in note for note in notes)


def test_the_emulated_process_inherits_nothing_of_this_machines_settings(
    fake: Fake, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LD_PRELOAD", "")
    monkeypatch.setenv("PYTHONHOME_OF_MINE", "x")
    trouble = '[ -z "$PYTHONHOME_OF_MINE" ] && [ -z "${LD_PRELOAD+set}" ] || exit 9'
    assert emulate_bundle(bundle, FEW, fake(trouble), cpus=["cortex-a53"]).ok


CACHE = answering.ROOT / ".cache" / "emulation"


@pytest.mark.skipif(shutil.which("qemu-aarch64-static") is None, reason="no QEMU on this machine")
@pytest.mark.skipif(not list(CACHE.glob("system-*")), reason="`make emulate` has not been run here")
@pytest.mark.skipif(not list(wheels.CACHE.glob("cp311-aarch64-*")), reason="no aarch64 wheels downloaded yet")
def test_a_real_cortex_a53_answers_as_this_machine_does(bundle: Path) -> None:
    found = emulate_bundle(bundle, Text(sentences=2), CACHE, cpus=["cortex-a53"])
    assert found.ok, found.cpus[0].problems
    assert found.cpus[0].sentences == 2
    assert found.cpus[0].golden and found.cpus[0].golden.ok


def test_prepare_asks_for_the_wheels_of_the_emulated_python(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, tuple[int, int]]] = []
    cache = fake()

    def site(architecture: str, python: tuple[int, int]) -> Path:
        asked.append((architecture, python))
        return cache

    monkeypatch.setattr(emulate, "device_site", site)
    assert prepare(cache, []).site == cache
    assert asked == [("aarch64", (3, 11))]
