"""What a hub's check of a model card's front matter refuses, as far as its documentation tells."""

from __future__ import annotations

import re
from typing import Any

import yaml

LICENCES = {"apache-2.0", "mit", "cc-by-4.0", "cc-by-nc-4.0", "cc0-1.0", "unknown", "other"}  # some of its list
_ID = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


def front_matter_of(card: str) -> dict[str, Any]:
    """The front matter as YAML readers see it."""
    found = re.match(r"---\n(.*?)\n---\n", card, re.DOTALL)
    value = yaml.safe_load(found[1]) if found else {}
    assert isinstance(value, dict)
    return value


def card_problems(card: str) -> list[str]:
    """Why the hub would refuse the card; empty if it takes it."""
    try:
        front = front_matter_of(card)
    except yaml.YAMLError as error:
        return [f"YAML: {error}"]
    problems = []
    if front.get("license") not in LICENCES:
        problems.append(f'"license" must be one of {sorted(LICENCES)}')
    if front.get("license") == "other" and not re.fullmatch(r"[a-z0-9.-]+", str(front.get("license_name"))):
        problems.append('"license_name" with value fails to match the required pattern: /^[a-z0-9-.]+$/')
    if not re.fullmatch(r"LICENSE(\.md)?|https?://\S+", front.get("license_link", "LICENSE")):
        problems.append('"license_link" must be one of [LICENSE, LICENSE.md] or a valid uri')
    if not all(re.fullmatch("[a-z]{2,3}", str(code)) for code in front.get("language", ())):
        problems.append('"language" must be ISO 639-1, 639-2 or 639-3 codes')
    for key in ("base_model", "datasets"):
        values = front.get(key, [])
        if not all(_ID.fullmatch(value) for value in ([values] if isinstance(values, str) else values)):
            problems.append(f'"{key}" must be ids of the hub')
    return [*problems, *_model_index_problems(front.get("model-index", []))]


def _model_index_problems(index: Any) -> list[str]:
    problems = []
    for model in index:
        if not model.get("name"):
            problems.append('"model-index[0].name" is required')
        for result in model.get("results", ()):
            if not result.get("task", {}).get("type") or not result.get("metrics"):
                problems.append('"model-index[0].results" needs task.type and metrics')
            if not result.get("dataset", {}).get("type") or not result["dataset"].get("name"):
                problems.append('"model-index[0].results[0].dataset" needs type and name')
            if not all(metric.get("type") and "value" in metric for metric in result.get("metrics", ())):
                problems.append('"model-index[0].results[0].metrics" need type and value')
    return problems
