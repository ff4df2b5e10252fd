"""Makes the table of characters that the runtimes read, in every language: `python -m export.character_table`.

Python, browsers and phones each know another version of Unicode, and a newer one turns letters-to-be into marks
or symbols. So the classes of characters are taken from one version and shipped. Python 3.11 has that version;
other versions of Python can use the table and cannot make it.
"""

from __future__ import annotations

import sys
import unicodedata
from collections import Counter
from itertools import groupby, pairwise
from pathlib import Path

from export.atomic import write_text_atomic
from export.runtime.errors import UserError
from export.runtime.words import APOSTROPHES, EMOJI, JOINER_MARKS, NUMBER_JOINERS

UNICODE = "14.0.0"
_RUNTIME = Path(__file__).parent / "runtime"
PYTHON_FILE = _RUNTIME / "character_table.py"
JAVASCRIPT_FILE = _RUNTIME / "js" / "character_table.js"
KOTLIN_FILE = _RUNTIME / "kotlin" / "src" / "main" / "kotlin" / "afriberta" / "edge" / "CharacterTable.kt"
SWIFT_FILE = _RUNTIME / "swift" / "Sources" / "AfribertaEdge" / "CharacterTable.swift"
_MADE = "Made by `python -m export.character_table`; not to be edited."
_LINE = 110


def check_unicode() -> None:
    """Raises UserError where this Python has another version of Unicode than the tables."""
    if unicodedata.unidata_version != UNICODE:
        raise UserError(
            f"This Python has Unicode {unicodedata.unidata_version}; the table is made from Unicode {UNICODE}.",
            "Use Python 3.11.",
        )


def class_of(code: int) -> str:
    """The class letter of a code point, by the Unicode tables of this Python (see `export.runtime.words.RULE`)."""
    character = chr(code)
    category = unicodedata.category(character)
    if character in APOSTROPHES:
        return "A"
    if character in NUMBER_JOINERS:
        return "N"
    if character == ".":
        return "F"
    if code in JOINER_MARKS:
        return "V"
    if code in EMOJI or category[0] in "PS" or category == "Cs":
        return "P"
    if category[0] == "Z" or "\t" <= character <= "\r" or character == "\x85":
        return "S"
    if category in ("Cc", "Cf"):
        return "X"
    if category == "Nd":
        return "D"
    if category[0] == "M":
        return "M"
    return {"Lu": "u", "Ll": "l", "Cn": "c"}.get(category, "o" if category[0] == "L" else "n")


def table() -> str:
    """All code points as runs: a class letter and how many code points it holds for, unless that is 1.

    Raises:
        UserError: this Python has another version of Unicode.
    """
    check_unicode()
    runs = [(letter, len(list(run))) for letter, run in groupby(map(class_of, range(sys.maxunicode + 1)))]
    return "".join(letter if count == 1 else f"{letter}{count}" for letter, count in runs)


def packed(text: str) -> tuple[str, list[str]]:
    """`text` with its most frequent pairs of characters replaced by single ones (byte pair encoding, Gage 1994).

    JavaScript is downloaded, so there the table is packed: to half its size.

    Returns:
        The packed text, and each replacement: a character and the pair it stands for. They are undone from the
        last to the first.
    """
    replacements: list[str] = []
    for character in map(chr, range(ord("!"), ord("~"))):
        if character in text or character in '"$\\' or character.isdigit():
            continue
        pair, count = next(iter(Counter(map("".join, pairwise(text))).most_common(1)), ("", 0))
        if count <= 4:  # the replacement itself takes four characters, with what parts it from the next
            break
        text = text.replace(pair, character)
        replacements.append(character + pair)
    return text, replacements


def python_source(text: str) -> str:
    lines = "\n".join(f'    "{line}"' for line in _lines(text))
    return f'"""{_MADE}"""\n\nUNICODE = "{UNICODE}"\nTABLE = (\n{lines}\n)\n'


def javascript_source(text: str) -> str:
    text, replacements = packed(text)
    values = {"REPLACEMENTS": " ".join(replacements), "PACKED": text}
    constants = (
        f"export const {name} =\n" + " +\n".join(f'  "{line}"' for line in _lines(value)) + ";\n"
        for name, value in values.items()
    )
    return f'// {_MADE}\n\nexport const UNICODE = "{UNICODE}";\n' + "".join(constants)


def kotlin_source(text: str) -> str:
    lines = " +\n".join(f'        "{line}"' for line in _lines(text))
    constants = f'    const val UNICODE = "{UNICODE}"\n    const val TABLE =\n{lines}\n'
    return f"// {_MADE}\n\npackage afriberta.edge\n\ninternal object CharacterTable {{\n{constants}}}\n"


def swift_source(text: str) -> str:
    lines = "\n".join(f"        {line}\\" for line in _lines(text))[:-1]
    constants = f'    static let unicode = "{UNICODE}"\n    static let table = """\n{lines}\n        """\n'
    return f"// {_MADE}\n\nenum CharacterTable {{\n{constants}}}\n"


def _lines(text: str) -> list[str]:
    return [text[start : start + _LINE] for start in range(0, len(text), _LINE)]


SOURCES = {
    PYTHON_FILE: python_source,
    JAVASCRIPT_FILE: javascript_source,
    KOTLIN_FILE: kotlin_source,
    SWIFT_FILE: swift_source,
}

if __name__ == "__main__":
    for file, source in SOURCES.items():
        write_text_atomic(file, source(table()))
