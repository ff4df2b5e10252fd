"""The commands about devices and their options: profile, emulate, calibrate-device."""

from __future__ import annotations

import argparse
from pathlib import Path

from toolkit import device_commands
from toolkit.options import Parsers, add_command, minutes, positive


def add_device_commands(parsers: Parsers[argparse.ArgumentParser]) -> None:
    """Put the commands among the others."""
    _profile(parsers)
    _emulate(parsers)
    _calibrate_device(parsers)


def _profile(parsers: Parsers[argparse.ArgumentParser]) -> None:
    profile = add_command(
        parsers,
        "profile",
        device_commands.profile,
        "measure a bundle on this machine",
        "Answers, cold start, latency by length, memory, the best number of threads and energy of a bundle, written "
        "to its evidence/ folder. Needs no torch. With --host the same on a Raspberry Pi over ssh, which needs only "
        "Python. Exit code 1 if the bundle answers otherwise there than when it was made.",
    )
    profile.add_argument("bundle", nargs="?", default="", help="a bundle's folder")
    _host_options(profile, "measure")
    profile.add_argument("--file", type=Path, help="measure nothing: take over what the web app measured on a phone")
    profile.add_argument("--threads", type=positive, help="of the model; default: the bundle's")
    profile.add_argument("--sustained", type=minutes, default=0.0, metavar="MINUTES",
                         help="then work so long without a pause, to see it throttle; 10 is advised")  # fmt: skip
    profile.add_argument("--quick", action="store_true",
                         help="a tenth of everything: to see that it works, not to decide anything")  # fmt: skip


def _emulate(parsers: Parsers[argparse.ArgumentParser]) -> None:
    emulate = add_command(
        parsers,
        "emulate",
        device_commands.emulate,
        "prove that a bundle computes the same answers on ARM, under QEMU",
        "Runs the bundle on this machine and on emulated ARM processors, those of the Raspberry Pis and of cheap "
        "phones, with the packages they would use: equal ids, the same logits (fp32) or entity F1 of at least 99.5 "
        "(int8), every changed tag listed. Needs Debian or Ubuntu and no root. Its times are the emulator's and say "
        "nothing of a device's. Exit code 1 where an answer differs too much.",
    )
    emulate.add_argument("bundle", nargs="?", default="", help="a bundle's folder or zip")
    emulate.add_argument("--model", type=Path, help="a variant's folder instead of a bundle; needs --lang")
    emulate.add_argument("--data", type=Path, help="CoNLL folder whose dev split is tagged; default: demo text")
    emulate.add_argument("--lang", default="", help="ISO 639-3 code; default: the bundle's")
    emulate.add_argument("--sentences", type=positive, default=200, help="at most so many; default: 200")
    emulate.add_argument(
        "--cpu", action="append", help="cortex-a53, cortex-a72, neoverse-n1; repeatable; default: all"
    )


def _host_options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Where the work is done, if not here."""
    parser.add_argument(
        "--host",
        default="",
        help=f"{verb} there: USER@HOST or an alias, as ssh takes it; keys only, known hosts only",
    )
    parser.add_argument(
        "--folder", default="", help="on the host; everything lies in afriberta-edge below it; default: ~/.cache"
    )
    parser.add_argument("--limit", type=minutes, metavar="MINUTES", help="end the run on the host after so long")


def _calibrate_device(parsers: Parsers[argparse.ArgumentParser]) -> None:
    calibrate = add_command(
        parsers,
        "calibrate-device",
        device_commands.calibrate_device,
        "measure standard kernels on a device and write its profile",
        "Times matrix products, embedding gathers, memory and small standard models on this machine or a host, fits "
        "a latency model to them, checks it by leaving models out, and writes device_profiles/NAME.toml, a TARGET "
        "for `bundle` whose latency is predicted with that checked error. Needs no torch.",
    )
    calibrate.add_argument("name", nargs="?", default="", help="of the profile: lower-case letters, digits, hyphens")
    calibrate.add_argument("--like", help="target whose budgets to take; default: the nearest one, if there is one")
    calibrate.add_argument("--overwrite", action="store_true", help="also a profile that no calibration wrote")
    _host_options(calibrate, "measure")
