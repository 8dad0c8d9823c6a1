"""The rows of usage that a question about a meter concerns, with the columns that are asked for."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from domain.values.instants import naive
from projections.duckdb.reading.bound_query import BoundQuery
from projections.duckdb.reading.dimensions import Dimension, member_text, row_source, version_holds
from projections.duckdb.reading.segments import cut_segments, match_rows
from projections.queries.meters import MeterQuestion, SubscriptionRows


class Owner(msgspec.Struct, frozen=True):
    """Whose rows are read. `customer_key` None: those of all customers of the scope."""

    scope_key: int
    customer_key: int | None


class MeasuredRows(msgspec.Struct, frozen=True):
    """A subquery, and the named subqueries that it refers to."""

    relations: dict[str, str]
    sql: str


def measured_rows(
    query: BoundQuery, owner: Owner, question: MeterQuestion, columns: Sequence[str], dims: Sequence[Dimension] = ()
) -> MeasuredRows:
    """Return the rows with `segment` and these columns, which read a usage row `r` and its series `k`.

    One for each tag if a dimension is that of tags.
    """
    segments = cut_segments(question.segments, by_days=False)
    match = match_rows(query, segments, "r.time")
    conditions = [
        f"scope_key = {query.bind(owner.scope_key)}",
        f"time >= {query.bind(segments[0].start)} AND time < {query.bind(segments[-1].end)}",
        version_holds(query, question.as_of),
        *([] if owner.customer_key is None else [f"customer_key = {query.bind(owner.customer_key)}"]),
        *([] if question.counted_after is None else [f"counted_at > {query.bind(question.counted_after)}"]),
        *([] if question.subscription is None else [_of_subscription(query, question.subscription)]),
    ]
    sql = f"""(SELECT {", ".join([f"{match.number} AS segment", *columns])}
        FROM {row_source(" AND ".join(conditions), dims)} r
        JOIN kinds k ON k.kind_key = r.kind_key AND k.type = {query.bind(question.event_type)}
        {match.join} WHERE {match.in_segment})"""
    return MeasuredRows(dict(match.relations), sql)


def with_relations(relations: dict[str, str]) -> str:
    """Return the beginning of a statement that names these subqueries."""
    named = ", ".join(f"{name} AS MATERIALIZED ({relation})" for name, relation in relations.items())
    return f"WITH {named}" if named else ""


def texts_at(query: BoundQuery, paths: Sequence[str]) -> str:
    """Return the texts of data members as one JSON array; null for those that an event does not have."""
    texts = ", ".join(member_text(query, path) for path in paths)
    return f"to_json([{texts}]::VARCHAR[])::VARCHAR"


def _of_subscription(query: BoundQuery, rows: SubscriptionRows) -> str:
    """The condition on rows, which stands where their columns have no alias."""
    alone = [f"time >= {query.bind(naive(one.start))} AND time < {query.bind(naive(one.end))}" for one in rows.alone]
    unnamed = f"subscription IS NULL AND ({' OR '.join(alone) or 'false'})"
    return f"(subscription = {query.bind(rows.subscription_id)} OR ({unnamed}))"
