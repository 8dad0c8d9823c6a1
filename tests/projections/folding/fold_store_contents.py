"""The committed contents of a fold store in neutral form: the same for every store with the same contents.

Contents are tables of rows, each row a dict by column. Surrogate keys are replaced by what they stand for, and instants
are aware. Rows are sorted, since a store has no order. The day sums of the model are added up from its rows, those of
DuckDB from its day deltas.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from decimal import Context, Decimal
from typing import Any, Final

import duckdb
import msgspec

from domain.backfills.backfill_range import BackfillRange
from domain.correction_runs.event_filter import CorrectedEvents
from domain.correction_runs.set_members import SetMembers
from domain.prices.price_list import PriceList
from domain.repricings.repricing_range import RepricingRange
from domain.usage.block_schema import TOKEN_COLUMNS
from projections.duckdb.storage.permissions import permissions_of
from projections.duckdb.verification.comparison import LOGICAL_VIEWS, logical_view
from projections.folding.lifecycle_writes import NewAmendment, NewFact
from tests.fakes.in_memory_amendments import Row
from tests.fakes.in_memory_fold_store import StoredTables

Contents = dict[str, list[Row]]

_NO_COST: Final = Decimal("0.000000000000")
#: Enough digits to add costs without rounding.
_EXACT: Final = Context(prec=60)
#: How DuckDB stores what has no column type of its own.
_DECODERS: Final[dict[str, Callable[[Any], Any]]] = {
    "fields": json.loads,
    "prices": lambda text: msgspec.json.decode(text, type=PriceList),
    "scopes": permissions_of,
    "filter": lambda text: text and msgspec.json.decode(text, type=CorrectedEvents),
    "members": lambda text: text and msgspec.json.decode(text, type=SetMembers),
}
#: The class of what views hold as JSON text in a column `range`.
_RANGES: Final[dict[str, type[Any]]] = {"repricings": RepricingRange, "backfills": BackfillRange}
#: What the days keep for the time range of usage; no sum needs it.
_LEFT_OUT: Final = ("first_time", "last_time", "taken_events")


def contents_in_duckdb(cursor: duckdb.DuckDBPyConnection) -> Contents:
    """The contents of a DuckDB store, as a connection sees them that is not in a transaction of the fold."""
    [[catalog]] = cursor.execute("SELECT current_database()").fetchall()
    contents = {}
    for view in LOGICAL_VIEWS:
        answer = cursor.execute(logical_view(cursor, view, catalog))
        names = [column[0] for column in answer.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in answer.fetchall()]
        contents[view] = _sorted({name: _decoded(view, name, value) for name, value in row.items()} for row in rows)
    return contents


def _decoded(view: str, name: str, value: Any) -> Any:
    if name == "range":
        return value and msgspec.json.decode(value, type=_RANGES[view])
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC)
    return _DECODERS[name](value) if name in _DECODERS else value


def contents_in_memory(stored: StoredTables) -> Contents:
    """The contents of an in-memory store."""
    series = {key: dict(zip(("type", "provider", "model"), names, strict=True)) for key, names in stored.series.items()}

    def scope(key: int | None) -> Row:
        found = None if key is None else stored.scopes[key]
        return {"tenant": found and found.tenant, "environment": found and found.environment}

    def customer(key: int) -> Row:
        scope_key, name, _ = stored.customers[key]
        return scope(scope_key) | {"customer_id": name}

    def fact(new: NewFact) -> Row:
        key = new.owner.customer_key
        owner = scope(new.owner.scope_key) | {"subject": new.owner.subject, "id": new.owner.id}
        owner |= {"customer_id": None if key is None else stored.customers[key][1]}
        return owner | _without(msgspec.structs.asdict(new), "owner") | {"patched": list(new.patched)}

    def scoped(row: Row) -> Row:
        return scope(row["scope_key"]) | _without(row, "scope_key")

    def amendment(new: NewAmendment) -> Row:
        row = scoped(msgspec.structs.asdict(new))
        names = {name: stored.customers[row[name]][1] for name in ("customer_key", "customer_key_before")}
        named = {"customer_id": names["customer_key"], "customer_id_before": names["customer_key_before"]}
        return _without(row, *names) | named

    def usage(row: Row) -> Row:
        keys = ("scope_key", "customer_key", "kind_key")
        return customer(row["customer_key"]) | series[row["kind_key"]] | _without(row, *keys)

    progress = {name: getattr(stored, name) for name in ("log_id", "position", "recorded_at", "running_hash")}
    customers = [customer(key) | {"first_position": first} for key, (_, _, first) in stored.customers.items()]
    versions = [usage(row) for versions in stored.versions.values() for row in versions]
    api_keys = [
        _without(scoped(_renamed(key, position="issued_position")), "environments")
        | {"scopes": (key.scopes, key.environments), "revoked_at": stored.revoked.get(key.key_id)}
        for key in stored.api_keys.values()
    ]
    contents = {
        "progress": [{"name": "progress"} | progress],
        "log records": [scoped(row) for row in stored.log_records.values()],
        "customers": customers,
        "facts": [fact(new) for new in stored.facts],
        "api keys": api_keys,
        "prices": [scoped(msgspec.structs.asdict(price)) for price in stored.prices],
        "discounts": [scoped(msgspec.structs.asdict(discount)) for discount in stored.discounts],
        "corrections": [scoped(msgspec.structs.asdict(correction)) for correction in stored.corrections],
        "correction runs": [
            scoped(msgspec.structs.asdict(run)) | {"difference_usd": _added([run.difference_usd])}
            for run in stored.correction_runs
        ],
        "replacements": [scoped(msgspec.structs.asdict(one)) for one in stored.replacements],
        "corrected events": [{"position": at, "locator": locator} for at, locator in stored.corrected_events],
        "repricings": [scoped(msgspec.structs.asdict(run)) for run in stored.repricings],
        "amendments": [amendment(new) for new in stored.amendments],
        "sources": [_renamed(progress, partition="partition_number") for progress in stored.sources.values()],
        "outcomes": [scoped(row) for row in stored.outcomes],
        "backfills": [scoped(msgspec.structs.asdict(backfill)) for backfill in stored.backfills],
        "staged blocks": [scoped(msgspec.structs.asdict(block)) for block in stored.staged_blocks],
        "usage rows": versions,
        "usage days": _days(row for row in versions if row["closed_at"] is None),
        "unit days": _unit_days(row for row in versions if row["closed_at"] is None),
    }
    return {view: _sorted(rows) for view, rows in contents.items()}


def _days(current: Iterable[Row]) -> list[Row]:
    """The sums of current versions by customer, UTC day and series."""
    groups: defaultdict[tuple[Any, ...], list[Row]] = defaultdict(list)
    names = ("tenant", "environment", "customer_id", "day", "type", "provider", "model")
    for row in current:
        day: date = row["time"].date()
        groups[tuple((row | {"day": day})[name] for name in names)].append(row)
    return [
        dict(zip(names, key, strict=True))
        | {"events": len(rows), "cost_usd": _added(row["cost_usd"] for row in rows)}
        | {"cost_unknown_events": sum(row["cost_origin"] == "unknown" for row in rows)}
        | {"root_requests": sum(row["parent_request"] is None for row in rows)}
        | {name: sum(row[name] for row in rows) for name in TOKEN_COLUMNS}
        for key, rows in groups.items()
    ]


def _unit_days(current: Iterable[Row]) -> list[Row]:
    """The sums of each unit of current versions, those of 0 left out."""
    sums: defaultdict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    names = ("tenant", "environment", "customer_id", "day", "type", "provider", "model")
    for row in current:
        day: date = row["time"].date()
        for unit, quantity in zip(row["unit_names"] or (), row["unit_quantities"] or (), strict=True):
            key = (*((row | {"day": day})[name] for name in names), unit)
            sums[key] = _EXACT.add(sums[key], quantity)
    return [dict(zip((*names, "unit", "quantity"), (*key, total), strict=True)) for key, total in sums.items() if total]


def _added(costs: Iterable[Decimal | None]) -> Decimal:
    total = _NO_COST
    for cost in costs:
        total = _EXACT.add(total, cost or _NO_COST)
    return total


def _renamed(value: msgspec.Struct, **names: str) -> Row:
    return {names.get(name, name): stored for name, stored in msgspec.structs.asdict(value).items()}


def _without(row: Row, *names: str) -> Row:
    return {name: value for name, value in row.items() if name not in names}


def _sorted(rows: Iterable[Row]) -> list[Row]:
    return sorted((_without(row, *_LEFT_OUT) for row in rows), key=_sort_key)


def _sort_key(row: Row) -> str:
    """Equal for equal rows: zeros are written with more or fewer decimals."""
    return repr(sorted((name, one.normalize() if isinstance(one, Decimal) else one) for name, one in row.items()))
