"""Profiles that no machine took, and a bundle's folder to lay them in."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from export.manifest import FileEntry, Licence, Manifest, Tensor
from export.runtime.answers import Agreement, Flip
from export.runtime.conditions import Conditions
from export.runtime.consumption import Consumption
from export.runtime.machine import Machine
from export.runtime.manifest import Setting
from export.runtime.measurement import Bucket, ColdStart, Measurement, Sizes, Summary, Throughput
from export.runtime.memory import Memory
from export.runtime.profile_record import Profile
from export.runtime.protocol import Protocol
from export.runtime.settings import SWEEP, SettingResult
from export.runtime.sustained import Slice, Sustained

MB = 1_000_000
DIGEST = "ab" * 32
FINGERPRINT = "SHA256:Kq3JdN8xqbE0ad5nWlP2kY0oQ9g5UFc1mS7bYqTn1xE"
SILENT = Conditions(None, None, None, None, None)
PI = Machine(
    "Raspberry Pi 4 Model B Rev 1.4", "Cortex-A72", "aarch64", ("asimd",), 4, 4000 * MB, "Debian GNU/Linux 13",
    "6.12", "3.13.5", "1.31.1", "2.4.6", "0.22.2",
)  # fmt: skip
LAPTOP = replace(
    PI, board=None, cpu="Example CPU @ 2.50GHz", architecture="x86_64", cores=2, os="Fedora Linux 41", python="3.11.2"
)


def summary(p50: float) -> Summary:
    """Latencies around a median."""
    return Summary(p50, p50 * 1.1, p50 * 1.2, p50 * 1.5, p50 * 0.9, p50 * 1.02, 500)


def bucket(length: int, latency: Summary) -> Bucket:
    """Latency at one length."""
    return Bucket(length, length - 0.5, latency, latency, latency, 9000.0, 0.0)


def tried(threads: int, prepacking: bool, p50: float, ratio: float) -> SettingResult:
    """What one setting of the sweep gave."""
    peak = (80 if prepacking else 70) * MB
    return SettingResult(
        Setting(threads, prepacking), p50, p50 * 1.25, 270, ratio, ratio * 0.9, ratio * 1.1, peak, peak // 2
    )


def laptop() -> Profile:
    """A machine that tells little of itself: one setting, no meter, no temperature."""
    measurement = Measurement(
        name="swa edge",
        backend="onnx",
        basis="measured here",
        model_sha256=DIGEST,
        measured_at="2026-11-01T00:00:00+00:00",
        threads=1,
        machine=LAPTOP,
        packages=(),
        sizes=Sizes(3 * MB, MB, 1000, 2 * MB),
        cold_start=ColdStart(0.02, 0.105, 0.041, 0.0123, 0.0071, 0.19, 5),
        buckets=tuple(bucket(n, summary(0.1 * n)) for n in (16, 32, 64, 128)),
        throughput=Throughput(summary(2.0), 1234.5, 20_000.0),
        memory=Memory(61 * MB, 55 * MB, 31 * MB, 24 * MB),
        memory_imported=Memory(40 * MB, 40 * MB, 20 * MB, 20 * MB),
        reference=None,
        speedups=(),
    )
    return Profile(
        model_sha256=DIGEST,
        measured_at="2026-11-02T03:04:05+00:00",
        host=None,
        quick=False,
        protocol=Protocol(),
        sweep_protocol=SWEEP,
        setting=Setting(1, True),
        measurement=measurement,
        settings=(tried(1, True, 6.4, 1.0),),
        recommended=Setting(1, True),
        agreement=Agreement(35, 1898, 35, 1898, 0.027, 1.0, (), True),
        before=SILENT,
        after=SILENT,
        energy=None,
        sustained=None,
    )


def pi() -> Profile:
    """A Raspberry Pi that was reached over ssh, told all it can, and throttled in its third slice of four."""
    profile = laptop()
    cool = Conditions(44.6, (1500.0, 1500.0), 1800.0, "ondemand", ())
    slices = tuple(
        Slice(15.0 * (n + 1), 20.0 + n, 700, 60.0 + 7 * n, 1800.0 - 200 * n, ("throttled",) if n == 2 else ())
        for n in range(4)
    )
    return replace(
        profile,
        host=FINGERPRINT,
        measurement=replace(profile.measurement, machine=PI),
        settings=(tried(1, True, 40.0, 1.0), tried(2, True, 25.0, 1.6), tried(2, False, 27.0, 1.45)),
        recommended=Setting(2, False),
        before=cool,
        after=replace(cool, temperature_c=81.2, throttled=("under-voltage has occurred",)),
        energy=Consumption("PMIC", "board", 10.0, 400, 2.1, 0.0523, 0.0211),
        sustained=Sustained(1.0, 64, slices, 1.15),
    )


def phone() -> Profile:
    """A phone, measured by the web app."""
    profile = laptop()
    machine = Machine(
        "Pixel 7", None, "wasm32", None, 8, None, "Android 14", None, None, "1.30.0", None, None,
    )  # fmt: skip
    measurement = replace(
        profile.measurement,
        backend="onnxruntime-web",
        machine=machine,
        packages=(("browser", "Chrome 140.0.7339.80"), ("onnxruntime-web", "1.30.0")),
        sizes=replace(profile.measurement.sizes, zipped=None),
        memory=Memory(None, None, None, None),
        memory_imported=Memory(None, None, None, None),
    )
    (found,) = profile.settings
    return replace(
        profile,
        measurement=measurement,
        settings=(replace(found, peak=None, anonymous=None),),
        sweep_protocol=Protocol(),
    )


def wrong(profile: Profile) -> Profile:
    """The same with a word tagged otherwise."""
    flips = (Flip(3, 0, "Juma", "B-PER", "O", 4.2),)
    return replace(profile, agreement=Agreement(35, 1898, 34, 1897, None, 1.0, flips, False))


def emulation(**changes: Any) -> dict[str, Any]:
    """evidence/emulation.json of two CPUs, of which the second answers otherwise."""
    golden = {
        "sentences": 35, "words": 898, "same_ids": 35, "same_tags": 897, "largest_logit_difference": 0.02,
        "tolerance": 1.0, "flips": [], "ok": True,
    }  # fmt: skip
    cpu = {
        "cpu": "cortex-a53", "stands_for": "Raspberry Pi Zero 2 W", "sentences": 92, "words": 2567, "same_ids": 92,
        "largest_logit_difference": 0.0435, "entities": 154, "f1": 100.0, "flips": [], "golden": golden,
        "problems": [], "emulator_seconds": 4242.4, "ok": True,
    }  # fmt: skip
    flip = {"sentence": 4, "index": 1, "word": None, "native": "O", "emulated": "B-LOC", "margin": 0.01}
    second = {
        **cpu, "cpu": "cortex-a72", "stands_for": "Raspberry Pi 4", "same_ids": 91, "f1": None, "flips": [flip],
        "golden": None, "problems": ["other ids reach the model in 1 of 92 sentences"], "ok": False,
    }  # fmt: skip
    return {
        "schema": 1,
        "kind": "ARM emulation",
        "model_sha256": DIGEST,
        "dtype": "int8",
        "rule": "ids equal, entity F1 at least 99.5",
        "sample": {"source": "news, swa, dev", "real_text": True, "sentences": 92, "of": 300},
        "cpus": [cpu, second],
        "emulator": {"qemu": "7.2.22"},
        "notes": ["A flip where the native tag led by little is rounding."],
        **changes,
    }


def make_bundle(folder: Path, digest: str = DIGEST) -> Path:
    """A folder with the manifest of a bundle and the evidence of every run; its other files are not there."""
    manifest = Manifest(
        name="swa edge int8", languages=("swa",), labels=("O", "B-PER", "I-PER"), max_length=128,
        model="onnx/model_int8.onnx", external_data=(), dtype="int8", inputs=(Tensor("input_ids", "int64"),),
        outputs=(Tensor("logits", "float32"),), threads=1, prepacking=True, temperature=1.0, normalisation="none",
        word_rule="words", split_pattern="x", golden_sentences=35, logit_tolerance=1.0, recipe={}, provenance={},
        licence="commercial use allowed", licences=(Licence("teacher", "MIT", True),), alternatives=(),
        requires=("numpy==2.4.6",), tested_runtimes=(), known_bad_runtimes=(),
        files={
            name: FileEntry(1, digest)
            for name in ("onnx/model_int8.onnx", "golden.jsonl", "config.json", "tokenizer.json")
        },
    )  # fmt: skip
    (folder / "evidence").mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps(manifest.to_json()), "utf-8")
    lay(folder, "measurement.json", {"model_sha256": digest})
    return folder


def lay(bundle: Path, name: str, record: Any) -> Path:
    """Write a record into the evidence folder."""
    path = bundle / "evidence" / name
    path.write_text(json.dumps(record.to_json() if isinstance(record, Profile) else record), "utf-8")
    return path
