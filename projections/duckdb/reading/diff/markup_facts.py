"""Pages of the facts between two log positions that may have changed the markup of a customer."""

from __future__ import annotations

import duckdb

from domain.customers.events import CUSTOMER_DELETED
from projections.duckdb.reading.bound_query import BoundQuery
from projections.duckdb.reading.facts import facts_of_customers
from projections.queries.diff import NO_LOCATOR, ChangeCursor, MarkupFact


def markup_facts(
    cursor: duckdb.DuckDBPyConnection,
    scope_key: int,
    customer_key: int | None,
    since: int,
    after: ChangeCursor | None,
    limit: int,
) -> list[MarkupFact]:
    """Return a page of facts after a position, of one customer or all, by position, then customer id."""
    query = BoundQuery()
    conditions = [
        "f.subject = 'customer'",
        f"f.scope_key = {query.bind(scope_key)}",
        f"f.position > {query.bind(since)}",
        f"""(f.kind = {query.bind(CUSTOMER_DELETED)} OR contains(f.fields, '"markup_percentage"'))""",
    ]
    if customer_key is not None:
        conditions.append(f"f.customer_key = {query.bind(customer_key)}")
    if after is not None:
        of_fact = f"(f.position, {NO_LOCATOR}::BIGINT, c.customer_id)"
        conditions.append(f"{of_fact} > ({', '.join(query.bind(value) for value in after.values())})")
    rows = query.rows(
        cursor,
        f"""SELECT f.position, c.customer_id, f.customer_key FROM facts f
        JOIN customers c ON c.customer_key = f.customer_key WHERE {" AND ".join(conditions)}
        GROUP BY ALL ORDER BY f.position, c.customer_id LIMIT {query.bind(limit)}""",
    )
    facts = {key: tuple(of) for key, of in facts_of_customers(cursor, sorted({row[2] for row in rows})).items()}
    return [
        MarkupFact(name, [fact for fact in facts[key] if fact.position == position][-1], facts[key])
        for position, name, key in rows
    ]
