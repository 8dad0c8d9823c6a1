"""Writes to a fold store as the conformance suite makes them, and their neutral form in `Contents`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

import pyarrow as pa

from domain.scope import DEFAULT_SCOPE, Scope
from domain.usage.block_schema import TOKEN_COLUMNS
from domain.usage.locators import locator_of
from projections.folding.fold_state import NewKeys, SeriesKey
from projections.folding.fold_store import FoldStore
from projections.folding.staged_tables import LOG_RECORDS, OUTCOME_ROWS, PRICED_ROWS, USAGE_ROWS
from projections.quantity_columns import QUANTITY_COLUMNS
from tests.fakes.in_memory_amendments import Row

START: Final = datetime(2026, 3, 1, tzinfo=UTC)
#: Surrogate keys, and what they stand for.
SCOPES: Final = {1: DEFAULT_SCOPE, 2: Scope("other", "test")}
SERIES: Final[dict[int, SeriesKey]] = {1: ("llm.request", "nowhere", "m-1"), 2: ("disk.sampled", None, None)}
CUSTOMERS: Final = {1: (1, "acme"), 2: (1, "c/ç"), 3: (2, "acme")}
KEYS: Final = NewKeys(
    list(SCOPES.items()),
    [(key, *series) for key, series in SERIES.items()],
    [(key, scope_key, name, 1) for key, (scope_key, name) in CUSTOMERS.items()],
)


def running_hash(position: int) -> bytes:
    return position.to_bytes(32, "big")


def recorded_at(position: int) -> datetime:
    return START + timedelta(minutes=position)


@contextmanager
def step(store: FoldStore, position: int) -> Iterator[None]:
    """A transaction that folds the log record at `position`; the first step adds `KEYS`."""
    store.begin()
    yield
    store.add_log_records(pa.Table.from_pylist([log_record(position)], LOG_RECORDS))
    store.add_keys(KEYS if position == 1 else NewKeys())
    store.advance(position, running_hash(position), recorded_at(position))
    store.commit()


def log_record(position: int) -> Row:
    counts = {"received": 3, "counted": 2, "duplicate": 1, "conflict": 0, "rejected": 0, "withdrawn": 0}
    record = {"position": position, "recorded_at": recorded_at(position), "running_hash": running_hash(position)}
    return record | {"topic": "usage.batch", "scope_key": 1, "stream": "usage/http/a"} | counts


def event(position: int = 1, row: int = 0, **columns: object) -> Row:
    """A row of `USAGE_ROWS`: a request of customer 1 without a cost, as counted at `position`."""
    locator = locator_of(position, row)
    first = {"locator": locator, "id": f"e-{position}-{row}", "counted_at": position, "closed_at": None}
    keys = {"scope_key": 1, "customer_key": 1, "kind_key": 1}
    cost = {"cost_usd": None, "cost_origin": "none", "price_position": None}
    cost |= {"discount_positions": None, "repriced_at": None}
    instants = {"time": START, "recorded_at": recorded_at(position)}
    sent = {"source": "gateway", "status": "succeeded", "content": 2**64 - 1, "tags": ["a", "b"], "properties": "{}"}
    rest = dict.fromkeys(("subscription", "parent_request", "hold_id", "latency_us", "ttft_us", "extensions"))
    rest |= {name: None for name, _ in QUANTITY_COLUMNS}
    return first | keys | cost | instants | sent | rest | dict.fromkeys(TOKEN_COLUMNS, 10) | columns


def unknown_cost(position: int = 1, row: int = 0, **columns: object) -> Row:
    return event(position, row, cost_origin="unknown", **columns)


def units(**quantities: str) -> Row:
    """The columns of these units."""
    amounts = [Decimal(quantity).quantize(Decimal("1e-12")) for quantity in quantities.values()]
    return {"unit_names": list(quantities), "unit_quantities": amounts}


def add(store: FoldStore, *events: Row) -> None:
    store.add_rows(pa.Table.from_pylist(list(events), USAGE_ROWS))


def outcome(position: int, row: int, **columns: object) -> Row:
    """A row of `OUTCOME_ROWS`: what intake rejected."""
    unread = dict.fromkeys(("source", "id", "customer_id", "type", "first_locator"))
    why = {"outcome": "rejected", "reason": "not_json", "detail": "no JSON", "content": 5, "raw": b"\x00{"}
    where = {"locator": locator_of(position, row), "scope_key": 1, "stream": "usage/http/a"}
    return where | unread | why | {"recorded_at": recorded_at(position), "decided_at": position} | columns


def add_outcomes(store: FoldStore, *outcomes: Row) -> None:
    store.add_outcomes(pa.Table.from_pylist(list(outcomes), OUTCOME_ROWS))


def price(store: FoldStore, position: int, *costs: tuple[Row, str]) -> None:
    """Give these events these costs, of the price at `position`."""
    rows = [
        {name: row[name] for name in ("locator", "customer_key")}
        | {"cost_usd": Decimal(cost).quantize(Decimal("1e-12")), "price_position": position}
        | {"discount_positions": None, "repriced_at": None}
        for row, cost in costs
    ]
    store.price_rows(pa.Table.from_pylist(rows, PRICED_ROWS), position)


def scope_of(key: int) -> Row:
    return {"tenant": SCOPES[key].tenant, "environment": SCOPES[key].environment}


def shown(row: Row, **columns: object) -> Row:
    """The neutral form of a version of an event, or of an outcome or log record."""
    row = row | columns
    named = scope_of(row["scope_key"])
    if "customer_key" in row:
        named["customer_id"] = CUSTOMERS[row["customer_key"]][1]
        named |= zip(("type", "provider", "model"), SERIES[row["kind_key"]], strict=True)
    return named | {name: value for name, value in row.items() if not name.endswith("_key")}


def shown_price(row: Row, position: int, cost: str, **columns: object) -> Row:
    """The version of an event that a price opened."""
    amount = Decimal(cost).quantize(Decimal("1e-12"))
    priced = {"cost_usd": amount, "cost_origin": "price", "price_position": position}
    return shown(row, **{"counted_at": position, **priced, **columns})


def unit_days_of(row: Row, **quantities: str) -> list[Row]:
    """The sums of these units on the UTC day of an event, of its customer and series; by unit."""
    names = ("tenant", "environment", "customer_id", "type", "provider", "model")
    key = {name: value for name, value in shown(row).items() if name in names} | {"day": row["time"].date()}
    return [
        key | {"unit": unit, "quantity": Decimal(quantity).quantize(Decimal("1e-12"))}
        for unit, quantity in sorted(quantities.items())
    ]


def day_of(*events: Row, unknown: int = 0, cost: str = "0") -> Row:
    """The sums of the UTC day of these events of one customer and series."""
    keys = ("tenant", "environment", "customer_id", "type", "provider", "model")
    row = shown(events[0])
    sums = {name: sum(event[name] for event in events) for name in TOKEN_COLUMNS}
    counts = {"events": len(events), "cost_usd": Decimal(cost), "cost_unknown_events": unknown}
    counts["root_requests"] = sum(event["parent_request"] is None for event in events)
    return {name: row[name] for name in keys} | {"day": row["time"].date()} | counts | sums
