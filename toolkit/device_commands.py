"""What the commands about devices do. Imports wait until a command runs, so that none of these needs torch."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from export.runtime.errors import UserError
from toolkit.commands import cache_folder, named_bundle
from toolkit.console import console

if TYPE_CHECKING:
    from export.runtime.profile_record import Profile

CALIBRATION_MINUTES = 120.0  # a Raspberry Pi Zero 2 W takes some


def profile(options: Namespace) -> int:
    """Measure a bundle here or on a host, or take over what a phone measured; 1 if it gave wrong answers."""
    path = named_bundle(options)
    if options.file:
        return _profile_from_file(path, options)
    from export.runtime.profiler import profile_bundle
    from toolkit.remote.measuring import profile_on_host

    how = {"threads": options.threads, "sustained_minutes": options.sustained, "quick": options.quick}
    with console.progress("Measuring", 1) as advance:
        if options.host:
            limit = options.limit and 60 * options.limit
            found, written = profile_on_host(
                path, options.host, **how, folder=options.folder, limit_s=limit, progress=advance
            )
        else:
            found, written = profile_bundle(path, **how, progress=lambda done, total, what: advance(done / total))
    return _show_profile(path, options.host or "this machine", found, written)


def _profile_from_file(path: Path, options: Namespace) -> int:
    """Take over what the web app measured on a phone."""
    given = [name for name in ("host", "threads", "sustained", "quick") if getattr(options, name)]
    if given:
        raise UserError(
            f"--file takes over what was measured elsewhere, and cannot be asked for --{given[0]}.",
            "Leave one of the two out.",
        )
    from toolkit.phone_profile import import_profile

    return _show_profile(path, str(options.file), *import_profile(path, options.file))


def _show_profile(path: Path, where: str, found: Profile, written: Path) -> int:
    """The table of a profile, put into the report too; 1 if the bundle gave wrong answers there."""
    from export.runtime.profile_table import profile_rows
    from toolkit.report import update_report

    page = update_report(path)
    rows = [*profile_rows(found), ("written to", str(written)), *([("report", str(page))] if page else [])]
    console.table(f"{path} on {where}", ("what", "value"), rows)
    return 0 if found.agreement.ok else 1


def emulate(options: Namespace) -> int:
    """Compare a bundle's answers on emulated ARM processors with this machine's; 1 where they differ."""
    path = options.model or named_bundle(options)
    from toolkit.emulation.arm_cpus import CPUS
    from toolkit.emulation.emulate import emulate_bundle, emulate_model
    from toolkit.emulation.sample import Text
    from toolkit.emulation.text import HEADER, emulation_lines, emulation_rows
    from toolkit.report import update_report

    check = emulate_model if options.model else emulate_bundle
    with console.progress("Emulating (emulator time)", 1) as advance:
        found = check(
            path,
            Text(options.data, options.lang, options.sentences),
            cache_folder().parent / "emulation",
            options.cpu or CPUS,
            lambda done, total, what: advance(done / total),
        )
    console.table(f"{found.name} on emulated ARM", HEADER, emulation_rows(found))
    for line in emulation_lines(found):
        console.result(line)
    if not options.model and (page := update_report(path)):
        console.result(f"report: {page}")
    return 0 if found.ok else 1


def calibrate_device(options: Namespace) -> int:
    """Measure a device, write its profile and print how well latency is predicted there."""
    from calibration.device.plan import PLAN
    from toolkit.device_profile import check_device_name
    from toolkit.measure.calibrate import calibrate_device as calibrate
    from toolkit.measure.calibrate import calibration_rows, run_here
    from toolkit.remote.measuring import connect, run_on_host

    name = check_device_name(options.name)
    with console.progress("Calibrating", 1) as advance:
        run = run_here(lambda percent, what: advance(percent / 100))
        if options.host:
            host = connect(options.host, folder=options.folder)
            limit = 60 * (options.limit or CALIBRATION_MINUTES)

            def run(folder: Path) -> bytes:
                plan = ["--plan", f"{{plan}}/{PLAN}"]
                return run_on_host(host, "runtime.kernels", plan, {"plan": folder}, limit, advance)

        found = calibrate(name, run, like=options.like, overwrite=options.overwrite)
    console.table(f"{name}, from measurement", ("what", "value"), calibration_rows(found))
    console.result(f"Written to {found.path}: make bundle LANG=... TARGET={name}")
    return 0
