"""The rows that a correction run is about, by the keys of what its filter names."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

import msgspec

from domain.correction_runs.event_filter import CorrectedEvents


class RowFilter(msgspec.Struct, frozen=True):
    """Rows of a scope, of these series, customers, sources and so on; None or empty: any (`CorrectedEvents`).

    `counted_up_to`: the last version of the event was opened at this log position or before.
    """

    scope_key: int
    kind_keys: tuple[int, ...] | None
    customer_keys: tuple[int, ...] | None
    sources: tuple[str, ...]
    tags: tuple[str, ...]
    start: datetime | None
    end: datetime | None
    recorded_from: datetime | None
    recorded_to: datetime | None
    counted_up_to: int


def row_filter(
    asked: CorrectedEvents,
    scope_key: int,
    series: Iterable[tuple[int, str, str | None, str | None]],
    customer_key: Callable[[str], int | None],
    counted_up_to: int,
) -> RowFilter:
    """Return the rows of a filter. `series`: key, event type, provider and model of each series."""
    kinds, customers = None, None
    if asked.types or asked.providers or asked.models:
        kinds = tuple(sorted(key for key, kind, provider, model in series if _is_asked(asked, kind, provider, model)))
    if asked.customers:
        found = [customer_key(customer) for customer in asked.customers]
        customers = tuple(sorted(key for key in found if key is not None))
    return RowFilter(
        scope_key,
        kinds,
        customers,
        asked.sources,
        asked.tags,
        asked.start,
        asked.end,
        asked.recorded_from,
        asked.recorded_to,
        counted_up_to,
    )


def _is_asked(asked: CorrectedEvents, event_type: str, provider: str | None, model: str | None) -> bool:
    return (
        (not asked.types or event_type in asked.types)
        and (not asked.providers or (provider or "") in asked.providers)
        and (not asked.models or model in asked.models)
    )
