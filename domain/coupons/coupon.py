"""The coupon aggregate: what a coupon takes off, for whom it is limited, and until when it can be applied."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Final

from domain.aggregate import CommandContext
from domain.coupons.events import CouponCreated, CouponDeleted, CouponUpdated
from domain.coupons.fields import COUPON_RULES, check_together, coupon_code
from domain.errors import InvalidInput
from domain.facts.definition import DefinedAggregate
from domain.facts.timeline import Change
from domain.scope import Scope
from domain.streams import coupon_stream
from domain.values.field_rules import Rule, checked

_NEVER_CLEARED: Final = ("frequency",)


class Coupon(DefinedAggregate):
    """The state of one coupon code. What customers have applied of it ends with it."""

    noun: ClassVar = "coupon"
    rules: ClassVar[Mapping[str, Rule]] = COUPON_RULES
    changeable_rules: ClassVar[Mapping[str, Rule]] = COUPON_RULES
    required_fields: ClassVar = ("frequency",)
    created: ClassVar = CouponCreated
    updated: ClassVar = CouponUpdated
    deleted: ClassVar = CouponDeleted

    def __init__(self, scope: Scope, code: str) -> None:
        super().__init__(coupon_stream(scope, coupon_code(code)), scope, code)

    def check_together(self, fields: Mapping[str, Any]) -> None:
        """Check that it takes off one thing, and is limited by one thing."""
        check_together(fields)

    def update(self, changes: Mapping[str, Any], context: CommandContext) -> None:
        """Change fields; None clears one. Every state from then on must be that of a coupon."""
        self.check_exists()
        for field in _NEVER_CLEARED:
            if field in changes and changes[field] is None:
                raise InvalidInput(field, "must not be cleared")
        at = self.effective(context)
        change = Change(at, self.version + 1, checked(COUPON_RULES, changes))
        for state in self.timeline.with_change(change).since(max(at, self.created_at or at)):
            check_together(state)
        super().update(changes, context)

    def applied_at(self, instant: datetime) -> Mapping[str, Any]:
        """Return the state that a customer applies at an instant; as it was created, before that.

        `InvalidInput` when it has expired by then.
        """
        self.check_exists()
        state = self.timeline.at(max(instant, self.created_at or instant))
        expires_at = state.get("expires_at")
        if expires_at is not None and datetime.fromisoformat(expires_at) <= instant:
            raise InvalidInput("coupon", f"expired at {expires_at}", code="coupon_expired")
        return state
