"""Whether a customer is blocked or active, as fields of its timeline: not stored in events, but told by their kind.

`blocked` is true or not set, `active` is false or not set.
"""

from __future__ import annotations

from typing import Final

from domain.customers.events import (
    CUSTOMER_BLOCKED,
    CUSTOMER_DEACTIVATED,
    CUSTOMER_REACTIVATED,
    CUSTOMER_UNBLOCKED,
    CustomerBlocked,
    CustomerDeactivated,
    CustomerEvent,
    CustomerReactivated,
    CustomerUnblocked,
)

_SWITCHES: Final[tuple[tuple[str, type[CustomerEvent], str, bool | None], ...]] = (
    (CUSTOMER_BLOCKED, CustomerBlocked, "blocked", True),
    (CUSTOMER_UNBLOCKED, CustomerUnblocked, "blocked", None),
    (CUSTOMER_DEACTIVATED, CustomerDeactivated, "active", False),
    (CUSTOMER_REACTIVATED, CustomerReactivated, "active", None),
)
#: What each kind of event, or topic of the log, sets; None: back to what holds without any.
SET_BY_EVENT: Final = {event: {name: value} for _, event, name, value in _SWITCHES}
SET_BY_TOPIC: Final = {topic: {name: value} for topic, _, name, value in _SWITCHES}
