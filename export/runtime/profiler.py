"""Takes the profile of a bundle: answers, latency, settings, memory, energy, and how the machine bears it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from .answers import Answer, golden_agreement, read_golden
from .conditions import read_conditions
from .consumption import measure_consumption
from .energy import open_meter
from .machine import describe_machine
from .manifest import Bundle, Setting, read_bundle
from .profile_record import Profile
from .progress import Phases
from .protocol import Progress, Protocol, bundle_subject
from .rounds import measure_subjects, rough_cost
from .settings import SWEEP, recommend, settings_to_try, sweep_settings
from .sizes import model_files
from .sustained import run_sustained
from .writing import check_writable, write_result

PROTOCOL = Protocol(rounds=10, runs=50, seconds=60.0, warm_seconds=1.0)
PROBE_SENTENCES = 5
ZIPPED_PER_SECOND = 10e6  # bytes, to foresee how long counting the zipped ones takes


@dataclass(frozen=True)
class Plan:
    """How a profile is taken.

    Attributes:
        protocol: of the bundle at its own setting: 500 runs or 60 s at each length, after at least 5 runs and
            1 s of warming up.
        sweep: of each setting tried.
        idle_seconds, energy_seconds: metered without and with work, where there is a meter.
        slice_seconds: of a sustained run.
        quick: whether this is a tenth of the usual.
    """

    protocol: Protocol = PROTOCOL
    sweep: Protocol = SWEEP
    idle_seconds: float = 2.0
    energy_seconds: float = 10.0
    slice_seconds: float = 5.0
    quick: bool = False

    def tenth(self) -> Plan:
        """The same with a tenth of everything."""
        return Plan(
            self.protocol.tenth(),
            self.sweep.tenth(),
            self.idle_seconds / 10,
            self.energy_seconds / 10,
            self.slice_seconds / 10,
            quick=True,
        )


PLAN = Plan()


def profile_bundle(
    bundle: Path,
    threads: int | None = None,
    sustained_minutes: float = 0.0,
    quick: bool = False,
    out: Path | None = None,
    progress: Progress | None = None,
) -> tuple[Profile, Path]:
    """Measure a bundle here and write the profile.

    Args:
        bundle: the bundle's folder.
        threads: of the measurement; None takes the bundle's own setting. The settings tried are the same.
        sustained_minutes: of work without a pause at the end; 0 leaves that out.
        quick: a tenth of everything.
        out: the file to write; None is `Profile.file_name` in the bundle's evidence folder.
        progress: called with (milliseconds done, milliseconds in all, what comes next), as foreseen after the
            model was tried; until then in all is 1.

    Returns:
        The profile, and the file it was written to.

    Raises:
        UserError: this is no bundle or one of another version, a file of it is missing or unreadable, the model
            ends the process that runs it, or the profile cannot be written.
    """
    plan = PLAN.tenth() if quick else PLAN
    read = read_bundle(bundle)
    check_writable(out or bundle / "evidence" / "profile.json")
    setting = replace(read.setting, threads=threads or read.setting.threads)
    if progress:
        progress(0, 1, "trying the model")
    profile = _measure(read, setting, plan, sustained_minutes / (10 if quick else 1), progress)
    path = out or bundle / "evidence" / profile.file_name
    write_result(path, profile.to_json())
    return profile, path


def _measure(bundle: Bundle, setting: Setting, plan: Plan, minutes: float, progress: Progress | None) -> Profile:
    golden = read_golden(bundle.folder)
    sentences = sentences_to_measure(golden, bundle.languages)
    subject = bundle_subject(bundle, setting)
    before = read_conditions()
    cost = rough_cost(subject, sentences[:PROBE_SENTENCES])
    tried = settings_to_try(describe_machine().cores, external_data=len(model_files(bundle.model)) > 1)
    meter = open_meter()
    if meter and meter.scope == "battery":
        meter = None  # its chip averages over up to half a minute: seconds of work tell nothing
    zipping = sum(file.stat().st_size for file in model_files(bundle.model)) / ZIPPED_PER_SECOND
    phases = Phases(
        {
            "answers": cost.start + cost.sub_word * sum(answer.sub_words for answer in golden),
            "measurement": plan.protocol.expected_seconds(cost) + zipping,
            "settings": 2 * max(1, len(tried) - 1) * plan.sweep.expected_seconds(cost),
            "energy": cost.start + plan.idle_seconds + plan.energy_seconds if meter else 0.0,
            "sustained": cost.start + 60 * minutes if minutes else 0.0,
        },
        progress,
    )
    agreement = golden_agreement(bundle.folder, setting.threads, setting.prepacking, progress=phases.phase("answers"))
    measured = measure_subjects([subject], sentences, protocol=plan.protocol, progress=phases.phase("measurement"))
    measurement = measured[subject.name]
    settings = sweep_settings(subject, sentences, tried, plan.sweep, phases.phase("settings"))
    energy = None
    if meter:
        phases.phase("energy")(0, 1, "metering energy")
        energy = measure_consumption(subject, sentences, meter, plan.idle_seconds, plan.energy_seconds)
    sustained = None
    if minutes:
        sustained = run_sustained(subject, sentences, minutes, plan.slice_seconds, phases.phase("sustained"))
    return Profile(
        model_sha256=measurement.model_sha256,
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        host=None,
        quick=plan.quick,
        protocol=plan.protocol,
        sweep_protocol=plan.sweep,
        setting=setting,
        measurement=measurement,
        settings=settings,
        recommended=recommend(settings),
        agreement=agreement,
        before=before,
        after=read_conditions(),
        energy=energy,
        sustained=sustained,
    )


def sentences_to_measure(golden: Sequence[Answer], languages: Sequence[str]) -> list[list[str]]:
    """Words of the golden sentences in the bundle's own languages, where it has some; else of all."""
    own = [answer.words for answer in golden if answer.words and answer.why in languages]
    return own or [answer.words for answer in golden if answer.words]
