"""Discounts as the native API shows them."""

from __future__ import annotations

from api.native.models.discounts import DiscountView
from projections.queries.prices import DiscountRecord


def discount_view(discount: DiscountRecord) -> DiscountView:
    """Convert a discount to its response."""
    return DiscountView(
        position=discount.position,
        customer=discount.customer_id,
        provider=discount.provider,
        model=discount.model,
        percentage=discount.percentage,
        effective_from=discount.effective_from,
        recorded_at=discount.recorded_at,
        actor=discount.actor,
    )
