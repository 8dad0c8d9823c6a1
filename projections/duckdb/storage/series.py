"""Kinds (type, provider, model) as the store numbers them, and their grouping without a join.

A statement that joins takes several times as long to plan as one that does not. There are few kinds, so a
question is told as a list: for each kind key the number of its group, or null where the kind is not asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import duckdb
import msgspec

SERIES_DIMENSIONS: Final = ("type", "provider", "model")


class Series(msgspec.Struct, frozen=True):
    key: int
    type: str
    provider: str | None
    model: str | None


def all_series(cursor: duckdb.DuckDBPyConnection) -> tuple[Series, ...]:
    """Every kind of the store."""
    return tuple(Series(*row) for row in cursor.execute("SELECT kind_key, type, provider, model FROM kinds").fetchall())


class SeriesGroups:
    """The groups that kinds fall into by those of `group_by` that are dimensions of a kind."""

    def __init__(
        self,
        kinds: Sequence[Series],
        group_by: Sequence[str],
        event_types: Sequence[str],
        models: Sequence[str] | None,
    ) -> None:
        self.names: Final = tuple(name for name in group_by if name in SERIES_DIMENSIONS)
        self.of_group: Final[list[tuple[str | None, ...]]] = []
        #: For kind key k at index k: the number of its group; None where it is not asked for.
        self.numbers: Final[list[int | None]] = [None] * (1 + max((kind.key for kind in kinds), default=0))
        found: dict[tuple[str | None, ...], int] = {}
        for kind in kinds:
            if kind.type not in event_types or (models is not None and kind.model not in models):
                continue
            group = tuple(getattr(kind, name) for name in self.names)
            if group not in found:
                found[group] = len(self.of_group)
                self.of_group.append(group)
            self.numbers[kind.key] = found[group]
