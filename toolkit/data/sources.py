"""Where TEACHER, DATA and CORPUS come from: the `auto` rule, and loading what it chose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from export.runtime.errors import UserError
from toolkit.data import hub, hub_data, masakhaner
from toolkit.data.corpus import collect, corpus_files, load_corpus_folder
from toolkit.data.types import Corpus, Labelled, Sentence
from toolkit.languages import LANGUAGES

AUTO: Final = "auto"
BUILTIN: Final = "builtin"
VARIABLES = {"TEACHER": "AFRIBERTA_DIR", "DATA": "MASAKHANER_DIR", "CORPUS": "CORPUS_DIR"}
HUB_IDS = {
    "TEACHER": "castorini/afriberta_base",
    "DATA": "masakhane/masakhaner",
    "CORPUS": "castorini/afriberta-corpus",
}
HUB_ID_OF_LATER_LANGUAGES = "masakhane/masakhaner2"  # those that only MasakhaNER 2.0 has


@dataclass(frozen=True)
class SourceRef:
    """One source that was chosen, and why.

    Attributes:
        kind: "train" stands for the labelled train text, where no corpus has the language.
        value: the folder, the hub id (`organisation/name` or `organisation/name@revision`), "builtin" or "".
    """

    kind: Literal["folder", "hub", "builtin", "train"]
    value: str
    why: str


@dataclass(frozen=True)
class Sources:
    """The three sources of a run; `notice` holds the lines that must not be overlooked."""

    teacher: SourceRef
    data: SourceRef
    corpus: SourceRef
    notice: tuple[str, ...]


def resolve(teacher: str, data: str, corpus: str, env: Mapping[str, str], lang: str = "") -> Sources:
    """Turn 'auto', 'builtin', a folder or a hub id for each of the three into what will be used.

    'auto' is the folder that the environment names, else the hub (cache first, then one short request),
    else the built-in pair. The built-in teacher and the built-in data are used together or not at all:
    naming one of them brings the other. Nothing is downloaded.

    Args:
        env: the environment variables.
        lang: lets the check see whether the hub covers the language.

    Raises:
        UserError: the built-in teacher with other data or the reverse, a folder that does not exist, or
            nothing to fall back to because the other of the pair was named.
    """
    named = {"TEACHER": teacher or AUTO, "DATA": data or AUTO, "CORPUS": corpus or AUTO}
    pair = _pair_named(named["TEACHER"], named["DATA"])
    notice: tuple[str, ...] = ()
    if not pair:
        chosen, problem = _choose_pair(named, env, lang)
        if problem is None:
            corpus_ref, line = _choose_corpus(named["CORPUS"], env, lang)
            return Sources(chosen["TEACHER"], chosen["DATA"], corpus_ref, (line,) if line else ())
        if lang and lang not in _demo_languages():
            raise problem
        pair = "nothing else can be reached"
        notice = (_fallback_line(problem, env),)
    builtin = SourceRef(BUILTIN, BUILTIN, pair)
    own = named["CORPUS"]
    corpus_ref = builtin if own in (AUTO, BUILTIN) else _choose_corpus(own, env, lang)[0]
    return Sources(builtin, builtin, corpus_ref, notice)


def load_labelled(ref: SourceRef, lang: str) -> Labelled:
    """The tagged data of a source.

    Raises:
        UserError: as the reader of that kind of source.
    """
    if ref.kind == BUILTIN:
        from toolkit.data.builtin import load_demo

        return load_demo(lang)
    if ref.kind == "folder":
        return masakhaner.load_folder(Path(ref.value), lang)
    return hub_data.load_hub(*_id_and_revision(ref.value, lang))


def load_unlabelled(ref: SourceRef, lang: str, exclude: Iterable[Sentence], train: Sequence[Sentence] = ()) -> Corpus:
    """The unlabelled text of a source, free of the sentences in `exclude` (pass dev and test).

    Args:
        train: what to use where no corpus has the language (`ref.kind == "train"`).

    Raises:
        UserError: as the reader of that kind of source.
    """
    if ref.kind == "train":
        lines = (" ".join(sentence.words).encode("utf-8", "surrogatepass") for sentence in train)
        return collect(lines, "train text of the labelled data", lang, exclude, "as the labelled data", "train")
    if ref.kind == BUILTIN:
        from toolkit.data.builtin import load_demo_corpus

        return _without_held_out(load_demo_corpus(lang), exclude)
    if ref.kind == "folder":
        return load_corpus_folder(Path(ref.value), lang, exclude)
    repo_id, language, revision = _id_and_revision(ref.value, lang)
    return hub_data.load_hub_corpus(repo_id, language, exclude, revision)


def teacher_folder(ref: SourceRef) -> Path:
    """Folder of the teacher's files, downloaded first if it is on the hub.

    Raises:
        UserError: as `toolkit.data.hub.fetch_model`.
    """
    if ref.kind == BUILTIN:
        return Path(__file__).resolve().parents[1] / "builtin" / "teacher"
    if ref.kind == "folder":
        return Path(ref.value)
    repo_id, _, revision = _id_and_revision(ref.value, "")
    return hub.fetch_model(repo_id, revision)


def download_bytes(sources: Sources, lang: str) -> int:
    """How many bytes a run has still to download, for its plan; 0 if nothing comes from the hub.

    Raises:
        UserError: as `toolkit.data.hub.list_repo`.
    """
    total = 0
    for variable, ref in (("TEACHER", sources.teacher), ("DATA", sources.data), ("CORPUS", sources.corpus)):
        if ref.kind == "hub":
            listing, names = _needed(variable, ref.value, lang)
            total += hub.missing_bytes(listing, names)
    return total


def _pair_named(teacher: str, data: str) -> str:
    """Why the built-in pair was asked for, or "" if it was not."""
    asked = {"TEACHER": teacher, "DATA": data}
    builtin = [variable for variable, value in asked.items() if value == BUILTIN]
    others = [f"{variable}={value}" for variable, value in asked.items() if value not in (AUTO, BUILTIN)]
    if builtin and others:
        raise UserError(
            f"{builtin[0]}=builtin cannot go with {others[0]}: the built-in pair belongs together.",
            "Use both (TEACHER=builtin DATA=builtin) or neither.",
        )
    if len(builtin) == 1:
        return f"{builtin[0]}=builtin brings the other"
    return "named" if builtin else ""


def _choose_pair(
    named: Mapping[str, str], env: Mapping[str, str], lang: str
) -> tuple[dict[str, SourceRef], UserError | None]:
    """Teacher and data, or the problem that lets a run on 'auto' fall back to the built-in pair."""
    chosen: dict[str, SourceRef] = {}
    for variable in ("TEACHER", "DATA"):
        ref = _folder_or_id(variable, named[variable], env, lang)
        chosen[variable] = ref
        if ref.kind == "hub" and named[variable] == AUTO:
            try:
                hub.check_obtainable(*_needed(variable, ref.value, lang))
            except UserError as problem:
                fixed = [f"{name}={named[name]}" for name in ("TEACHER", "DATA") if named[name] != AUTO]
                if not fixed:
                    return chosen, problem
                own = VARIABLES[variable]
                raise UserError(
                    f"{problem.message} {variable} was left to 'auto', and {own} is not set.",
                    f"Give {variable}= or {own}=: the built-in one does not go with {fixed[0]}. "
                    f"Otherwise {hub.QUICK_TRIAL}.",
                ) from problem
    return chosen, None


def _choose_corpus(named: str, env: Mapping[str, str], lang: str) -> tuple[SourceRef, str]:
    """The corpus, and a line to print if it is only the train text."""
    if named == BUILTIN:
        return SourceRef(BUILTIN, BUILTIN, "named"), ""
    ref = _folder_or_id("CORPUS", named, env, lang)
    if named != AUTO:
        return ref, ""
    try:
        if ref.kind == "hub":
            hub.check_obtainable(*_needed("CORPUS", ref.value, lang))
        elif lang:
            corpus_files(Path(ref.value), lang)
    except UserError as problem:
        line = (
            f"No unlabelled text: {problem.message} The labelled train text is used instead; "
            "name a folder with CORPUS= or CORPUS_DIR for a better student."
        )
        return SourceRef("train", "", problem.message), line
    return ref, ""


def _folder_or_id(variable: str, named: str, env: Mapping[str, str], lang: str) -> SourceRef:
    if named != AUTO:
        if Path(named).is_dir():
            return SourceRef("folder", named, "named")
        if named.startswith((".", "/", "~")) or named.count("/") != 1:
            raise UserError(
                f"{variable}={named}: no such folder.",
                "Give an existing folder, a hub id (organisation/name), 'builtin' or 'auto'.",
            )
        return SourceRef("hub", named, "named")
    own = VARIABLES[variable]
    if folder := env.get(own, ""):
        if not Path(folder).is_dir():
            raise UserError(f"{own}={folder}: no such folder.", f"Correct {own}, or unset it.")
        return SourceRef("folder", folder, f"{own} is set")
    later = variable == "DATA" and lang in LANGUAGES and not LANGUAGES[lang].masakhaner1
    return SourceRef("hub", HUB_ID_OF_LATER_LANGUAGES if later else HUB_IDS[variable], f"{own} is not set")


def _needed(variable: str, value: str, lang: str) -> tuple[hub.Listing, tuple[str, ...]]:
    """The hub's listing and the files that a run will read."""
    repo_id, _, revision = _id_and_revision(value, lang)
    if variable == "TEACHER":
        listing = hub.list_repo(repo_id, "model", (revision or "main",))
        return listing, hub.model_files(listing)
    if variable == "DATA":
        listing = hub.list_repo(repo_id, "dataset", (revision,) if revision else hub_data.REVISIONS)
        files = hub_data.labelled_files(listing, lang) if lang else {}
        return listing, tuple(name for names in files.values() for name in names)
    listing = hub_data.corpus_listing(repo_id, lang, revision)
    return listing, hub_data.corpus_files(listing, lang) if lang else ()


def _id_and_revision(value: str, lang: str) -> tuple[str, str, str | None]:
    repo_id, _, revision = value.partition("@")
    return repo_id, lang, revision or None


def _fallback_line(problem: UserError, env: Mapping[str, str]) -> str:
    unset = [name for name in ("AFRIBERTA_DIR", "MASAKHANER_DIR") if not env.get(name)]
    return (
        "BUILT-IN TEACHER AND DEMO TEXT ARE USED, not AfriBERTa and MasakhaNER: "
        f"{' and '.join(unset)} not set. {problem.message} Every score of this run is on demo text."
    )


def _demo_languages() -> tuple[str, ...]:
    from toolkit.data.builtin import DEMO_LANGUAGES

    return DEMO_LANGUAGES


def _without_held_out(text: Corpus, exclude: Iterable[Sentence]) -> Corpus:
    """The demo text is free of the demo's own dev and test; other labelled data may come with it."""
    kept = collect(
        (paragraph.encode("utf-8") for paragraph in text.paragraphs),
        text.name,
        text.lang,
        exclude,
        text.licence,
        text.source,
    )
    return text if kept.removed == 0 else replace(kept, notes=text.notes)
