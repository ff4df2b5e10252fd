"""What each command does: turns options into a call and its result into lines. Imports wait until a command runs,
so that `verify` and `profile` need no torch and `choices`, `setup` and `clean` nothing but Python."""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path

from export.runtime.errors import UserError
from toolkit.console import console

CACHE_VARIABLE = "TOOLKIT_CACHE"
FIRST_BUNDLE = "make bundle LANG=swa TARGET=cpu"


def cache_folder() -> Path:
    """Where stages are stored: $TOOLKIT_CACHE, else .cache/stages beside the code."""
    default = Path(__file__).resolve().parent.parent / ".cache" / "stages"
    return Path(os.environ.get(CACHE_VARIABLE) or default)


def bundle(options: Namespace) -> int:
    """Run the line, print its table; exit code of the verdict."""
    choices(options)  # before numpy and all else is loaded
    from toolkit.pipeline import make_bundle
    from toolkit.request import Request
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


def verify(options: Namespace) -> int:
    """Check a bundle; 1 if it is not to be trusted."""
    path = _named_bundle(options)
    from export.verify import verify_bundle

    report = verify_bundle(path)
    for problem in report.problems:
        console.result(f"problem: {problem}")
    for note in report.notes:
        console.result(f"note: {note}")
    if report.ok:
        console.result(f"{report.path}: {report.files} files and {report.sentences} golden sentences are right.")
    else:
        console.result(f"{report.path}: not to be trusted, {len(report.problems)} problem(s).")
    return 0 if report.ok else 1


def profile(options: Namespace) -> int:
    """Measure a bundle here or on a host and print what was found; 1 if it gave wrong answers."""
    path = _named_bundle(options)
    from export.runtime.profile_table import profile_rows
    from export.runtime.profiler import profile_bundle

    with console.progress("Measuring", 1) as advance:

        def progress(done: int, total: int, what: str) -> None:
            advance(done / total)

        found, written = profile_bundle(
            path,
            threads=options.threads,
            sustained_minutes=options.sustained,
            quick=options.quick,
            progress=progress,
        )
    rows = [*profile_rows(found), ("written to", str(written))]
    console.table(f"{path} on this machine", ("what", "value"), rows)
    return 0 if found.agreement.ok else 1


def evaluate(options: Namespace) -> int:
    """Score a bundle on a split, and write its predictions where asked."""
    from toolkit.data.conll import write_conll
    from toolkit.data.labelled import label_order
    from toolkit.data.masakhaner import read_split
    from toolkit.evaluate import evaluate_bundle
    from toolkit.summary import print_scores

    sentences = read_split(options.data, options.lang, options.split)
    with console.progress("Tagging", len(sentences)) as advance:
        found = evaluate_bundle(options.bundle, sentences, label_order(sentences), lambda done, total: advance(done))
    for note in found.notes:
        console.warn(note)
    if options.predictions:
        write_conll(options.predictions, found.predictions)
    print_scores(f"{options.bundle} on {options.data} {options.lang} {options.split}", found.scores)
    return 0


def score(options: Namespace) -> int:
    """Score a file of predictions."""
    from toolkit.score import score_files
    from toolkit.summary import print_scores

    print_scores(f"{options.pred} against {options.gold}", score_files(options.gold, options.pred))
    return 0


def report(options: Namespace) -> int:
    """Write the pages of all recorded runs again."""
    from toolkit.record import SUFFIX, read_records, record_files
    from toolkit.report import write_report

    records = read_records(options.out)
    if not records:
        raise UserError(f"{options.out} holds no recorded run.", f"Run `{FIRST_BUNDLE}` first.")
    for record, path in zip(records, record_files(options.out), strict=True):
        page = path.with_name(path.name.removesuffix(SUFFIX) + ".report.html")
        write_report(records, record, page, page.with_suffix(".md"))
        console.result(str(page))
    return 0


def choices(options: Namespace) -> int:
    """Check language, target and recipe; without the first two, list what they may be."""
    from toolkit.device_profile import device_profile_names, load_device_profile
    from toolkit.languages import LANGUAGES, language
    from toolkit.recipe import load_recipe, recipe_names

    if options.lang is not None or options.target is not None:
        language(options.lang or "")
        load_device_profile(options.target or "")
        load_recipe(options.recipe)
        return 0
    console.table("LANG", ("code", "language"), [(known.code, known.name) for known in LANGUAGES.values()])
    targets = [load_device_profile(name) for name in device_profile_names()]
    console.table("TARGET", ("device", "what it is"), [(target.name, target.description) for target in targets])
    recipes = [load_recipe(name) for name in recipe_names()]
    console.table("RECIPE", ("recipe", "what it does"), [(recipe.name, recipe.description) for recipe in recipes])
    return 0


def setup(options: Namespace) -> int:
    """Make .venv hold what was asked for."""
    from toolkit.environment import set_up

    set_up(options.packages, options.target, options.torch_index)
    return 0


def clean(options: Namespace) -> int:
    """Delete the stage cache."""
    from toolkit.store import clean_store

    for line in clean_store(cache_folder()):
        console.result(line)
    return 0


def _named_bundle(options: Namespace) -> Path:
    if options.bundle:
        return Path(options.bundle)
    found = sorted(str(path.parent) for path in Path("build").glob("*/manifest.json"))
    remedy = f"Name one of {', '.join(found)}" if found else f"Make one: {FIRST_BUNDLE}"
    raise UserError("No bundle given.", f"{remedy} (with make: BUNDLE=PATH).")
