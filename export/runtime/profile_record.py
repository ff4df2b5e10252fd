"""The record of a bundle on a device, published as export/profile.schema.json."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from .answers import Agreement
from .conditions import Conditions
from .consumption import Consumption
from .errors import UserError
from .manifest import Setting
from .measurement import Measurement, Summary
from .protocol import Protocol
from .records import from_plain, to_plain
from .settings import SettingResult
from .sustained import Sustained

SCHEMA = 1
KIND = "device profile"
BROWSER = "browser"  # among the packages of a profile that a page took
LONGEST_SLUG = 100


@dataclass(frozen=True)
class Profile:
    """What a bundle costs on a device and whether it answers there as it should; None where it does not tell.

    Attributes:
        model_sha256: digest of the model, which ties the profile to the bundle.
        host: fingerprint of the host key where the device was reached over ssh; None for this machine.
        quick: taken with a tenth of the protocol: good to see that all works, not to decide anything.
        protocol, sweep_protocol: of `measurement` and of `settings`.
        setting: what `measurement`, `energy` and `sustained` ran with.
        settings: each setting tried; the first is what their ratios compare with.
        recommended: see `settings.recommend`.
        before, after: the machine's state around all of it.
    """

    model_sha256: str
    measured_at: str
    host: str | None
    quick: bool
    protocol: Protocol
    sweep_protocol: Protocol
    setting: Setting
    measurement: Measurement
    settings: tuple[SettingResult, ...]
    recommended: Setting
    agreement: Agreement
    before: Conditions
    after: Conditions
    energy: Consumption | None
    sustained: Sustained | None

    @property
    def browser(self) -> str | None:
        """Name and version of the browser it was taken in; None where no page took it."""
        return dict(self.measurement.packages).get(BROWSER)

    @property
    def device(self) -> str:
        """What to call the device: its board or its CPU; and of what a page measured, its browser too."""
        machine = self.measurement.machine
        if self.browser:
            return f"{machine.board or machine.os}, {re.sub(r' [0-9.]+$', '', self.browser)}"
        return machine.board or machine.cpu or machine.architecture

    @property
    def file_name(self) -> str:
        """What its file in a bundle's evidence folder is called: the machine, and 8 digits of the model's digest."""
        slug = re.sub(r"[^a-z0-9]+", "-", self.device.lower()).strip("-")[:LONGEST_SLUG] or "unknown"
        return f"profile-{slug}-{self.model_sha256[:8]}.json"

    def to_json(self) -> dict[str, Any]:
        """Plain dicts, lists, numbers, strings and None; `from_json` gives an equal Profile back."""
        return {"schema": SCHEMA, "kind": KIND, **to_plain(self)}

    @classmethod
    def from_json(cls, data: Any, name: str = "profile") -> Profile:
        """Read what `to_json` wrote.

        Args:
            name: what messages call the data, for instance the file.

        Raises:
            UserError: another schema, a missing or unknown key, a value of the wrong type, or numbers that
                contradict each other.
        """
        found = (data.get("kind"), data.get("schema")) if isinstance(data, dict) else type(data).__name__
        if found != (KIND, SCHEMA):
            raise UserError(f"{name} is not a {KIND} of schema {SCHEMA}: found {found!r}.", "Measure again.")
        rest = {key: value for key, value in data.items() if key not in ("schema", "kind")}
        profile = from_plain(cls, rest, name)
        if problem := _contradiction(profile):
            raise UserError(f"{name} contradicts itself: {problem}.", "Measure again; do not edit the file.")
        return profile


def _contradiction(profile: Profile) -> str | None:
    """What cannot be true of any profile that was measured."""
    measured, agreement = profile.measurement, profile.agreement
    buckets = [one for bucket in measured.buckets for one in (bucket.total, bucket.inference)]
    swept = [(found.p50_ms, found.ratio) for found in profile.settings]
    checks = {
        "model_sha256 is no digest": not re.fullmatch("[0-9a-f]{64}", profile.model_sha256),
        "model_sha256 is not that of its measurement": profile.model_sha256 != measured.model_sha256,
        "it ran with another number of threads than its setting": measured.threads != profile.setting.threads,
        "a latency is not positive, or its percentiles do not rise": not all(
            map(_rises, [*buckets, measured.throughput.latency])
        ),
        "a part of its cold start is negative": measured.cold_start.total <= 0 or measured.cold_start.session < 0,
        "a setting has no positive latency and ratio": not all(min(pair) > 0 for pair in swept),
        "the recommended setting was not tried": profile.recommended not in [one.setting for one in profile.settings],
        "it agrees on more than there is": not (
            0 <= agreement.same_ids <= agreement.sentences and 0 <= agreement.same_tags <= agreement.words
        ),
        "its sustained run has no slices": profile.sustained is not None and not profile.sustained.slices,
    }
    return next((problem for problem, found in checks.items() if found), None)


def _rises(summary: Summary) -> bool:
    steps = (0.0, summary.minimum, summary.p50, summary.p90, summary.p95, summary.p99)
    return summary.minimum > 0 and summary.samples > 0 and list(steps) == sorted(steps)
