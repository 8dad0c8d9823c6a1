"""Prices as the native API shows them."""

from __future__ import annotations

from api.native.models.prices import PriceTierView, PriceVersionView, PriceView, UnitPricesView
from domain.prices.schedule import PriceVersion, UnitPrices
from projections.queries.prices import PriceRecord


def unit_prices_view(prices: UnitPrices) -> UnitPricesView:
    """Convert unit prices to their response."""
    return UnitPricesView(
        input=prices.input,
        output=prices.output,
        cached_input=prices.cached_input,
        cache_write=prices.cache_write,
        reasoning=prices.reasoning,
        request=prices.request,
    )


def price_view(price: PriceRecord) -> PriceView:
    """Convert a list price, or a tenant's own price, to its response."""
    return PriceView(
        position=price.position,
        origin="list" if price.scope is None else "own",
        provider=price.provider,
        model=price.model,
        versions=[_version_view(version) for version in price.versions],
        library=price.library,
        recorded_at=price.recorded_at,
        actor=price.actor,
    )


def _version_view(version: PriceVersion) -> PriceVersionView:
    tiers = [
        PriceTierView(input_tokens_above=tier.input_tokens_above, unit_prices=unit_prices_view(tier.prices))
        for tier in version.tiers
    ]
    return PriceVersionView(
        effective_from=version.effective_from, unit_prices=unit_prices_view(version.prices), tiers=tiers
    )
