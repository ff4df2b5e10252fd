"""What was measured in a browser, on pages and in the table of `make profile`."""

from __future__ import annotations

from dataclasses import replace

from export.runtime.profile_table import profile_rows
from tests.toolkit.reporting.made_devices import laptop, phone
from toolkit.reporting.blocks import Section, Table
from toolkit.reporting.devices import devices_section
from toolkit.reporting.evidence import Device, Evidence


def section(*devices: Device) -> Section:
    made = devices_section(Evidence(devices))
    assert made is not None
    return made


def figures(made: Section) -> dict[str, tuple[str, ...]]:
    table = next(
        block for block in made.blocks if isinstance(block, Table) and block.caption == "Profiles of devices"
    )
    return {
        row.cells[0]: tuple(cell.replace("\N{NO-BREAK SPACE}", " ") for cell in row.cells[1:]) for row in table.rows
    }


def test_a_phone_is_shown_with_its_browser() -> None:
    made = section(Device("Pixel 7, Chrome", phone()))
    shown = {name: cells[0] for name, cells in figures(made).items()}
    assert shown["Reached"] == "by a page in its browser"
    assert shown["Machine"] == "wasm32, 8 cores, Android 14"
    assert shown["Runtime"] == "onnxruntime-web 1.30.0, Chrome 140.0.7339.80"
    assert shown["… Python, or a browser's worker"] == "20.0 ms"
    assert {shown[name] for name in ("Peak memory", "Anonymous memory", "Energy per sentence", "Governor")} == {"–"}
    said = [block.text for block in made.blocks if hasattr(block, "text")]
    assert any(text.startswith("Pixel 7, Chrome: measured by the web app in a browser") for text in said)


def test_devices_without_a_browser_are_shown_as_before() -> None:
    made = section(Device("laptop", laptop()))
    assert "… Python" in figures(made)
    assert not any("browser" in block.text for block in made.blocks if hasattr(block, "text"))


def test_a_phone_beside_a_computer() -> None:
    made = section(Device("laptop", laptop()), Device("Pixel 7, Chrome", phone()))
    assert figures(made)["Reached"] == ("directly", "by a page in its browser")
    assert figures(made)["Runtime"][0] == "onnxruntime 1.31.1, Python 3.11.2"


def test_the_table_of_the_command_names_the_browser() -> None:
    rows = dict(profile_rows(phone()))
    assert rows["machine"] == "Pixel 7, Android 14, Chrome 140.0.7339.80"
    assert "worker 20" in rows["cold start"] and "Python" not in rows["cold start"]
    assert rows["memory"] == "peak unknown, anonymous unknown, file-backed unknown"
    assert rows["model, tokenizer, labels"].endswith("unknown zipped")
    machine = replace(phone().measurement.machine, board=None)
    nameless = replace(phone(), measurement=replace(phone().measurement, machine=machine))
    assert dict(profile_rows(nameless))["machine"] == "Android 14, Chrome 140.0.7339.80"
    assert nameless.file_name == "profile-android-14-chrome-abababab.json"
    assert dict(profile_rows(laptop()))["machine"] == "Example CPU @ 2.50GHz, Fedora Linux 41"
