"""The Arrow schemas of a usage block, which holds one row for every received event, in order of arrival.

The `TYPED` columns hold everything that is counted or priced and are never rewritten; the last ones, `QUANTITIES`, have
values in few rows and are stored apart. The `FREE` columns hold whatever a producer chose to send; erasure may replace
them. A row that intake rejected has `reason` set; its other
typed columns are null, except `source`, `id`, `subject` and `type` if they could be read, `content` (the digest of the
raw bytes) and `group`. Instants are UTC microseconds without a zone in the Arrow type. Money is USD with twelve
decimals.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from domain.units.registry import COMMON_UNITS

BLOCK_EVENTS_MAX: Final = 10_000
COST_SCALE: Final = 12
COST = pa.decimal128(38, COST_SCALE)
NAME = pa.dictionary(pa.int32(), pa.utf8())
INSTANT = pa.timestamp("us")

#: The type of events that are requests to a language model; only these have tokens and prices.
REQUEST_TYPE: Final = "llm.request"
#: The status of a request that failed.
FAILED: Final = "failed"
#: The common units, each of which has a column of its name.
TOKEN_COLUMNS: Final = COMMON_UNITS

#: The typed columns that every block stores.
COMMON: Final = pa.schema(
    [
        pa.field("source", NAME),
        pa.field("id", pa.utf8()),
        pa.field("identity", pa.uint64()),  # keyed hash of (tenant, environment, source, id)
        pa.field("content", pa.uint64()),  # keyed hash of the canonical form of what the producer sent
        pa.field("type", NAME),
        pa.field("subject", NAME),  # the customer
        pa.field("time", INSTANT),
        pa.field("provider", NAME),
        pa.field("model", NAME),
        pa.field("status", NAME),  # succeeded | failed | pending; null unless type is llm.request
        pa.field("input_tokens", pa.int64()),  # 0, never null, in an accepted row
        pa.field("cached_input_tokens", pa.int64()),
        pa.field("cache_write_tokens", pa.int64()),
        pa.field("output_tokens", pa.int64()),
        pa.field("reasoning_tokens", pa.int64()),
        pa.field("cost_usd", COST),  # given by the producer; null when not given
        pa.field("subscription", NAME),
        pa.field("parent_request", pa.utf8()),
        pa.field("hold_id", pa.utf8()),
        pa.field("latency_us", pa.int64()),
        pa.field("ttft_us", pa.int64()),
        pa.field("group", NAME),  # the request it came with, if that matters
        pa.field("atomic", pa.bool_()),  # whether all of `group` is counted or none of it
        pa.field("reason", NAME),  # why intake rejected it; null for accepted
    ]
)
#: Quantities of units without a column of their own; see `domain.units`. Each unit is named once.
UNITS: Final = pa.list_(pa.struct([pa.field("unit", pa.utf8()), pa.field("quantity", COST)]))
#: What few requests say about their usage, and all that block versions 1 and 2 cannot. Null in every other row.
QUANTITIES: Final = pa.schema(
    [
        pa.field("units", UNITS),
        pa.field("requests", pa.int64()),  # how many requests the event stands for; null: one
        pa.field("quantities_unknown", pa.bool_()),  # true: nothing was told of what it used, and the tokens say 0
        pa.field("price_context", NAME),  # JSON object text of the members that choose a price, such as service_tier
    ]
)
TYPED: Final = pa.schema([*COMMON, *QUANTITIES])

FREE: Final = pa.schema(
    [
        pa.field("properties", pa.utf8()),  # JSON object text: members of data without a column; null if none
        pa.field("tags", pa.list_(pa.utf8())),
        pa.field("extensions", pa.utf8()),  # JSON object text: other CloudEvents attributes; null if none
        pa.field("raw", pa.binary()),  # the first 64 KiB of a rejected original
        pa.field("detail", pa.utf8()),  # of a rejected event: which field broke which rule
    ]
)
