"""Tags to entities, as seqeval's default counts them, so that users see the entities that were scored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Entity(NamedTuple):
    """An entity over words `start_word` to `end_word` (exclusive).

    score: mean over its words of the probability of the predicted tag, 0 to 1.
    """

    type: str
    start_word: int
    end_word: int
    score: float


def group(tags: Sequence[str], scores: Sequence[float] | None = None) -> list[Entity]:
    """Entities in `tags` (O, B-TYPE, I-TYPE; E- and S- too), in order.

    The rule is `seqeval.metrics.sequence_labeling.get_entities`: B- opens an entity, and so does an I- after
    O or after another type. Without `scores` (one per tag) every entity's score is 1.0.
    """
    entities: list[Entity] = []
    begin = 0
    last_prefix, last_type = "O", ""
    for position, tag in enumerate([*tags, "O"]):
        prefix, kind = tag[:1], tag[1:].split("-", 1)[-1] or "_"
        changed = kind != last_type
        if last_prefix in "ES" or (last_prefix != "O" and (prefix in "BSO" or changed)):
            score = 1.0 if scores is None else sum(scores[begin:position]) / (position - begin)
            entities.append(Entity(last_type, begin, position, float(score)))
        if prefix in "BS" or (prefix != "O" and (last_prefix in "ESO" or changed)):
            begin = position
        last_prefix, last_type = prefix, kind
    return entities
