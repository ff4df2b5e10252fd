"""The commands: one per Make target, no logic."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from export.runtime.errors import UserError
from toolkit.console import console
from toolkit.device_profile import device_profile_names
from toolkit.recipe import recipe_names

CACHE_VARIABLE = "TOOLKIT_CACHE"
EPILOG = """examples:
  python -m toolkit bundle --lang swa --target cpu
  python -m toolkit bundle --lang yor --target rpi4 --recipe trim-int8
  python -m toolkit bundle --lang hau --target cpu --teacher castorini/afriberta_base --data masakhane/masakhaner
  python -m toolkit verify build/swa-cpu-edge
  python -m toolkit evaluate --bundle build/swa-cpu-edge --data my_conll_folder --lang swa --split test
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0, 1 (a verdict failed) or 2 (usage, bad input)."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 0
    try:
        code: int = options.run(options)
    except UserError as error:
        console.note(f"error: {error.message}" + (f"\n  -> {error.remedy}" if error.remedy else ""))
        return error.exit_code
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
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    _bundle_command(commands)
    _verify_command(commands)
    _profile_command(commands)
    _evaluate_command(commands)
    _score_command(commands)
    _report_command(commands)
    _clean_command(commands)
    return parser


def _bundle_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    bundle = commands.add_parser(
        "bundle",
        help="run the whole line: teacher to verified bundle",
        description="Distils, trims, exports, quantizes and measures the teacher, selects the smallest variant "
        "that keeps to the device's budgets, and writes a bundle that `verify` proves. Killed at any point, the "
        "same command goes on from the last finished stage.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    bundle.add_argument(
        "--lang", required=True, help="ISO 639-3 code: amh hau ibo kin lug luo pcm swa wol yor …"
    )
    bundle.add_argument(
        "--target", required=True, help=f"device: {', '.join(device_profile_names())}, or a .toml"
    )
    bundle.add_argument("--recipe", default="edge", help=f"{', '.join(recipe_names())}, or a .toml")
    for name, variable in (
        ("teacher", "AFRIBERTA_DIR"),
        ("data", "MASAKHANER_DIR"),
        ("corpus", "CORPUS_DIR"),
    ):
        bundle.add_argument(
            f"--{name}",
            default="auto",
            help=f"hub id, folder, builtin, or auto ({variable}, the hub, built-in)",
        )
    bundle.add_argument("--seed", type=int, default=1, help="of every random draw")
    bundle.add_argument("--out", type=Path, default=Path("build"), help="folder for bundles and reports")
    bundle.add_argument("--yes", action="store_true", help="do not ask before a run of more than 30 minutes")
    bundle.add_argument("--strict", action="store_true", help="exit 1 also when a budget is undecided")
    bundle.set_defaults(run=_bundle)


def _bundle(options: argparse.Namespace) -> int:
    from toolkit.pipeline import Request, make_bundle
    from toolkit.summary import print_summary

    request = Request(
        lang=options.lang,
        target=options.target,
        recipe=options.recipe,
        teacher=options.teacher,
        data=options.data,
        corpus=options.corpus,
        seed=options.seed,
        out=options.out,
        cache=cache_folder(),
        yes=options.yes,
    )
    outcome = make_bundle(request)
    print_summary(outcome)
    return outcome.verdict.exit_code(options.strict)


def _verify_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verify = commands.add_parser(
        "verify",
        help="prove that a bundle is whole and answers as it did when it was made",
        description="Checks every file's digest, refuses links, escaping paths and zip bombs, and replays the "
        "golden sentences. Needs numpy, onnxruntime and tokenizers only; executes nothing from the bundle.",
    )
    verify.add_argument("bundle", type=Path, help="a bundle's folder or zip")
    verify.set_defaults(run=_verify)


def _verify(options: argparse.Namespace) -> int:
    from export.verify import verify_bundle

    report = verify_bundle(options.bundle)
    for problem in report.problems:
        console.result(f"problem: {problem}")
    for note in report.notes:
        console.result(f"note: {note}")
    if report.ok:
        console.result(
            f"{report.path}: {report.files} files and {report.sentences} golden sentences are right."
        )
    else:
        console.result(f"{report.path}: not to be trusted, {len(report.problems)} problem(s).")
    return 0 if report.ok else 1


def _profile_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    profile = commands.add_parser(
        "profile",
        help="measure a bundle on this machine",
        description="Cold start, latency by length, throughput and memory of a bundle on this machine, written to "
        "its evidence/ folder. Needs no torch.",
    )
    profile.add_argument("bundle", type=Path, help="a bundle's folder")
    profile.add_argument(
        "--threads", type=int, default=None, help="threads of the model; default: the bundle's"
    )
    profile.set_defaults(run=_profile)


def _profile(options: argparse.Namespace) -> int:
    from export.runtime.measure import profile_bundle, profile_rows

    with console.progress("Measuring", 1) as advance:
        profile = profile_bundle(
            options.bundle,
            threads=options.threads,
            progress=lambda done, total, what: advance(done / total),
        )
    rows = [*profile_rows(profile.measurement), ("written to", str(profile.path))]
    console.table(f"{options.bundle} on this machine", ("what", "value"), rows)
    return 0


def _evaluate_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    evaluate = commands.add_parser(
        "evaluate",
        help="entity F1 of a bundle on a CoNLL folder",
        description="Runs a bundle over a split, sentence by sentence, and scores it as seqeval's default does.",
    )
    evaluate.add_argument("--bundle", type=Path, required=True, help="a bundle's folder or zip")
    evaluate.add_argument("--data", type=Path, required=True, help="folder with LANG/SPLIT.txt or SPLIT.txt")
    evaluate.add_argument("--lang", required=True, help="ISO 639-3 code")
    evaluate.add_argument("--split", default="test", choices=("train", "dev", "test"))
    evaluate.add_argument("--predictions", type=Path, help="write the predicted tags here, as CoNLL")
    evaluate.set_defaults(run=_evaluate)


def _evaluate(options: argparse.Namespace) -> int:
    from toolkit.data.conll import write_conll
    from toolkit.data.labelled import label_order
    from toolkit.data.masakhaner import read_split
    from toolkit.evaluate import evaluate_bundle
    from toolkit.summary import print_scores

    sentences = read_split(options.data, options.lang, options.split)
    with console.progress("Tagging", len(sentences)) as advance:
        found = evaluate_bundle(
            options.bundle, sentences, label_order(sentences), lambda done, total: advance(done)
        )
    for note in found.notes:
        console.warn(note)
    if options.predictions:
        write_conll(options.predictions, found.predictions)
    print_scores(f"{options.bundle} on {options.data} {options.lang} {options.split}", found.scores)
    return 0


def _score_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    score = commands.add_parser(
        "score",
        help="entity F1 of a prediction file against a gold file",
        description="Both files in CoNLL form with the same tokens; the numbers are seqeval's default.",
    )
    score.add_argument("--gold", type=Path, required=True)
    score.add_argument("--pred", type=Path, required=True)
    score.set_defaults(run=_score)


def _score(options: argparse.Namespace) -> int:
    from toolkit.score import score_files
    from toolkit.summary import print_scores

    print_scores(f"{options.pred} against {options.gold}", score_files(options.gold, options.pred))
    return 0


def _report_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    report = commands.add_parser(
        "report",
        help="write the report pages of all recorded runs again",
        description="One HTML page and one Markdown file per run in the folder, each with all languages so far.",
    )
    report.add_argument("--out", type=Path, default=Path("build"), help="folder with the *.run.json records")
    report.set_defaults(run=_report)


def _report(options: argparse.Namespace) -> int:
    from toolkit.record import read_records, record_files
    from toolkit.report import write_report

    records = read_records(options.out)
    if not records:
        raise UserError(
            f"{options.out} holds no recorded run.", "Run `make bundle LANG=swa TARGET=cpu` first."
        )
    for record, path in zip(records, record_files(options.out), strict=True):
        page = path.with_name(path.name.removesuffix(".run.json") + ".report.html")
        write_report(records, record, page, page.with_suffix(".md"))
        console.result(str(page))
    return 0


def _clean_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    clean = commands.add_parser(
        "clean",
        help="delete the stage cache and say what that frees",
        description="Deletes stored stages and half-finished work. Bundles and reports stay.",
    )
    clean.set_defaults(run=_clean)


def _clean(options: argparse.Namespace) -> int:
    from toolkit.store import clean_store

    for line in clean_store(cache_folder()):
        console.result(line)
    return 0


def cache_folder() -> Path:
    """Where stages are stored: $TOOLKIT_CACHE, else .cache/stages beside the code."""
    default = Path(__file__).resolve().parent.parent / ".cache" / "stages"
    return Path(os.environ.get(CACHE_VARIABLE) or default)


if __name__ == "__main__":
    sys.exit(main())
