"""The app's own modules: what they do without a page (in Node), and what its page and styles promise."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from export.app.build import WEB

SCRIPTS = Path(__file__).with_name("web")
CASES = sorted(path.name for path in SCRIPTS.glob("*.test.js"))
LONGEST_LINE, LONGEST_FILE = 118, 300
LOOKS = 8  # kinds of entities that the styles tell apart
MODULES = sorted(path for path in WEB.glob("*.js"))
COLOURS = (WEB / "style.css").read_text("utf-8")
STYLE = (WEB / "editor.css").read_text("utf-8")
HOOKS = {
    *("text", "entities", "status", "progress", "error", "retry", "language", "update", "update-now", "measure"),
    *("latency", "model-size"),
}


class Page(HTMLParser):
    """The elements of a page: name and attributes, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed((WEB / "index.html").read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
@pytest.mark.parametrize("case", CASES)
def test_in_node(case: str) -> None:
    done = subprocess.run(["node", "--test", SCRIPTS / case], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]


def colours(scheme: str) -> dict[str, str]:
    """The custom colours of style.css in the light or the dark scheme."""
    light, dark = COLOURS.split("@media (prefers-color-scheme: dark)")
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", light if scheme == "light" else dark))


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_of_text_and_marks_reach_the_contrast_of_wcag_aa(scheme: str) -> None:
    named = colours(scheme)
    text = [("ink", "page"), ("ink", "card"), ("muted", "page"), ("muted", "card"), ("alarm", "card")]
    text += [("on-accent", "accent"), *(("ink", f"look-{look}") for look in range(LOOKS))]
    lines = [("edge", "page"), ("edge", "card"), ("accent", "page"), ("accent", "card"), ("alarm", "card")]
    lines += [(f"line-{look}", ground) for look in range(LOOKS) for ground in (f"look-{look}", "page", "card")]
    low = {(one, other): contrast(named[one], named[other]) for one, other in text}
    assert {pair: ratio for pair, ratio in low.items() if ratio < 4.5} == {}
    low = {(one, other): contrast(named[one], named[other]) for one, other in lines}
    assert {pair: ratio for pair, ratio in low.items() if ratio < 3} == {}


def test_types_differ_by_their_line_and_not_by_colour_alone() -> None:
    rules = [re.search(rf'\[data-look="{look}"\] \{{(.*?)\}}', STYLE, re.DOTALL) for look in range(LOOKS)]
    drawn = [re.findall(r"text-decoration-(?:style|thickness): ([\w]+)", rule.group(1)) for rule in rules if rule]
    assert len({tuple(line) for line in drawn}) == LOOKS


def test_a_mark_takes_no_room() -> None:
    """The highlights lie behind the textarea: what widens a mark moves the text away from them."""
    rules = re.findall(r"^([^@{}]*)\{([^{}]*)\}", STYLE, re.MULTILINE)
    of_marks = [body for names, body in rules if re.search(r"(^|[\s,])(mark|\[data-look)", names)]
    assert len(of_marks) >= LOOKS
    widening = r"\b(padding|margin|border(?!-radius)|font|letter-spacing|word-spacing|display|float|position)\b"
    assert not [body for body in of_marks if re.search(widening, body)]


def test_text_never_goes_in_as_html_and_nothing_is_put_on_window() -> None:
    for module in MODULES:
        source = module.read_text("utf-8")
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write\(|\beval\(|new Function", source
        )
        assert not re.search(r"\b(window|globalThis)(\.\w+|\[[^\]]*\])\s*=[^=]", source), module.name


def test_page_has_the_parts_that_others_rely_on_and_labels_for_them() -> None:
    elements = Page().elements
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert set(ids) >= HOOKS
    asked = set(re.findall(r'\$\("([\w-]+)"\)', (WEB / "app.js").read_text("utf-8")))
    assert asked <= set(ids)
    labels = {attributes.get("for") for tag, attributes in elements if tag == "label"}
    fields = [attributes for tag, attributes in elements if tag in ("textarea", "select", "progress")]
    assert fields and all(field["id"] in labels or "aria-labelledby" in field for field in fields)


def test_page_runs_under_its_policy_and_asks_early_for_all_its_modules() -> None:
    elements = Page().elements
    html = (WEB / "index.html").read_text("utf-8")
    assert not re.search(r"\sstyle=|\son\w+=|<style", html)
    assert all("src" in attributes for tag, attributes in elements if tag == "script")
    preloaded = {attributes["href"] for _, attributes in elements if attributes.get("rel") == "modulepreload"}
    assert preloaded == _imported("app.js") - {"app.js"}


def _imported(name: str) -> set[str]:
    """The modules that a module needs before it runs, itself included."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            source = (WEB / module).read_text("utf-8")
            waiting += re.findall(r'^import [^"]*"\./([\w.-]+)";', source, re.MULTILINE)
    return found


@pytest.mark.parametrize("path", [*MODULES, *sorted(WEB.glob("*.css"))], ids=lambda path: path.name)
def test_files_stay_short(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    assert len(lines) <= LONGEST_FILE
    assert max(map(len, lines)) <= LONGEST_LINE
