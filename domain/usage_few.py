"""A few received events as columns, each settled the exact way: preparing to judge whole columns would cost more."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from typing import Any, Final

import pyarrow as pa

from domain.canonical_form import identity_hash
from domain.scope import Scope
from domain.usage_columns import FREE, TYPED
from domain.usage_rows import DURATION_MEMBERS, TOKEN_MEMBERS, Row, RowFacts, settled_row
from domain.usage_rules import duration_microseconds

#: Up to so many events the exact way is the faster one.
FEW_EVENTS: Final = 12


def settled_rows(
    items: Sequence[bytes],
    headers: Sequence[str | None],
    arrivals_us: Sequence[int | None],
    facts: RowFacts,
    scope: Scope,
) -> list[Row]:
    """Each item as a row of `TYPED` and `FREE`, but for `group` and `atomic`, which it does not know."""
    sent = zip(items, headers, arrivals_us, strict=True)
    rows = [settled_row(item, header, facts, arrival_us) for item, header, arrival_us in sent]
    for row in rows:
        accepted = row["reason"] is None
        row["identity"] = identity_hash(facts.hash_seed, scope, row["source"], row["id"]) if accepted else None
        row["cost_usd"] = None if row["cost_usd"] is None else Decimal(row["cost_usd"])
        for member, column in zip(DURATION_MEMBERS, ("latency_us", "ttft_us"), strict=True):
            row[column] = duration_microseconds(member, row[member])
        if not accepted:
            row |= dict.fromkeys(TOKEN_MEMBERS)
    return rows


def batches_of(rows: Sequence[Row]) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """Whole rows as one batch by `TYPED` and one by `FREE`."""
    return _batch_of(rows, TYPED), _batch_of(rows, FREE)


def _batch_of(rows: Sequence[Row], schema: pa.Schema) -> pa.RecordBatch:
    columns = [_column([row[field.name] for row in rows], field.type) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _column(values: list[Any], kind: pa.DataType) -> pa.Array:
    return _nulls(len(values), kind) if values.count(None) == len(values) else pa.array(values, kind)


_nulls: Final = cache(pa.nulls)  # called with few counts of few kinds
