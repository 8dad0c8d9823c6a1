"""Inference of the schema that most events of a chunk share, from a sample of it, with a memory of earlier schemas.

Making a schema takes as long as reading hundreds of events. It is made when its names are seen for the second time,
only from names that repeat, and only if most of the sample would match it: names that are always new make no schema.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Final

import msgspec

from domain.usage.decoding.inferred_schema import (
    NAMES_MAX,
    InferredSchema,
    Names,
    ObjectNames,
    SchemaNames,
    is_learnable,
)

#: One of this many events is sampled, within the bounds below.
EVENTS_PER_SAMPLE: Final = 40
SAMPLE_EVENTS_MIN: Final = 4
SAMPLE_EVENTS_MAX: Final = 12
#: The most schemas that are remembered, and as many sets of names that were seen once.
SCHEMAS_MAX: Final = 16
#: The share of a sample that must match a schema.
MATCHING_SHARE_MIN: Final = 0.75
_decode: Final = msgspec.json.Decoder(strict=False).decode
_SampleEvent = tuple[Names, Names | None]


class SchemaInference:
    """The schemas of earlier chunks, the last used one first."""

    def __init__(self) -> None:
        self._schemas: tuple[InferredSchema, ...] = ()
        self._seen_once: tuple[SchemaNames, ...] = ()

    def schema_for(self, items: Sequence[bytes]) -> InferredSchema | None:
        """Return a schema that most of these items match; None if there is none, or none yet."""
        sample = _sample(items)
        if not sample:
            return None
        for schema in self._schemas:
            if all(schema.names.matches(*event) for event in sample):
                return self._touch(schema)
        nearest = max(self._schemas, key=lambda schema: _matching_share(schema.names, sample), default=None)
        if nearest is not None and _matching_share(nearest.names, sample) < MATCHING_SHARE_MIN:
            nearest = None
        names = _names_of(sample, nearest)
        if _matching_share(names, sample) >= MATCHING_SHARE_MIN and (nearest is None or names != nearest.names):
            if names in self._seen_once:
                return self._touch(InferredSchema(names))
            self._seen_once = (names, *self._seen_once)[:SCHEMAS_MAX]
        return nearest

    def _touch(self, schema: InferredSchema) -> InferredSchema:
        if not self._schemas or self._schemas[0] is not schema:
            others = [other for other in self._schemas if other is not schema]
            self._schemas = (schema, *others)[:SCHEMAS_MAX]
        return schema


def _matching_share(names: SchemaNames, sample: Sequence[_SampleEvent]) -> float:
    return sum(names.matches(*event) for event in sample) / len(sample)


def _names_of(sample: Sequence[_SampleEvent], nearest: InferredSchema | None) -> SchemaNames:
    """The names of the sample, together with those of the nearest schema if there is one."""
    attributes = [attributes for attributes, _ in sample]
    members = [members for _, members in sample if members is not None]
    if nearest is None:
        return SchemaNames(_names_of_objects(attributes), _names_of_objects(members))
    known = nearest.names
    return SchemaNames(_widen(known.attributes, attributes), _widen(known.members, members))


def _names_of_objects(objects: Sequence[Names]) -> ObjectNames:
    known = frozenset(_repeated(objects)[:NAMES_MAX])
    return ObjectNames(known, known.intersection(*objects))


def _widen(nearest: ObjectNames, objects: Sequence[Names]) -> ObjectNames:
    new = [name for name in _repeated(objects) if name not in nearest.known]
    return ObjectNames(
        nearest.known.union(new[: NAMES_MAX - len(nearest.known)]), nearest.required.intersection(*objects)
    )


def _repeated(objects: Sequence[Names]) -> list[str]:
    counts = Counter(chain.from_iterable(objects))
    return sorted(name for name, count in counts.items() if count > 1 and is_learnable(name))


def _sample(items: Sequence[bytes]) -> list[_SampleEvent]:
    """The names of some events, at uneven distances so that a sample of alternating events has both kinds."""
    count = min(max(len(items) // EVENTS_PER_SAMPLE, SAMPLE_EVENTS_MIN), SAMPLE_EVENTS_MAX)
    rows = {min(len(items) * number // count + number % 3, len(items) - 1) for number in range(count)}
    return list(_names_in(items[row] for row in sorted(rows)))


def _names_in(items: Iterable[bytes]) -> Iterable[_SampleEvent]:
    for item in items:
        try:
            event = _decode(item)
        except (ValueError, RecursionError):
            continue
        if type(event) is dict:
            data = event.get("data")
            yield frozenset(event), frozenset(data) if type(data) is dict else None
