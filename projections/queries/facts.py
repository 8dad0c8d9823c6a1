"""Lifecycle facts of customers, shared budgets and meters, as a snapshot answers them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec


class Fact(msgspec.Struct, frozen=True):
    """A lifecycle event of a customer, shared budget or meter, as it stands in the log.

    `kind` is its topic ("customer.updated"). `fields` are those of the event, personal ones decrypted.
    """

    position: int
    effective_at: datetime
    recorded_at: datetime
    kind: str
    fields: dict[str, Any]
    actor: str
    dialect: str
    reason: str | None
