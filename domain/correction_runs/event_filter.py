"""The filter of a correction run: which events it corrects, and the rules for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import msgspec

from domain.errors import InvalidInput
from domain.values.field_rules import model_name
from domain.values.identifiers import checked_id
from domain.values.periods import ANCHOR_LIMIT, ANCHOR_MIN

CUSTOMERS_MAX: Final = 1_000
#: Of sources, models, providers, types and tags each.
NAMES_MAX: Final = 100
_TAG_LENGTH_MAX: Final = 256


class CorrectedEvents(msgspec.Struct, frozen=True):
    """Counted events of any type. Each condition narrows the filter; an empty one does not.

    Of each list one is enough. `providers`: as events name them, "" for events that name none. `start` and `end`: of
    event time, half-open; `recorded_from` and `recorded_to`: of the time at which the event was recorded.
    """

    customers: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    start: datetime | None = None
    end: datetime | None = None
    recorded_from: datetime | None = None
    recorded_to: datetime | None = None


def checked_filter(asked: CorrectedEvents) -> CorrectedEvents:
    """Return the filter without repetitions, in order; `InvalidInput`, with names as on the wire, for a broken rule.

    A filter without any condition is refused: a slip must not void everything.
    """
    if asked == CorrectedEvents():
        raise InvalidInput("customers", "must not be empty where no other condition is given")
    _check_span("from", asked.start, "to", asked.end)
    _check_span("recorded_from", asked.recorded_from, "recorded_to", asked.recorded_to)
    return msgspec.structs.replace(
        asked,
        customers=_checked("customers", asked.customers, CUSTOMERS_MAX, checked_id),
        sources=_checked("sources", asked.sources, NAMES_MAX, checked_id),
        models=_checked("models", asked.models, NAMES_MAX, model_name),
        providers=_checked("providers", asked.providers, NAMES_MAX, _provider),
        types=_checked("types", asked.types, NAMES_MAX, checked_id),
        tags=_checked("tags", asked.tags, NAMES_MAX, tag),
    )


def _check_span(first: str, start: datetime | None, last: str, end: datetime | None) -> None:
    for field, moment in ((first, start), (last, end)):
        if moment is not None and (moment.tzinfo is None or not ANCHOR_MIN <= moment < ANCHOR_LIMIT):
            raise InvalidInput(field, "must be an instant with an offset, between 1970 and 2200")
    if start is not None and end is not None and start >= end:
        raise InvalidInput(last, f"must be after {first}")


def _provider(field: str, value: str) -> str:
    return value and model_name(field, value)


def tag(field: str, value: Any) -> str:
    """One tag, as events may have it."""
    if not isinstance(value, str) or len(value) > _TAG_LENGTH_MAX or "\x00" in value or _has_surrogate(value):
        raise InvalidInput(field, f"must be text of at most {_TAG_LENGTH_MAX} characters without NUL")
    return value


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _checked(field: str, names: tuple[str, ...], names_max: int, checked: Callable[[str, str], str]) -> tuple[str, ...]:
    if len(names) > names_max:
        raise InvalidInput(field, f"must be at most {names_max}")
    return tuple(sorted({checked(f"{field}.{index}", name) for index, name in enumerate(names)}))
