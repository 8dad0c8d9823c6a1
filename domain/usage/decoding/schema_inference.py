"""Which shape the events of a run share, learned from a sample of each run and remembered between runs.

Making a shape takes as long as reading hundreds of events. So it is made when its names were met twice, only from
names that repeat, and only if most of the sample would fit it: names that are ever new make no shapes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Final

import msgspec

from domain.usage.decoding.inferred_schema import NAMES_MAX, InferredSchema, Names, ObjectNames, SchemaNames, learnable

#: Of so many events of a run one is looked at, within these bounds.
EVENTS_PER_SAMPLE: Final = 40
SAMPLE_EVENTS_MIN: Final = 4
SAMPLE_EVENTS_MAX: Final = 12
#: So many shapes are remembered, and as many names that were met once.
SHAPES_MAX: Final = 16
#: The part of a sample that must fit a shape.
FITTING_MIN: Final = 0.75
_decode: Final = msgspec.json.Decoder(strict=False).decode
_SampleEvent = tuple[Names, Names | None]


class SchemaInference:
    """Shapes of earlier runs, the last used one first."""

    def __init__(self) -> None:
        self._shapes: tuple[InferredSchema, ...] = ()
        self._met: tuple[SchemaNames, ...] = ()

    def shape_for(self, items: Sequence[bytes]) -> InferredSchema | None:
        """A shape that most of these items fit; None where none is known, or not yet."""
        sample = _sample(items)
        if not sample:
            return None
        for shape in self._shapes:
            if all(shape.names.fit(*event) for event in sample):
                return self._used(shape)
        near = max(self._shapes, key=lambda shape: _fitting(shape.names, sample), default=None)
        if near is not None and _fitting(near.names, sample) < FITTING_MIN:
            near = None
        names = _names_of(sample, near)
        if _fitting(names, sample) >= FITTING_MIN and (near is None or names != near.names):
            if names in self._met:
                return self._used(InferredSchema(names))
            self._met = (names, *self._met)[:SHAPES_MAX]
        return near

    def _used(self, shape: InferredSchema) -> InferredSchema:
        if not self._shapes or self._shapes[0] is not shape:
            others = [other for other in self._shapes if other is not shape]
            self._shapes = (shape, *others)[:SHAPES_MAX]
        return shape


def _fitting(names: SchemaNames, sample: Sequence[_SampleEvent]) -> float:
    return sum(names.fit(*event) for event in sample) / len(sample)


def _names_of(sample: Sequence[_SampleEvent], near: InferredSchema | None) -> SchemaNames:
    """The names of the sample, and of a shape that nearly fits it."""
    attributes = [attributes for attributes, _ in sample]
    members = [members for _, members in sample if members is not None]
    if near is None:
        return SchemaNames(_names_of_objects(attributes), _names_of_objects(members))
    known = near.names
    return SchemaNames(_widened(known.attributes, attributes), _widened(known.members, members))


def _names_of_objects(objects: Sequence[Names]) -> ObjectNames:
    known = frozenset(_repeated(objects)[:NAMES_MAX])
    return ObjectNames(known, known.intersection(*objects))


def _widened(near: ObjectNames, objects: Sequence[Names]) -> ObjectNames:
    new = [name for name in _repeated(objects) if name not in near.known]
    return ObjectNames(near.known.union(new[: NAMES_MAX - len(near.known)]), near.always.intersection(*objects))


def _repeated(objects: Sequence[Names]) -> list[str]:
    counts = Counter(chain.from_iterable(objects))
    return sorted(name for name, count in counts.items() if count > 1 and learnable(name))


def _sample(items: Sequence[bytes]) -> list[_SampleEvent]:
    """The names of some events, spread over all at uneven distances so that what alternates is seen."""
    count = min(max(len(items) // EVENTS_PER_SAMPLE, SAMPLE_EVENTS_MIN), SAMPLE_EVENTS_MAX)
    places = {min(len(items) * number // count + number % 3, len(items) - 1) for number in range(count)}
    return list(_names_in(items[place] for place in sorted(places)))


def _names_in(items: Iterable[bytes]) -> Iterable[_SampleEvent]:
    for item in items:
        try:
            event = _decode(item)
        except (ValueError, RecursionError):
            continue
        if type(event) is dict:
            data = event.get("data")
            yield frozenset(event), frozenset(data) if type(data) is dict else None
