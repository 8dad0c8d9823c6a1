"""Usage sums and meters: the questions that a snapshot answers, and the values it answers with."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

import msgspec

from domain.values.money import MONEY

WINDOWS_MAX: Final = 100_000


GROUPS_MAX: Final = 100_000


class UsageSums(msgspec.Struct, frozen=True):
    """What adds up. Token and cost sums and `requests` are over events of type llm.request or any other type alike;
    `requests` counts events. `cost_usd` is raw and excludes events of unknown cost, which are counted beside it."""

    requests: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    cost_unknown_events: int = 0

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    def plus(self, other: UsageSums) -> UsageSums:
        return UsageSums(
            self.requests + other.requests,
            self.input_tokens + other.input_tokens,
            self.cached_input_tokens + other.cached_input_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.output_tokens + other.output_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            MONEY.add(self.cost_usd, other.cost_usd),
            self.cost_unknown_events + other.cost_unknown_events,
        )


class Segment(msgspec.Struct, frozen=True):
    """A piece of event time [start, end) that is summed on its own.

    Segments of one query never overlap and come in order.
    """

    start: datetime
    end: datetime


#: What usage can be grouped by beside "customer". "property:<path>" is a dotted path into the event's data.
GROUP_COLUMNS: Final = ("type", "provider", "model", "status", "source", "subscription", "tag")


class UsageQuestion(msgspec.Struct, frozen=True):
    """Sums over segments. `customer_id` None: all customers of the scope. `event_types` None: llm.request only.

    `as_of` None: as known at the snapshot's position, from rollups and edge rows; else as known at that position,
    from rows.
    `split_markup`: also split every customer at the instants its own markup changes, and answer `markup_percentage`
    per sum. `properties`: (dotted path, text); only events whose data hold all of these texts, read from rows.
    """

    segments: tuple[Segment, ...]
    customer_id: str | None = None
    group_by: tuple[str, ...] = ()  # "customer", GROUP_COLUMNS, "property:..."
    event_types: tuple[str, ...] | None = None
    models: tuple[str, ...] | None = None
    as_of: int | None = None
    split_markup: bool = False
    properties: tuple[tuple[str, str], ...] = ()


class UsageSum(msgspec.Struct, frozen=True):
    """One sum: of which segment (index), of which group (values in the order of `group_by`), at which markup."""

    segment: int
    group: tuple[str | None, ...]
    sums: UsageSums
    markup_percentage: Decimal = Decimal(0)


Aggregation = Literal["count", "sum", "max", "min", "latest", "unique_count"]


class MeterQuestion(msgspec.Struct, frozen=True):
    """A custom meter over segments: events of `event_type`, the value at the dotted path `value_property` of their
    data.

    Values are JSON numbers or numeric strings with at most 38 digits; anything else is not a value and is left out.
    `latest` is the value of the greatest (time, content) with a valid value. `unique_count` counts distinct JSON
    values (text form).
    """

    segments: tuple[Segment, ...]
    event_type: str
    aggregation: Aggregation
    value_property: str | None
    customer_id: str | None = None
    group_by: tuple[str, ...] = ()
    as_of: int | None = None


class MeterValue(msgspec.Struct, frozen=True):
    segment: int
    group: tuple[str | None, ...]
    value: Decimal | None  # None: no valid value in there (never for count, sum and unique_count of existing rows)
