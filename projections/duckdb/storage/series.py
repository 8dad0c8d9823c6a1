"""Usage series (type, provider, model) with their surrogate keys, and their grouping without a join.

DuckDB takes several times as long to plan a statement with a join. There are few series, so a question passes a list
instead: for each series key (`kind_key`) the number of its group, or null where the question leaves the series out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import duckdb
import msgspec

SERIES_DIMENSIONS: Final = ("type", "provider", "model")


class Series(msgspec.Struct, frozen=True):
    """A distinct combination of event type, provider and model; `key` is the stored `kind_key`."""

    key: int
    type: str
    provider: str | None
    model: str | None


def all_series(cursor: duckdb.DuckDBPyConnection) -> tuple[Series, ...]:
    """Return every series of the store."""
    return tuple(Series(*row) for row in cursor.execute("SELECT kind_key, type, provider, model FROM kinds").fetchall())


class SeriesGroups:
    """Groups of series by those names of `group_by` that are dimensions of a series.

    `of_group[n]` holds the values of group n.
    """

    def __init__(
        self,
        series: Sequence[Series],
        group_by: Sequence[str],
        event_types: Sequence[str],
        models: Sequence[str] | None,
    ) -> None:
        self.names: Final = tuple(name for name in group_by if name in SERIES_DIMENSIONS)
        self.of_group: Final[list[tuple[str | None, ...]]] = []
        #: At index k the group number of the series with key k; None where the question leaves it out.
        self.numbers: Final[list[int | None]] = [None] * (1 + max((one.key for one in series), default=0))
        found: dict[tuple[str | None, ...], int] = {}
        for one in series:
            if one.type not in event_types or (models is not None and one.model not in models):
                continue
            group = tuple(getattr(one, name) for name in self.names)
            if group not in found:
                found[group] = len(self.of_group)
                self.of_group.append(group)
            self.numbers[one.key] = found[group]
