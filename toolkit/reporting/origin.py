"""Provenance: where everything came from and how to repeat the run."""

from __future__ import annotations

from toolkit.record import RunRecord
from toolkit.reporting import text
from toolkit.reporting.blocks import Block, Code, Folded, Items, Section, Table, Text, row
from toolkit.reporting.facts import machine_line, measured

SOURCES = ("teacher", "data", "corpus")


def provenance_section(record: RunRecord) -> Section:
    """Sources with digests and licences, quirks of the data, versions, the recipe and the command."""
    # A record that was written and read has its keys in another order.
    order = [name for name in SOURCES if name in record.sources]
    sources = {name: record.sources[name] for name in (*order, *sorted(record.sources.keys() - set(order)))}
    table = Table(
        caption="Sources",
        header=("What", "Name", "From", "Licence", "Chosen because"),
        align="lllll",
        rows=tuple(
            row(
                (
                    what,
                    *(str(source.get(key) or text.UNKNOWN) for key in ("name", "source", "licence", "why")),
                )
            )
            for what, source in sources.items()
        ),
    )
    blocks: list[Block] = [table]
    digests = [(what, str(source["digest"])) for what, source in sources.items() if source.get("digest")]
    if record.selected.measurement:
        digests.append(("bundled model", str(record.selected.measurement["model_sha256"])))
    if record.calibration_sample:
        digests.append(("calibration sample", str(record.calibration_sample.get("digest"))))
    if digests:
        blocks.append(Table("Digests (sha256)", ("Of", "Digest"), "ll", tuple(row(pair) for pair in digests)))
    blocks.append(Items(tuple(_versions(record))))
    if record.data_notes:
        blocks.append(Text("What was found and handled in the data:"))
        blocks.append(Items(tuple(("", note) for note in record.data_notes)))
    recipe = tuple(row(pair) for pair in text.flatten(record.recipe))
    blocks.append(Folded(Table("The recipe", ("Setting", "Value"), "ll", recipe)))
    blocks += [Text("To repeat this run:"), Code(record.command)]
    blocks += [Text("To check the bundle:"), Code(f"make verify BUNDLE={record.bundle}")]
    return Section("provenance", "Provenance", tuple(blocks))


def _versions(record: RunRecord) -> list[tuple[str, str]]:
    pairs = [
        ("Toolkit", record.version),
        ("Bundle", f"{record.bundle}, zipped {text.size(record.zip_bytes)}"),
        ("Licence of the bundle", record.licence),
    ]
    found = [m for m in map(measured, record.candidates) if m is not None]
    packages: dict[str, str] = {}
    for m in found:
        packages |= dict(m.packages)
        packages |= {"tokenizers": m.machine.tokenizers} if m.machine.tokenizers else {}
    pairs += [("Machine", line) for line in sorted({machine_line(m) for m in found})]
    pairs += [
        ("Instruction sets", ", ".join(line)) for line in sorted({m.machine.flags or () for m in found}) if line
    ]
    if packages:
        pairs.append(("Packages", ", ".join(f"{name} {packages[name]}" for name in sorted(packages))))
    if found:
        pairs.append(("Measured at", ", ".join(sorted({m.measured_at for m in found}))))
    return pairs
