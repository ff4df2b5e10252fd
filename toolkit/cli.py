"""The commands and their options, one command per Make target. What a command does is in commands.py."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from export.atomic import disk_full_explained
from export.runtime.errors import UserError
from toolkit import commands
from toolkit.console import console
from toolkit.device_cli import add_device_commands
from toolkit.device_profile import device_profile_names
from toolkit.environment import EXTRAS
from toolkit.languages import LANGUAGES
from toolkit.options import Parsers, add_command, folder, seed
from toolkit.recipe import recipe_names
from toolkit.shipping_cli import add_shipping_commands

EPILOG = """examples:
  python -m toolkit bundle --lang swa --target cpu
  python -m toolkit bundle --lang yor --target rpi4 --recipe trim-int8
  python -m toolkit bundle --lang hau --target cpu --teacher castorini/afriberta_base --data masakhane/masakhaner
  python -m toolkit verify build/swa-cpu-edge
  python -m toolkit evaluate --bundle build/swa-cpu-edge --data my_conll_folder --lang swa --split test
  python -m toolkit app --lang swa --lang yor
  python -m toolkit push build/swa-cpu-edge --repo you/swa-names

exit codes: 0 done; 1 a verdict failed or a bundle is not to be trusted; 2 bad input or usage
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0, 1 (a verdict failed), 2 (usage, bad input) or 130 (Ctrl-C)."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 0
    try:
        with disk_full_explained(commands.cache_folder()):
            code: int = options.run(options)
    except UserError as error:
        console.note(f"error: {error.message}" + (f"\n  -> {error.remedy}" if error.remedy else ""))
        return error.exit_code
    except (PermissionError, FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        console.note(f"error: {error.filename}: {error.strerror}.\n  -> Name another path, or correct that one.")
        return 2
    except BrokenPipeError:  # whoever read standard output has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        console.note("Stopped. Finished stages are kept; the same command goes on from here.")
        return 130
    return code


def build_parser() -> argparse.ArgumentParser:
    """All commands with their help."""
    parser = argparse.ArgumentParser(
        prog="python -m toolkit",
        description="Makes African-language NER models small, proves that they still work, and bundles them.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parsers = parser.add_subparsers(dest="command", metavar="COMMAND")
    _bundle(parsers)
    _verify(parsers)
    add_device_commands(parsers)
    add_shipping_commands(parsers, _line_options)
    _evaluate(parsers)
    _score(parsers)
    _report(parsers)
    _choices(parsers)
    _setup(parsers)
    _clean(parsers)
    return parser


def _bundle(parsers: Parsers[argparse.ArgumentParser]) -> None:
    bundle = add_command(
        parsers,
        "bundle",
        commands.bundle,
        "run the whole line: teacher to verified bundle",
        "Distils, trims, exports, quantizes and measures the teacher, selects the smallest variant that keeps to the "
        "device's budgets, and writes a bundle that `verify` proves. Killed at any point, the same command goes on "
        "from the last finished stage.",
    )
    _line_options(bundle)
    bundle.add_argument("--strict", action="store_true", help="exit 1 also when a budget is undecided")


def _line_options(parser: argparse.ArgumentParser, several: bool = False) -> None:
    """What a run of the line takes, for one language or, once per language, for several."""
    _run_options(parser, several)
    for name, variable in (("teacher", "AFRIBERTA_DIR"), ("data", "MASAKHANER_DIR"), ("corpus", "CORPUS_DIR")):
        sources = f"hub id, folder, builtin, or auto ({variable}, the hub, built-in); default: auto"
        parser.add_argument(f"--{name}", default="auto", help=sources)
    parser.add_argument("--seed", type=seed, default=1, help="of every random draw; default: 1")
    parser.add_argument("--out", type=folder, default=Path("build"), help="for bundles and reports; default: build")
    parser.add_argument("--yes", action="store_true", help="do not ask before a run of more than 30 minutes")


def _run_options(parser: argparse.ArgumentParser, several: bool = False) -> None:
    """What `bundle` runs on and `choices` checks. An empty value is answered with the choices."""
    codes = f"ISO 639-3 code: {' '.join(LANGUAGES)}"
    if several:
        parser.add_argument("--lang", action="append", default=[], help=f"{codes}; repeatable")
    else:
        parser.add_argument("--lang", default="", help=codes)
    parser.add_argument("--target", default="", help=f"device: {', '.join(device_profile_names())}, or a .toml")
    parser.add_argument("--recipe", default="edge", help=f"{', '.join(recipe_names())}, or a .toml; default: edge")


def _verify(parsers: Parsers[argparse.ArgumentParser]) -> None:
    verify = add_command(
        parsers,
        "verify",
        commands.verify,
        "prove that a bundle is whole and answers as it did when it was made",
        "Checks every file's digest, refuses links, escaping paths and zip bombs, and replays the golden sentences. "
        "Needs numpy, onnxruntime and tokenizers only; executes nothing from the bundle.",
    )
    verify.add_argument("bundle", nargs="?", default="", help="a bundle's folder or zip")


def _evaluate(parsers: Parsers[argparse.ArgumentParser]) -> None:
    evaluate = add_command(
        parsers,
        "evaluate",
        commands.evaluate,
        "entity F1 of a bundle on a CoNLL folder",
        "Runs a bundle over a split, sentence by sentence, and scores it as seqeval's default does.",
    )
    evaluate.add_argument("--bundle", type=Path, required=True, help="a bundle's folder or zip")
    evaluate.add_argument("--data", type=Path, required=True, help="folder with LANG/SPLIT.txt or SPLIT.txt")
    evaluate.add_argument("--lang", required=True, help="ISO 639-3 code, the name of the folder below --data")
    evaluate.add_argument("--split", default="test", choices=("train", "dev", "test"), help="default: test")
    evaluate.add_argument("--predictions", type=Path, help="write the predicted tags here, as CoNLL")


def _score(parsers: Parsers[argparse.ArgumentParser]) -> None:
    score = add_command(
        parsers,
        "score",
        commands.score,
        "entity F1 of a prediction file against a gold file",
        "Both files in CoNLL form with the same tokens; the numbers are seqeval's default.",
    )
    score.add_argument("--gold", type=Path, required=True, help="file with the right tags")
    score.add_argument("--pred", type=Path, required=True, help="file with the tags to score")


def _report(parsers: Parsers[argparse.ArgumentParser]) -> None:
    report = add_command(
        parsers,
        "report",
        commands.report,
        "write the report pages of all recorded runs again",
        "One HTML page and one Markdown file per run in the folder, each with all languages so far.",
    )
    report.add_argument("--out", type=folder, default=Path("build"), help="folder of the runs; default: build")


def _choices(parsers: Parsers[argparse.ArgumentParser]) -> None:
    choices = add_command(
        parsers,
        "choices",
        commands.choices,
        "list languages, targets and recipes",
        "Without options lists what --lang, --target and --recipe may be; with options says what is wrong with them. "
        "Needs nothing but Python.",
    )
    _run_options(choices)
    choices.set_defaults(lang=None, target=None)


def _setup(parsers: Parsers[argparse.ArgumentParser]) -> None:
    setup = add_command(
        parsers,
        "setup",
        commands.setup,
        "make .venv and install what a command needs",
        "Makes the virtual environment .venv beside the code and installs the pinned packages, once; again only when "
        "pyproject.toml changes.",
    )
    setup.add_argument(
        "--packages",
        default="pipeline",
        choices=tuple(EXTRAS),
        help="runtime: what a device needs, no torch; calibration: what calibrate-device adds; "
        "hub: what push adds; pipeline: all that makes a bundle; dev: tests too",
    )
    setup.add_argument("--target", default="cpu", help="gpu installs torch with CUDA, anything else the CPU build")
    setup.add_argument("--torch-index", default="", help="address of an index that has torch's CPU build")


def _clean(parsers: Parsers[argparse.ArgumentParser]) -> None:
    add_command(
        parsers,
        "clean",
        commands.clean,
        "delete the stage cache and say what that frees",
        "Deletes stored stages and half-finished work. Bundles, reports and .venv stay.",
    )
