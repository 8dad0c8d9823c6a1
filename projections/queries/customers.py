"""Customers and their lifecycle facts, as a snapshot answers them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec


class Fact(msgspec.Struct, frozen=True):
    """One lifecycle fact, as the log tells it. `kind` is its topic ("customer.updated");
    `fields` as in its event, personal ones decrypted.
    """

    position: int
    effective_at: datetime
    recorded_at: datetime
    kind: str
    fields: dict[str, Any]
    actor: str
    dialect: str
    reason: str | None


class CustomerRecord(msgspec.Struct, frozen=True):
    """What the store knows of a customer id: when it was first seen by usage (None: never), and its facts in log
    order.
    """

    customer_id: str
    first_position: int
    first_event_at: datetime | None  # least event time of usage ever counted for it
    last_event_at: datetime | None
    facts: tuple[Fact, ...]


class CustomerSpan(msgspec.Struct, frozen=True):
    """A stretch of event time [start, end) of one customer."""

    customer_id: str
    start: datetime
    end: datetime
