"""Schemas of the Arrow tables that the fold and its store exchange, the only place that says what is in them.

Instants are UTC microseconds without a zone in the Arrow type. Costs are USD with twelve decimals, before markup. The
keys of scopes, customers and series are those of `FoldState`. A locator names one received event: see
`domain.usage.locators`. A column may be null where its comment says so, and nowhere else.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from domain.usage.block_schema import COST, INSTANT, NAME, TOKEN_COLUMNS
from domain.usage.outcomes import OUTCOMES
from projections.pricing.price_book import POSITIONS
from projections.quantity_columns import QUANTITY_COLUMNS

_TOKENS: Final = [(name, pa.int64()) for name in TOKEN_COLUMNS]
#: `FoldStore.add_log_records`: one row for each folded record of the log, ascending by position.
LOG_RECORDS: Final = pa.schema(
    [
        ("position", pa.int64()),
        ("recorded_at", INSTANT),  # the greatest recorded time of all records up to this one
        ("running_hash", pa.binary()),  # the hash chain after this record
        ("topic", pa.utf8()),
        ("scope_key", pa.int32()),  # may be null: the record belongs to no tenant
        ("stream", pa.utf8()),
        ("received", pa.int32()),  # events of a usage batch, and below by their outcome; all 0 for other records
        *((name, pa.int32()) for name in OUTCOMES),
    ]
)

#: `FoldStore.add_rows`: one row for each counted event, its first version, ascending by locator.
USAGE_ROWS: Final = pa.schema(
    [
        ("scope_key", pa.int32()),
        ("customer_key", pa.int64()),
        ("locator", pa.int64()),
        ("kind_key", pa.int32()),  # the key of the series: event type, provider and model
        ("cost_usd", COST),  # may be null: the event has no cost, or it is unknown
        ("cost_origin", pa.dictionary(pa.int8(), pa.utf8())),  # producer | price | unknown | none
        ("price_position", pa.int64()),  # log position of the price that gave the cost; may be null: none did
        ("discount_positions", POSITIONS),  # those of the discounts on that price; may be null: none was applied
        ("repriced_at", pa.int64()),  # log position of the re-pricing that gave the cost; may be null: none did
        ("counted_at", pa.int64()),  # log position from which this version is in effect
        ("closed_at", pa.int64()),  # log position from which it is not; may be null: it is the current version
        ("recorded_at", INSTANT),
        ("time", INSTANT),
        ("status", NAME),  # may be null
        *_TOKENS,
        ("source", NAME),
        ("id", pa.utf8()),
        ("content", pa.uint64()),  # hash of what the producer sent
        ("subscription", NAME),  # may be null, like everything below
        ("parent_request", pa.utf8()),
        ("hold_id", pa.utf8()),
        ("latency_us", pa.int64()),
        ("ttft_us", pa.int64()),
        ("tags", pa.list_(pa.utf8())),
        ("properties", pa.utf8()),  # JSON object text
        ("extensions", pa.utf8()),  # JSON object text
        *QUANTITY_COLUMNS,
    ]
)

#: `FoldStore.add_outcomes`: one row for each received event that was not counted, ascending by locator.
OUTCOME_ROWS: Final = pa.schema(
    [
        ("locator", pa.int64()),
        ("scope_key", pa.int32()),
        ("source", NAME),  # may be null, like the next three: intake could not read it
        ("id", pa.utf8()),
        ("customer_id", NAME),
        ("type", NAME),
        ("outcome", pa.utf8()),  # duplicate | conflict | rejected | withdrawn
        ("reason", pa.utf8()),  # why it was rejected; null for the other outcomes
        ("detail", pa.utf8()),  # which field broke which rule; may be null
        ("first_locator", pa.int64()),  # the counted event of the same identity; may be null: there is none
        ("content", pa.uint64()),
        ("recorded_at", INSTANT),
        ("stream", pa.dictionary(pa.int32(), pa.utf8())),
        ("raw", pa.binary()),  # what was sent, of an event that intake rejected; may be null
        ("decided_at", pa.int64()),  # log position from which the event has this outcome
    ]
)

#: `FoldStore.unknown_cost_rows`: current versions whose cost is unknown, ascending by locator.
UNKNOWN_COST_ROWS: Final = pa.schema(
    [
        ("locator", pa.int64()),
        ("customer_key", pa.int64()),
        ("kind_key", pa.int32()),
        ("time", INSTANT),
        *_TOKENS,
        *QUANTITY_COLUMNS,
    ]
)

#: `FoldStore.price_rows`: the costs that a price gives to rows. The last three columns are those of `USAGE_ROWS`.
PRICED_ROWS: Final = pa.schema(
    [
        ("locator", pa.int64()),
        ("customer_key", pa.int64()),
        ("cost_usd", COST),
        ("price_position", pa.int64()),
        ("discount_positions", POSITIONS),  # may be null, like the next one
        ("repriced_at", pa.int64()),
    ]
)

#: `FoldStore.rows_to_reprice`: current versions in the range of a re-pricing, ascending by customer, then locator.
REPRICING_ROWS: Final = pa.schema(
    [
        ("locator", pa.int64()),
        ("customer_key", pa.int64()),
        ("kind_key", pa.int32()),
        ("time", INSTANT),
        ("cost_usd", COST),
        *_TOKENS,
        *QUANTITY_COLUMNS,
    ]
)

#: `FoldStore.before_set`: members of events as they were: of each the series, customer and tags that tell it.
MEMBERS_BEFORE: Final = pa.schema(
    [
        ("locator", pa.int64()),
        ("member", pa.utf8()),
        ("kind_key", pa.int32()),
        ("customer_key", pa.int64()),
        ("tags", pa.list_(pa.utf8())),  # may be null
    ]
)

#: `FoldStore.costs_before`: columns of `USAGE_ROWS`, null where they may be there.
COSTS_BEFORE: Final = pa.schema(
    [
        ("locator", pa.int64()),
        ("cost_usd", COST),
        ("cost_origin", pa.utf8()),
        ("price_position", pa.int64()),
        ("discount_positions", POSITIONS),
        ("repriced_at", pa.int64()),
    ]
)
