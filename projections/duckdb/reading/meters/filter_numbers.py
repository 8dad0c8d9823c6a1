"""The filter that each event belongs to, as a relation that measured rows are joined with.

The different combinations of texts at the keys of the filters are read by one query and matched here, so that no
statement grows with the number of filters.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import duckdb
import msgspec

from domain.charges.filter_matching import FilterMatcher
from domain.errors import InvalidInput
from projections.duckdb.reading.bound_query import BoundQuery
from projections.duckdb.reading.meters.measured_rows import Owner, measured_rows, texts_at, with_relations
from projections.queries.meters import MeterQuestion

#: Different combinations of texts at the keys of filters, in the events of one question.
COMBINATIONS_MAX: Final = 100_000

_texts_of: Final = msgspec.json.Decoder(list[str | None]).decode


def numbers_of(matcher: FilterMatcher, texts: Iterable[str]) -> dict[str, int]:
    """Return the indexes of the filters that combinations of texts, as `texts_at` returns them, belong to, if any."""
    found = {one: matcher.matching(dict(zip(matcher.keys, _texts_of(one), strict=True))) for one in texts}
    return {one: number for one, number in found.items() if number is not None}


class FilterNumbers(msgspec.Struct, frozen=True):
    """The index of a filter by the texts of events, as `texts_at` returns them; those that match none are left out."""

    keys: tuple[str, ...]
    by_texts: dict[str, int]

    def column(self, query: BoundQuery) -> str:
        """Return the column of measured rows by which they are joined."""
        return f"{texts_at(query, self.keys)} AS texts"

    def relation(self, query: BoundQuery) -> str:
        """Return the relation: `texts` and `number`."""
        return f"""SELECT unnest({query.bind([*self.by_texts])}::VARCHAR[]) AS texts,
            unnest({query.bind([*self.by_texts.values()])}::INTEGER[]) AS number"""


def filter_numbers(cursor: duckdb.DuckDBPyConnection, owner: Owner, question: MeterQuestion) -> FilterNumbers:
    """Match the events of a question with its filters. `InvalidInput` when they have too many combinations of texts."""
    matcher = FilterMatcher(question.filters)
    query = BoundQuery()
    rows = measured_rows(query, owner, question, [f"{texts_at(query, matcher.keys)} AS texts"])
    sql = f"{with_relations(rows.relations)} SELECT DISTINCT m.texts FROM {rows.sql} m LIMIT {COMBINATIONS_MAX + 1}"
    found = query.rows(cursor, sql)
    if len(found) > COMBINATIONS_MAX:
        raise InvalidInput("filters", f"must not meet more than {COMBINATIONS_MAX} combinations of values in events")
    return FilterNumbers(matcher.keys, numbers_of(matcher, (texts for (texts,) in found)))
