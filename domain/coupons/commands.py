"""Commands about coupons: create, update, delete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.aggregate import CommandContext
from domain.command import EffectiveDatedCommand, SealOf
from domain.coupons.coupon import Coupon


class CouponCommand(EffectiveDatedCommand[Coupon], frozen=True):
    """A command about one coupon."""

    code: str

    def blank(self, seal_of: SealOf) -> Coupon:
        """Return the coupon without any events."""
        return Coupon(self.scope, self.code)


class CreateCoupon(CouponCommand, frozen=True):
    """Create a coupon. `AlreadyExists` when the code is taken."""

    fields: Mapping[str, Any]

    def apply(self, aggregate: Coupon, context: CommandContext) -> None:
        """Create the coupon with its fields."""
        aggregate.create(self.fields, context)


class UpdateCoupon(CouponCommand, frozen=True):
    """Change fields of a coupon. What customers have applied of it stays as it was applied."""

    changes: Mapping[str, Any]

    def apply(self, aggregate: Coupon, context: CommandContext) -> None:
        """Change fields; no effect when nothing changes."""
        aggregate.update(self.changes, context)


class DeleteCoupon(CouponCommand, frozen=True):
    """Delete a coupon."""

    def apply(self, aggregate: Coupon, context: CommandContext) -> None:
        """Delete the coupon; what customers have applied of it takes nothing off from then on."""
        aggregate.delete(context)
