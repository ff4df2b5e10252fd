"""Measures candidates and the PyTorch teacher side by side, on the code that ships in a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from export.runtime.errors import UserError
from export.runtime.measurement import Measurement
from export.runtime.rounds import Progress, Protocol, Subject, measure_subjects

# Which module answers for a backend. The onnx worker imports no more than a bundle's own tagger does.
WORKERS = {
    "onnx": "export.runtime.worker",
    "torch": "toolkit.measure.torch_worker",
    "torchscript": "toolkit.measure.torch_worker",
    "bnb": "toolkit.measure.torch_worker",
}


@dataclass(frozen=True)
class Candidate:
    """One artifact to measure.

    Attributes:
        name: how tables call it; unique among those measured together.
        backend: onnx, torch (a Hugging Face folder, fp32), torchscript, or bnb (saved LLM.int8()).
        folder: holds tokenizer.json and config.json.
        model: the .onnx or .pt file, or the folder with the weights; None means `folder` itself.
        max_length: sub-words that the model takes at once, with <s> and </s>.
        prepacking: onnx only: let onnxruntime lay out weights for speed, at the cost of memory.
    """

    name: str
    backend: str
    folder: Path
    model: Path | None = None
    max_length: int = 512
    prepacking: bool = True

    def subject(self) -> Subject:
        """The candidate as measuring takes it."""
        onnx = self.backend == "onnx"
        return Subject(
            name=self.name,
            backend=self.backend,
            folder=self.folder,
            model=self.model or self.folder,
            worker=WORKERS[self.backend],
            options=(
                ("prepacking", self.prepacking) if onnx else ("backend", self.backend),
                ("max_length", self.max_length),
            ),
        )


def measure_candidates(
    candidates: Sequence[Candidate],
    sentences: Sequence[Sequence[str]],
    threads: int = 1,
    protocol: Protocol | None = None,
    zipped: bool = True,
    progress: Progress | None = None,
) -> dict[str, Measurement]:
    """Measure each candidate in its own process, in turns; the first one is the reference of all ratios.

    Args:
        candidates: the fp32 PyTorch teacher first, then those that may ship.
        sentences: words of each sentence of real text; lengths are counted by the first one's tokenizer.
        threads: of the model.
        protocol: how long and how often; the default takes about 40 s for five small candidates.
        zipped: also deflate each one's files, a second per 30 MB.
        progress: called with (steps done, steps in all, what comes next).

    Returns:
        Name to Measurement, in the order given.

    Raises:
        UserError: an unknown backend, two candidates of one name, no text, or a worker that fails.
    """
    for candidate in candidates:
        if candidate.backend not in WORKERS:
            raise UserError(
                f"{candidate.name}: nothing can measure a '{candidate.backend}' artifact.",
                f"Backends: {', '.join(WORKERS)}.",
            )
    names = [candidate.name for candidate in candidates]
    if len(set(names)) < len(names) or not names:
        raise UserError(f"Candidates need different names, at least one: {names}.", "Rename them.")
    subjects = [candidate.subject() for candidate in candidates]
    return measure_subjects(subjects, sentences, threads, protocol, zipped, progress)

