"""The languages the toolkit knows: those of MasakhaNER 1.0 and 2.0."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from export.runtime.errors import UserError


@dataclass(frozen=True)
class Language:
    """One language.

    Attributes:
        code: ISO 639-3.
        name: in English.
        own_name: in the language itself.
        script: "Latin" or "Ethiopic"; word splitting goes by it.
        normalisation: Unicode form that its text is compared and counted in. Orthographies with
            tone marks come both composed and decomposed (yor is NFC in MasakhaNER 1.0, NFD in 2.0).
        in_pretraining: AfriBERTa saw the language before fine-tuning (Ogueji et al. 2021).
        masakhaner1, masakhaner2: MasakhaNER 1.0 / 2.0 has it.
    """

    code: str
    name: str
    own_name: str
    script: str
    normalisation: str
    in_pretraining: bool
    masakhaner1: bool
    masakhaner2: bool


# code, name, own name, in AfriBERTa's pre-training, in MasakhaNER 1.0, in 2.0
_ROWS = (
    ("amh", "Amharic", "አማርኛ", True, True, False),
    ("bam", "Bambara", "Bamanankan", False, False, True),
    ("bbj", "Ghomala", "Ghɔmálá’", False, False, True),
    ("ewe", "Ewe", "Eʋegbe", False, False, True),
    ("fon", "Fon", "Fɔngbe", False, False, True),
    ("hau", "Hausa", "Hausa", True, True, True),
    ("ibo", "Igbo", "Igbo", True, True, True),
    ("kin", "Kinyarwanda", "Ikinyarwanda", True, True, True),
    ("lug", "Luganda", "Oluganda", False, True, True),
    ("luo", "Luo", "Dholuo", False, True, True),
    ("mos", "Mossi", "Mooré", False, False, True),
    ("nya", "Chichewa", "Chicheŵa", False, False, True),
    ("pcm", "Nigerian Pidgin", "Naijá", True, True, True),
    ("sna", "Shona", "chiShona", False, False, True),
    ("swa", "Swahili", "Kiswahili", True, True, True),
    ("tsn", "Setswana", "Setswana", False, False, True),
    ("twi", "Twi", "Twi", False, False, True),
    ("wol", "Wolof", "Wolof", False, True, True),
    ("xho", "Xhosa", "isiXhosa", False, False, True),
    ("yor", "Yoruba", "Yorùbá", True, True, True),
    ("zul", "Zulu", "isiZulu", False, False, True),
)

LANGUAGES = MappingProxyType(
    {
        code: Language(code, name, own, "Ethiopic" if code == "amh" else "Latin", "NFC", seen, first, second)
        for code, name, own, seen, first, second in _ROWS
    }
)


def language(code: str) -> Language:
    """The language with this ISO 639-3 code.

    Raises:
        UserError: no code or an unknown one; the remedy lists the choices.
    """
    if code in LANGUAGES:
        return LANGUAGES[code]
    choices = ", ".join(f"{known.code} ({known.name})" for known in LANGUAGES.values())
    problem = f"Unknown language {code!r}." if code else "No language given."
    raise UserError(problem, f"Choose one of: {choices}.")
