"""sbom.cdx.json: what a bundle is made of, as CycloneDX 1.6 (cyclonedx.org/docs/1.6/json)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata
from typing import Any

from export.manifest import Manifest

RUNTIME_PACKAGES = ("numpy", "onnxruntime", "tokenizers")


@dataclass(frozen=True)
class Package:
    """A Python package that the runtime needs; `licence` as the package states it."""

    name: str
    version: str
    licence: str


def installed_packages(names: Sequence[str] = RUNTIME_PACKAGES) -> tuple[Package, ...]:
    """The packages as installed here; one that is not is left out."""
    found = []
    for name in names:
        try:
            fields = metadata(name)
        except PackageNotFoundError:
            continue
        stated = fields.get_all("License-Expression") or _classifiers(fields.get_all("Classifier") or [])
        found.append(Package(name, fields["Version"], " AND ".join(stated) or "not stated"))
    return tuple(found)


def _classifiers(classifiers: Sequence[str]) -> list[str]:
    """'MIT License' from 'License :: OSI Approved :: MIT License'."""
    return [line.split(" :: ")[-1] for line in classifiers if line.startswith("License :: ")]


def sbom(manifest: Manifest, packages: Sequence[Package], optional: Sequence[Package] = ()) -> dict[str, Any]:
    """The bill of materials: the model with its digest and inputs, and the packages that run it.

    `optional` are those that only the bundle's alternatives need.

    Deterministic: it has no serial number and no time stamp, both optional in CycloneDX.
    """
    model = {
        "type": "machine-learning-model",
        "bom-ref": "model",
        "name": manifest.name,
        "version": manifest.model_sha256[:16],
        "hashes": [{"alg": "SHA-256", "content": manifest.model_sha256}],
        "licenses": [{"license": {"name": manifest.licence}}],
        "properties": [{"name": f"input: {item.what}", "value": item.licence} for item in manifest.licences],
    }
    runtime = {
        "type": "application",
        "bom-ref": "runtime",
        "name": "runtime",
        "description": "the tagger in runtime/",
        "licenses": [{"license": {"id": "Apache-2.0"}}],
    }
    libraries = [_library(package) for package in packages]
    extras = [{**_library(package), "scope": "optional"} for package in optional]
    references = [str(library["bom-ref"]) for library in libraries]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": model},
        "components": [runtime, *libraries, *extras],
        "dependencies": [
            {"ref": "model", "dependsOn": ["runtime"]},
            {"ref": "runtime", "dependsOn": references},
            *({"ref": library["bom-ref"]} for library in (*libraries, *extras)),
        ],
    }


def _library(package: Package) -> dict[str, Any]:
    reference = f"pkg:pypi/{package.name}@{package.version}"
    return {
        "type": "library",
        "bom-ref": reference,
        "name": package.name,
        "version": package.version,
        "purl": reference,
        "licenses": [{"license": {"name": package.licence}}],
    }
