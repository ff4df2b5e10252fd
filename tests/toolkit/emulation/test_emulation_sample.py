"""Which sentences two CPUs are compared on."""

from __future__ import annotations

from pathlib import Path

import pytest

from export.runtime.errors import UserError
from toolkit.emulation.sample import Text, choose_sample


def test_real_text_is_spread_over_the_split_and_never_public(tmp_path: Path) -> None:
    lines = "".join(f"w{number} O\n\n" for number in range(10))
    (tmp_path / "swa").mkdir()
    (tmp_path / "swa" / "dev.txt").write_text(lines)
    sample = choose_sample(Text(tmp_path, "swa", 4))
    assert (sample.numbers, sample.of, sample.words) == ((1, 3, 6, 8), 10, 4)
    assert sample.sentences[1] == ("w2",)
    assert sample.real and not sample.public
    assert sample.source == f"{tmp_path.name}, swa, dev"
    assert choose_sample(Text(tmp_path, "swa", 99)).numbers == tuple(range(1, 11))
    with pytest.raises(UserError, match="0 sentences prove nothing"):
        choose_sample(Text(tmp_path, "swa", 0))


def test_demo_text_is_ours_to_print_and_not_real() -> None:
    sample = choose_sample(Text(lang="luo", sentences=50))
    assert (len(sample.numbers), sample.of, sample.source) == (50, 200, "demo text, luo, dev")
    assert sample.public and not sample.real
    assert choose_sample(Text(lang="zul")).sentences == ()
