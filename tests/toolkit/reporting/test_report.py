"""The report page and its Markdown twin."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from toolkit.record import CandidateRecord, RunRecord, StageRecord, read_records, write_record
from toolkit.report import write_report

HOSTILE = "<script>alert(1)</script>|</svg></table>\"'&amp;$x_{1}$ `` # *a* [b](http://evil.example)"


class Seen(HTMLParser):
    """Elements, attributes and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, name: str) -> list[str]:
        """All values of an attribute."""
        return [value for _, found, value in self.attributes if found == name]


def render(tmp_path: Path, record: RunRecord, others: list[RunRecord] | None = None) -> tuple[str, str]:
    html, markdown = tmp_path / "run.html", tmp_path / "run.md"
    write_report(others or [], record, html, markdown)
    return html.read_text("utf-8"), markdown.read_text("utf-8")


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory, record: RunRecord) -> tuple[str, str]:
    """Page and Markdown of the plain record."""
    return render(tmp_path_factory.mktemp("plain"), record)


def hostile(record: RunRecord) -> RunRecord:
    """`record` with other people's text everywhere that other people's text can be."""
    per_type = record.selected.test["per_type"]
    types = {HOSTILE: per_type["PER"], **per_type}

    def spoil(candidate: CandidateRecord) -> CandidateRecord:
        test = {**candidate.test, "per_type": types}
        name = HOSTILE if candidate.selected else candidate.name
        return replace(candidate, name=name, reason=HOSTILE, notes=(HOSTILE,), test=test, export={HOSTILE: HOSTILE})

    return replace(
        record,
        command=HOSTILE,
        lang=HOSTILE,
        language=HOSTILE,
        target=HOSTILE,
        target_description=HOSTILE,
        recipe={"name": HOSTILE, HOSTILE: HOSTILE},
        sources={HOSTILE: dict.fromkeys(("name", "source", "licence", "digest", "why"), HOSTILE)},
        notices=(HOSTILE,),
        data_notes=(HOSTILE,),
        stages=tuple(
            replace(stage, name=HOSTILE, detail=HOSTILE, report={HOSTILE: HOSTILE}) for stage in record.stages
        ),
        candidates=tuple(map(spoil, record.candidates)),
        licence=HOSTILE,
        bundle=HOSTILE,
    )


def test_page_loads_and_runs_nothing(rendered: tuple[str, str]) -> None:
    page, _ = rendered
    seen = Seen(page)
    assert not {"script", "link", "img", "iframe", "object", "embed", "form", "base"} & set(seen.tags)
    assert not seen.values("src")
    assert all(target.startswith("#") for target in seen.values("href"))
    assert not [name for _, name, _ in seen.attributes if name.startswith("on")]
    assert "@import" not in page
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", page))
    assert "default-src 'none'; style-src 'unsafe-inline'" in seen.values("content")


def test_page_of_ten_languages_stays_small(
    tmp_path: Path, record: RunRecord, other_runs: Callable[..., list[RunRecord]]
) -> None:
    others = other_runs(amh=-20, hau=1, ibo=2, kin=-9, lug=-7, luo=-12, pcm=2, wol=-18, yor=1)
    page, _ = render(tmp_path, record, others)
    assert len(page.encode()) < 400_000


def test_hostile_text_is_shown_and_never_becomes_markup(tmp_path: Path, record: RunRecord) -> None:
    page, _ = render(tmp_path, hostile(record))
    seen = Seen(page)
    assert "script" not in seen.tags
    assert not [name for _, name, _ in seen.attributes if name.startswith("on") or name == "src"]
    assert all(target.startswith("#") for target in seen.values("href"))
    assert seen.text.count(HOSTILE) > 40
    assert seen.tags["svg"] == page.count("</svg>")
    assert seen.tags["table"] == page.count("</table>")


def test_hostile_text_breaks_no_markdown_table(tmp_path: Path, record: RunRecord) -> None:
    _, markdown = render(tmp_path, hostile(record))
    assert "<" not in re.sub(r"(?s)^(`{3,})\n.*?\n\1$", "", markdown, flags=re.MULTILINE)
    tables = re.findall(r"(?m)(?:^\|.*\|$\n?)+", markdown)
    assert len(tables) > 10
    for table in tables:
        bars = {len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in table.splitlines()}
        assert len(bars) == 1, table


def test_strings_that_no_file_can_hold_are_replaced(tmp_path: Path, record: RunRecord) -> None:
    odd = "a\0b\ud800c\u202ed\x1be\nf"
    page, markdown = render(tmp_path, replace(record, notices=(odd,), language=odd))
    for text in (page, markdown):
        assert "a\ufffdb\ufffdc\ufffdd\ufffde f" in text
        assert not {"\0", "\x1b", "\u202e"} & set(text)


def test_same_records_give_same_bytes(
    tmp_path: Path, record: RunRecord, other_runs: Callable[..., list[RunRecord]]
) -> None:
    others = other_runs(hau=1, yor=2)
    first = render(tmp_path, record, others)
    write_record(record, tmp_path / "swa.run.json")
    (read,) = read_records(tmp_path)
    assert render(tmp_path, read, others[::-1]) == first


def test_demo_text_is_loud_and_never_called_masakhaner(rendered: tuple[str, str]) -> None:
    for text in rendered:
        top = text[: text.lower().index("verdict:")]
        assert "The hub cannot be reached" in top
        assert "F1 on this page is on demo text" in top
        assert "MasakhaNER" not in text


def test_real_data_has_its_name_and_no_notice(tmp_path: Path, record: RunRecord) -> None:
    real = replace(
        record, notices=(), sources={**record.sources, "data": {"name": "MasakhaNER 1.0", "source": "hub"}}
    )
    page, markdown = render(tmp_path, real)
    assert 'class="notice"' not in page
    assert "F1 on MasakhaNER 1.0, test" in page
    assert "Note:" not in markdown


def test_what_nobody_measured_is_absent_and_not_zero(tmp_path: Path, record: RunRecord) -> None:
    bare = replace(
        record,
        candidates=tuple(replace(c, measurement=None, download_bytes=None) for c in record.candidates),
        stages=tuple(replace(stage, report={}) for stage in record.stages),
        trim=None,
        confidence={},
        calibration_sample=None,
        raw_text={},
    )
    page, markdown = render(tmp_path, bare)
    assert "Nothing was measured in this run." in page
    for gone in ('id="trimming"', 'id="calibration"', 'id="measurement"', "latency-16"):
        assert gone not in page
    assert not re.search(r"(?<![\d.,])0(\.0+)?\s(MB|ms|×)", markdown)
    assert re.search(r"\| Peak memory \| undecided \| not known \| 200\sMB \|", markdown)


def test_ids_are_unique_and_every_reference_has_its_target(rendered: tuple[str, str]) -> None:
    seen = Seen(rendered[0])
    ids = Counter(seen.values("id"))
    assert [name for name, count in ids.items() if count > 1] == []
    references = [name for value in seen.values("aria-labelledby") for name in value.split()]
    references += [target[1:] for target in seen.values("href")]
    assert references and set(references) <= set(ids)


def test_every_table_has_headers_and_every_chart_a_description(rendered: tuple[str, str]) -> None:
    page, _ = rendered
    for table in re.findall(r"(?s)<table>.*?</table>", page):
        assert "<caption" in table
        columns = table[: table.index("</thead>")].count('<th scope="col"')
        body = table[table.index("<tbody>") :]
        assert all(line.count('<th scope="row">') == 1 for line in body.split("<tr")[1:])
        assert all(line.count("<td") == columns - 1 for line in body.split("<tr")[1:])
    charts = re.findall(r"(?s)<svg.*?</svg>", page)
    assert len(charts) == 8  # front, four lengths, types, stages, reliability; one run has no language chart
    assert all('role="img"' in chart and "<title" in chart and "<desc" in chart for chart in charts)


def test_markdown_has_the_same_sections_and_tables(rendered: tuple[str, str]) -> None:
    page, markdown = rendered
    headings = re.findall(r"<h2[^>]*>([^<]*)</h2>", page)
    assert len(headings) == 11
    assert re.findall(r"(?m)^## (.*)$", markdown) == headings
    assert len(re.findall(r"(?m)^\| (?:---:? \| )*---:? \|$", markdown)) == page.count("<table>")
    assert markdown.count("\n| ") == page.count("<tr") + page.count("<table>")


def test_languages_so_far_stand_side_by_side_with_their_mean(
    tmp_path: Path, record: RunRecord, other_runs: Callable[..., list[RunRecord]]
) -> None:
    older = replace(record, candidates=tuple(replace(c, test={**c.test, "f1": 1.0}) for c in record.candidates))
    page, markdown = render(tmp_path, record, [*other_runs(amh=-20.0, yor=2.0), older])
    rows = [line for line in markdown.splitlines() if re.match(r"\| (amh|swa|yor|Mean of 3) ", line)]
    assert [row.split(" | ")[0] for row in rows] == ["| amh", "| swa", "| yor", "| Mean of 3"]
    assert rows[1].split(" | ")[1:5] == ["80.0", "68.4", "72.2", "76.5"]
    assert rows[3].split(" | ")[1:6] == ["74.0", "62.4", "66.2", "70.5", "70.3"]
    assert 'id="languages-desc"' in page


def test_runs_that_differ_in_more_than_language_are_told_apart(
    tmp_path: Path, record: RunRecord, other_runs: Callable[..., list[RunRecord]]
) -> None:
    (other,) = other_runs(hau=1.0)
    other = replace(other, recipe={"name": "trim-int8"}, target="rpi4")
    _, markdown = render(tmp_path, record, [other])
    assert "| swa · edge · cpu |" in markdown
    assert "| hau · trim-int8 · rpi4 |" in markdown
    assert "Mean of" not in markdown


def test_another_run_with_an_older_measurement_does_not_stop_the_report(
    tmp_path: Path, record: RunRecord, other_runs: Callable[..., list[RunRecord]]
) -> None:
    (other,) = other_runs(hau=1.0)
    old = tuple(replace(c, measurement=c.measurement and {"schema": 0}) for c in other.candidates)
    _, markdown = render(tmp_path, record, [replace(other, candidates=old)])
    assert re.search(r"(?m)^\| hau \|.*\| – \| undecided \|$", markdown)


def test_sentences_of_the_calibration_sample_never_appear(rendered: tuple[str, str]) -> None:
    for text in rendered:
        assert "Secret" not in text
        assert "9-16 words" in text


def test_a_floor_far_below_is_said_where_it_is_not_drawn(tmp_path: Path, record: RunRecord) -> None:
    budgets = [{**budget, "limit": 0.5} for budget in record.verdict["budgets"]]
    page, _ = render(tmp_path, replace(record, verdict={"overall": "pass", "budgets": budgets}))
    assert "The lowest F1 that the device profile accepts, 40.0, lies below the chart." in page
    assert ">floor " not in page


def test_numbers_of_the_headline(rendered: tuple[str, str]) -> None:
    page, markdown = rendered
    text = Seen(page).text.replace("\N{NO-BREAK SPACE}", " ")
    assert "95 % interval 74.4 to 78.2, 1,179 entities; 95.4 % of the teacher's 80.0 (78.1–81.9)." in text
    assert "15 × smaller than the teacher's 42.5 MB. The bundle with runtime and documents: 3.15 MB." in text
    assert "measured here; 8.7 × faster than teacher." in text
    assert "Latency: 1.87 ms." in markdown.replace("\N{NO-BREAK SPACE}", " ")


def test_verdict_shows_observed_and_limit_side_by_side(rendered: tuple[str, str]) -> None:
    markdown = rendered[1].replace("\N{NO-BREAK SPACE}", " ")
    assert "| p95 latency | fail | 5.28 ms | 5.00 ms | measured here |" in markdown
    assert "| F1 lost against the teacher | pass | 4.6 % (2.1 % to 7.1 %) | 10.0 % |" in markdown


def test_changes_are_against_the_stage_before_on_the_line(rendered: tuple[str, str]) -> None:
    markdown = rendered[1].replace("\N{NO-BREAK SPACE}", " ")
    assert "| trim | 6,000 of 32,000 pieces | 19.4 MB | 80.1 | −0.5 | 9 s |" in markdown
    assert "| distill | 4 layers x 4 heads, hidden 256 | 15.9 MB | 77.1 | −3.0 |" in markdown
    assert "| gold-only | no teacher signal | 15.9 MB | 69.0 |  |" in markdown


def test_pruning_shows_zeros_beside_bytes_memory_and_latency(tmp_path: Path, record: RunRecord) -> None:
    account: dict[str, Any] = {
        "dense_bytes": 15_900_000, "zipped_bytes": 9_100_000,
        "model": {"sparsity": 0.31}, "encoder": {"sparsity": 0.5},
    }  # fmt: skip
    pruned = StageRecord("prune", "magnitude", 3.0, False, 15_900_000, 76.0, {"account": account})
    _, markdown = render(tmp_path, replace(record, stages=(*record.stages, pruned)))
    said = markdown.replace("\N{NO-BREAK SPACE}", " ")
    assert "| Weights that are zero, transformer layers | 50.0 % |" in said
    assert "| Weights file as it lies | 15.9 MB |" in said
    assert "| Weights file zipped | 9.10 MB |" in said
    assert "| p50 per sentence of onnx-int8 | 1.87 ms |" in said


def test_undecided_budgets_are_noted_for_candidates_alone(tmp_path: Path, record: RunRecord) -> None:
    noted = tuple(replace(c, notes=(f"note on {c.name}",)) for c in record.candidates)
    _, markdown = render(tmp_path, replace(record, candidates=noted))
    assert "- **onnx-fp32:** Larger, for no certain gain. note on onnx-fp32\n" in markdown
    assert "- **teacher:** For comparison only.\n" in markdown


def test_a_busy_machine_is_named(tmp_path: Path, record: RunRecord, rendered: tuple[str, str]) -> None:
    def busy(candidate: CandidateRecord) -> CandidateRecord:
        if candidate.measurement is None:
            return candidate
        buckets = [{**bucket, "waiting": 0.31} for bucket in candidate.measurement["buckets"]]
        return replace(candidate, measurement={**candidate.measurement, "buckets": buckets})

    assert "another program had the processor" not in rendered[1]
    _, markdown = render(tmp_path, replace(record, candidates=tuple(map(busy, record.candidates))))
    assert "Up to 31\N{NO-BREAK SPACE}% of the time another program had the processor." in markdown


def test_an_outcome_without_budgets_is_still_said_in_words(tmp_path: Path, record: RunRecord) -> None:
    page, markdown = render(tmp_path, replace(record, verdict={"overall": "fail", "budgets": []}))
    assert '<span class="badge outcome fail">fail</span>' in page
    assert markdown.startswith("# Swahili (swa) entity tagger for cpu: fail\n")
