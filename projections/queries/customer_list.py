"""Queries for lists of customers by profile and usage, and the totals that a snapshot returns for them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

import msgspec

#: What a list can be filtered and sorted by, besides members of maps. Usage is that of the present life, averages in
#: seconds. `created_position`: the log position of the creation of the present life, else of what first told of the id.
CustomerField = Literal[
    "customer_id",
    "name",
    "email",
    "currency",
    "created_position",
    "first_seen_at",
    "last_seen_at",
    "active_days",
    "requests",
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "reported_cost_usd",
    "average_latency",
    "average_ttft",
]
#: Before the key of a member of the metadata, which conditions can name too.
METADATA_PREFIX: Final = "metadata:"
#: Before a dialect, a slash and a name of what only that dialect knows: "dialect_fields:lago/account_type".
DIALECT_PREFIXES: Final = ("dialect_fields:", "personal_dialect_fields:")

Comparison = Literal[
    "equal",
    "equal_ignoring_case",
    "less",
    "less_or_equal",
    "greater",
    "greater_or_equal",
    "contains",
    "contains_ignoring_case",
    "starts_with",
    "ends_with",
    "is_null",
    "is_empty",
]


class CustomerCondition(msgspec.Struct, frozen=True):
    """A condition on a field, or on a member of a map: that the comparison with one of the values holds.

    `negated`: that none of them does. `is_null` and `is_empty` have no values. What is not set compares with nothing.
    """

    field: str  # a CustomerField, or a prefix and what it names
    comparison: Comparison
    values: tuple[str | Decimal | datetime, ...] = ()
    negated: bool = False


class AnyCondition(msgspec.Struct, frozen=True):
    """A condition on several fields: that one of these holds."""

    conditions: tuple[CustomerCondition, ...]


class CustomerListQuestion(msgspec.Struct, frozen=True):
    """The customers that exist at `now` and fulfil all conditions, in an order; of equal ones by id.

    What is not set comes last, in either direction.
    """

    now: datetime
    conditions: tuple[CustomerCondition | AnyCondition, ...] = ()
    order: CustomerField = "customer_id"
    descending: bool = False


class UsageTotals(msgspec.Struct, frozen=True):
    """The usage of a customer in its present life.

    Requests, tokens and averages are those of llm.request, times and `active_days` (UTC) those of events of any type.
    Requests are those without a parent (`UsageSums`), tokens and averages those of all events.
    `requests_with_cached_input`: requests that read cached input. Averages None: no event tells any.
    """

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    requests_with_cached_input: int = 0
    active_days: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    average_latency_us: float | None = None
    average_ttft_us: float | None = None
