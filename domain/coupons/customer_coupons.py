"""The aggregate of the coupons that one customer has applied.

They are one stream, so that what depends on all of them (is this coupon used up, does it overlap with another one) is
decided against all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from domain.aggregate import Aggregate, CommandContext
from domain.coupons.application_events import AppliedCouponTerminated, CouponApplied
from domain.errors import InvalidInput, NotFound
from domain.event import LifecycleEvent
from domain.facts.aggregate import check_deletion
from domain.scope import Scope
from domain.streams import customer_coupons_stream
from domain.values.identifiers import checked_id

#: Coupons that a customer may have applied, ended ones included.
APPLIED_MAX: Final = 1_000


class Application(msgspec.Struct, frozen=True):
    """An applied coupon as its customer's stream knows it; `ended_at` None: no command has ended it."""

    number: int
    since: datetime
    fields: Mapping[str, Any]
    ended_at: datetime | None = None

    @property
    def coupon(self) -> str:
        """The code of the coupon."""
        return str(self.fields["coupon"])


class CustomerCoupons(Aggregate):
    """The coupons of one customer id, of all its lives, numbered from 1 in the order in which they were applied."""

    def __init__(self, scope: Scope, customer_id: str) -> None:
        super().__init__(customer_coupons_stream(scope, checked_id("customer", customer_id)))
        self.scope = scope
        self.customer_id = customer_id
        self._applied: dict[int, Application] = {}

    @property
    def last_number(self) -> int:
        """The number of the coupon that was applied last; 0 before the first."""
        return len(self._applied)

    def applied(self) -> Iterator[Application]:
        """Yield the applied coupons in order of number."""
        yield from self._applied.values()

    def add(self, fields: Mapping[str, Any], context: CommandContext) -> None:
        """Apply a coupon with these fields, in stored form."""
        if self.last_number >= APPLIED_MAX:
            raise InvalidInput("customer", f"must not apply more than {APPLIED_MAX} coupons")
        about = self._event_fields(self.last_number + 1, context)
        self._emit(CouponApplied(**about, fields=dict(fields)))

    def terminate(self, number: int, context: CommandContext) -> None:
        """End an applied coupon, not in the future. No effect on one that has ended by then; `NotFound` without one."""
        found = self._applied.get(number)
        if found is None:
            raise NotFound(f"customer {self.customer_id!r} has no applied coupon {number}")
        check_deletion(context)
        if found.ended_at is None or context.effective() < found.ended_at:
            self._emit(AppliedCouponTerminated(**self._event_fields(number, context)))

    def apply(self, event: LifecycleEvent) -> None:
        """Apply one of its events."""
        match event:
            case CouponApplied():
                self._applied[event.number] = Application(event.number, event.effective_at, event.fields)
            case AppliedCouponTerminated():
                before = self._applied[event.number]
                self._applied[event.number] = msgspec.structs.replace(before, ended_at=event.effective_at)
            case _:
                raise self._unexpected_event(event)

    def _event_fields(self, number: int, context: CommandContext) -> dict[str, Any]:
        owner = {"tenant": self.scope.tenant, "environment": self.scope.environment}
        return {**self._common_fields(context), **owner, "customer_id": self.customer_id, "number": number}
