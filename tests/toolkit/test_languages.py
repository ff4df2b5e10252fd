from __future__ import annotations

import pytest

from export.runtime.errors import UserError
from toolkit.languages import LANGUAGES, language


def test_masakhaner_releases_have_ten_and_twenty_languages() -> None:
    first = {code for code, known in LANGUAGES.items() if known.masakhaner1}
    second = {code for code, known in LANGUAGES.items() if known.masakhaner2}
    assert first == {"amh", "hau", "ibo", "kin", "lug", "luo", "pcm", "swa", "wol", "yor"}
    assert len(second) == 20
    assert first - second == {"amh"}
    assert set(LANGUAGES) == first | second


def test_afriberta_never_saw_luganda_luo_and_wolof() -> None:
    unseen = {code for code, known in LANGUAGES.items() if known.masakhaner1 and not known.in_pretraining}
    assert unseen == {"lug", "luo", "wol"}


def test_only_amharic_is_written_in_ethiopic() -> None:
    assert [code for code, known in LANGUAGES.items() if known.script == "Ethiopic"] == ["amh"]
    assert language("swa").own_name == "Kiswahili"


@pytest.mark.parametrize("code", ["", "xx", "SWA", "en_US.UTF-8"])
def test_an_unknown_language_lists_the_choices(code: str) -> None:
    with pytest.raises(UserError) as caught:
        language(code)
    assert all(known in caught.value.remedy for known in LANGUAGES)
