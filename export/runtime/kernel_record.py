"""What `kernels.py` is told and what it answers, as JSON.

A plan names graphs without weights: the device fills the data files that they map with noise, and makes the
inputs too, so that a plan of many megabytes of models travels as a few kilobytes.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .conditions import Conditions
from .errors import UserError
from .machine import Machine
from .measurement import Summary
from .records import from_plain, to_plain

SCHEMA = 1
PLAN, RESULT = "kernel plan", "kernel result"


@dataclass(frozen=True)
class DataFile:
    """A file beside the plan that the device fills with noise; `dtype` is int8 or float32."""

    path: str
    dtype: str
    bytes: int


@dataclass(frozen=True)
class Feed:
    """An input of a graph: whole numbers from `low` to below `high`; None in `shape` stands for the length."""

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    low: int
    high: int


@dataclass(frozen=True)
class Graph:
    """An ONNX file to time.

    Attributes:
        path: relative to the plan.
        bytes: of its weights.
        lengths: in sub-words, each timed by itself.
        feeds: of a kernel. Without any it is a tagger, which is timed from words to one row of logits per word.
    """

    name: str
    path: str
    bytes: int
    lengths: tuple[int, ...]
    feeds: tuple[Feed, ...]


@dataclass(frozen=True)
class TextPlan:
    """What taggers are timed with: a tokenizer.json relative to the plan, and sentences as words."""

    tokenizer: str
    sentences: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class KernelPlan:
    """What to time and how often.

    Attributes:
        threads: to try, one after another; empty leaves it to the device.
        rounds: turns of each graph at each length.
        runs, seconds: a turn ends with whichever is reached first, after at least one run.
        warm_runs: of each graph at each length before the first turn.
        copy_bytes: of the buffer that memory bandwidth is measured with.
    """

    data: tuple[DataFile, ...]
    graphs: tuple[Graph, ...]
    text: TextPlan
    threads: tuple[int, ...] = ()
    rounds: int = 8
    runs: int = 20
    seconds: float = 0.15
    warm_runs: int = 2
    copy_bytes: int = 67_108_864

    def to_json(self) -> dict[str, Any]:
        """Plain dicts, lists, numbers and strings; `from_json` gives an equal plan back."""
        return {"schema": SCHEMA, "kind": PLAN, **to_plain(self)}

    @classmethod
    def from_json(cls, data: Any) -> KernelPlan:
        """Read what `to_json` wrote.

        Raises:
            UserError: another kind or schema, a missing or unknown key, a value of the wrong type.
        """
        return from_plain(cls, _body(data, PLAN), PLAN)


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one graph at one length.

    Attributes:
        tokens: mean sub-words, <s> and </s> counted; `length` for a kernel.
        latency: by the clock; of processor time where another program had the processor for more than a twentieth
            of the time and there is one thread, which can tell.
        waiting: that share of the time; None with more than one thread.
    """

    graph: str
    length: int
    tokens: float
    latency: Summary
    waiting: float | None


@dataclass(frozen=True)
class LeftOut:
    """A graph that was not timed, and why."""

    graph: str
    reason: str


@dataclass(frozen=True)
class Sweep:
    """All graphs with one number of threads."""

    threads: int
    timings: tuple[Timing, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True)
class KernelResult:
    """What a device answers.

    Attributes:
        plan_sha256: of the plan's file.
        seconds: that it all took.
        copy_gb_s: bytes read and written per second (10^9) when copying a buffer, as STREAM counts; best of
            several; None where there is no room for the buffer.
        cold_read_mb_s: MB/s (10^6) of reading a file that is not in the page cache; None where the file system
            answers from memory or does not tell.
    """

    plan_sha256: str
    measured_at: str
    seconds: float
    machine: Machine
    before: Conditions
    after: Conditions
    copy_gb_s: float | None
    cold_read_mb_s: float | None
    sweeps: tuple[Sweep, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain dicts, lists, numbers, strings and None; `from_json` gives an equal result back."""
        return {"schema": SCHEMA, "kind": RESULT, **to_plain(self)}

    @classmethod
    def from_json(cls, data: Any) -> KernelResult:
        """Read what `to_json` wrote.

        Raises:
            UserError: another kind or schema, a missing or unknown key, a value of the wrong type.
        """
        return from_plain(cls, _body(data, RESULT), RESULT)


def read_plan(path: Path) -> tuple[KernelPlan, str]:
    """The plan at `path` and the sha256 of its file.

    Raises:
        UserError: missing, no plan, of another version, or one that names files outside its folder.
    """
    try:
        data = path.read_bytes()
        plan = KernelPlan.from_json(json.loads(data))
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.", "Copy the plan's folder again.") from error
    except ValueError as error:
        raise UserError(f"{path} is not JSON: {error}.", "Copy the plan's folder again.") from error
    for name in (plan.text.tokenizer, *(graph.path for graph in plan.graphs), *(file.path for file in plan.data)):
        if Path(name).name != name:
            raise UserError(f"{path} names {name!r}, which is not beside it.", "Make the plan again.")
    return plan, hashlib.sha256(data).hexdigest()


def _body(data: Any, kind: str) -> dict[str, Any]:
    found = (data.get("kind"), data.get("schema")) if isinstance(data, dict) else (type(data).__name__, None)
    if found != (kind, SCHEMA):
        raise UserError(
            f"This is no {kind} of schema {SCHEMA}: found {found[0]!r} of schema {found[1]!r}.",
            "Use the same version of the toolkit on both sides, and measure again.",
        )
    return {key: value for key, value in data.items() if key not in ("kind", "schema")}
