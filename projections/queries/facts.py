"""Lifecycle facts of customers and of what a tenant defines (budgets, plans, coupons), as a snapshot answers them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

#: What a fact may be about. A customer is known to the store by a key, all others by their ids. Facts about a
#: "subscriber", the id of a customer, name its subscriptions, one each: `{"subscription": id}`. Facts
#: about an "applied_coupon", also the id of a customer, are about that of its applied coupons whose `number` they name.
#: Those about a "portal" are the revocations of links to the portal of the customer with this id.
Subject = Literal[
    "customer", "budget", "meter", "plan", "subscription", "subscriber", "coupon", "applied_coupon", "portal"
]


class Fact(msgspec.Struct, frozen=True):
    """A lifecycle event of a customer, shared budget, meter, plan, subscription or coupon, as it stands in the log.

    `kind` is its topic ("customer.updated"). `fields` are those of the event, personal ones decrypted; those in
    `patched` are merge patches (see `domain.facts.operations`). `if_known`: it holds for a life that something else
    began, and begins none.
    """

    position: int
    effective_at: datetime
    recorded_at: datetime
    kind: str
    fields: dict[str, Any]
    actor: str
    dialect: str
    reason: str | None
    patched: tuple[str, ...] = ()
    if_known: bool = False
