"""Numbers and strings fit for reading; Markdown that means what it says."""

from __future__ import annotations

import pytest

from toolkit.reporting.blocks import Code, Headline, Items, Page, Section, Text
from toolkit.reporting.markdown import escape, render_markdown
from toolkit.reporting.text import clean, f1, flatten, ms, share, shorten, signed, size, times


@pytest.mark.parametrize(
    ("count", "shown"),
    [(900, "0.9 kB"), (450_000, "0.45 MB"), (2_914_000, "2.91 MB"), (9_996_000, "10.0 MB"), (443e6, "443 MB")],
)
def test_sizes_have_three_digits(count: float | None, shown: str) -> None:
    assert size(count).replace("\N{NO-BREAK SPACE}", " ") == shown


def test_unknown_numbers_are_a_dash_and_never_zero() -> None:
    assert [ms(None), share(None), times(None), signed(None), f1(None), f1({}), size(None)] == ["–"] * 7


def test_numbers_have_the_precision_they_deserve() -> None:
    assert [ms(v, unit=False) for v in (1.234, 12.34, 123.4)] == ["1.23", "12.3", "123"]
    assert [times(v)[:-2] for v in (2.94, 9.94, 9.96, 14.4)] == ["2.9", "9.9", "10", "14"]
    assert share(-0.064)[:-2] == "−6.4"
    assert [signed(v) for v in (0.36, -1.0)] == ["+0.4", "−1.0"]
    assert f1({"f1": 76.34, "interval": [74.4, 78.2]}) == "76.3 (74.4–78.2)"
    assert f1({"f1": 76.34, "interval": [74.4, 78.2]}, interval=False) == "76.3"


def test_clean_keeps_every_script_and_replaces_what_cannot_be_shown() -> None:
    assert clean("ሰላም ẹ́kú ng'ombe 🙂") == "ሰላም ẹ́kú ng'ombe 🙂"
    assert clean("a\nb\tc\0\ud800\u202e") == "a b c\ufffd\ufffd\ufffd"
    assert shorten("abcdef", 4) == "abc…"


def test_nested_reports_become_dotted_keys() -> None:
    report = {"a": {"b": 1234, "none": None}, "c": [1, 2], "d": list(range(30)), "e": True, "f": 0.123456789}
    assert flatten(report) == [("a.b", "1,234"), ("c", "1, 2"), ("d", "30 entries"), ("e", "yes"), ("f", "0.123457")]


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a|b", "a\\|b"),
        ("<b> & `x`", "&lt;b&gt; &amp; \\`x\\`"),
        ("max_f1_loss", "max_f1_loss"),
        ("_so_", "\\_so\\_"),
        ("# no heading", "\\# no heading"),
        ("- no list", "\\- no list"),
        ("1. no list", "1\\. no list"),
        ("2.91 MB", "2.91 MB"),
        ("*x* ~y~ $z$ [k](l)", "\\*x\\* \\~y\\~ \\$z\\$ \\[k\\](l)"),
        ("a\n\n# b", "a  # b"),
    ],
)
def test_markdown_shows_any_text_as_it_is(text: str, escaped: str) -> None:
    assert escape(text) == escaped


def test_markdown_code_may_hold_backticks() -> None:
    page = Page("t", Headline("e", "t", "l", "pass", (), ()), (Section("s", "S", (Code("echo ```` `"),)),), "foot")
    assert "\n`````\necho ```` `\n`````\n" in render_markdown(page)


def test_markdown_lists_terms_and_plain_items() -> None:
    blocks = (Text("a | b"), Items((("term", "said"), ("", "only said"))))
    page = Page("t", Headline("e", "t", "l", "pass", ("mind",), ()), (Section("s", "S", blocks),), "foot")
    said = render_markdown(page)
    assert "> **Note:** mind\n" in said
    assert "a \\| b\n\n- **term:** said\n- only said\n" in said
