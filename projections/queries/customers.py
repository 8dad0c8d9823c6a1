"""Customer records and lifecycle facts that a snapshot returns."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from projections.queries.facts import Fact

#: The id under which a store keeps usage that has no customer yet; no customer has it, and none is found by it.
NO_CUSTOMER: Final = ""


class CustomerRecord(msgspec.Struct, frozen=True):
    """What is stored about a customer id: the time range of its usage (None: no usage) and its facts in log order.

    `life_first_event_at`: of a customer that was deleted, and whose latest event lies ahead of the log's recorded time,
    the earliest event since the last deletion; None for every other customer.
    """

    customer_id: str
    first_position: int
    first_event_at: datetime | None  # the earliest event time of all its counted usage
    last_event_at: datetime | None
    facts: tuple[Fact, ...]
    life_first_event_at: datetime | None = None


class CustomerWithBudgets(msgspec.Struct, frozen=True):
    """A customer, and the facts of every shared budget that its facts ever named, by id; as of log position `position`.

    Budgets that nobody created are left out.
    """

    position: int
    record: CustomerRecord
    budgets: Mapping[str, tuple[Fact, ...]]


class SpanCost(msgspec.Struct, frozen=True):
    """Raw cost of one customer in a range of event time, and the events of unknown cost, which are not in it."""

    cost_usd: Decimal = Decimal(0)
    cost_unknown_events: int = 0


class SpanUsage(msgspec.Struct, frozen=True):
    """Usage of one customer in a range of event time: raw cost of all events, and the events without a parent.

    `cost_unknown_events`: those of unknown cost, which are not in it.
    """

    cost_usd: Decimal = Decimal(0)
    root_requests: int = 0
    cost_unknown_events: int = 0


class CustomerSpan(msgspec.Struct, frozen=True):
    """A range of event time [start, end) of one customer."""

    customer_id: str
    start: datetime
    end: datetime
