"""Prices as the native API shows them."""

from __future__ import annotations

from api.native.models.prices import (
    AppliedPriceView,
    AppliedRateView,
    HoursView,
    ListPriceView,
    MinimumView,
    PriceChangeView,
    PriceTierView,
    PriceVariantView,
    PriceVersionView,
    PriceView,
    RateTierView,
    RateView,
    UnitPricesView,
)
from consumers.prices.refresh import PriceChange
from domain.prices.conversion import unit_prices_at
from domain.prices.price_list import (
    AppliedPrice,
    PriceList,
    Rates,
    StandardRule,
    UnitRate,
    VariantRule,
    per_of,
    prices_at,
)
from projections.queries.prices import PriceRecord


def unit_prices_view(rates: Rates, input_tokens: int) -> UnitPricesView:
    """Convert the prices of the common units, in a request with so many input tokens, to their response."""
    return UnitPricesView.model_validate(unit_prices_at(rates, input_tokens))


def price_view(price: PriceRecord) -> PriceView:
    """Convert a list price, or an own price of a tenant or customer, to its response."""
    return PriceView(
        position=price.position,
        origin="list" if price.scope is None else "own",
        customer=price.customer_id,
        provider=price.provider,
        model=price.model,
        versions=[_version_view(rule) for rule in price.prices.standard],
        variants=[_variant_view(rule) for rule in price.prices.variants],
        minimums=_minimums_view(price.prices),
        library=price.library,
        recorded_at=price.recorded_at,
        actor=price.actor,
    )


def change_view(change: PriceChange) -> PriceChangeView:
    """Convert a change of a list price to its response."""
    before = None
    if change.prices_before is not None and change.library_before is not None:
        before = _list_price_view(change.prices_before, change.library_before)
    return PriceChangeView(
        provider=change.provider,
        model=change.model,
        matched=change.matched,
        before=before,
        after=_list_price_view(change.prices, change.library),
    )


def _list_price_view(prices: PriceList, library: str) -> ListPriceView:
    return ListPriceView(
        library=library,
        versions=[_version_view(rule) for rule in prices.standard],
        variants=[_variant_view(rule) for rule in prices.variants],
        minimums=_minimums_view(prices),
    )


def _minimums_view(prices: PriceList) -> list[MinimumView]:
    return [MinimumView(units=list(one.units), least=one.least) for one in prices.minimums]


def applied_view(applied: AppliedPrice, input_tokens: int) -> AppliedPriceView:
    """Convert what a price says of one request, with so many input tokens, to its response."""
    return AppliedPriceView(
        effective_from=applied.rule.start,
        hours=_hours_view(applied.rule),
        when=[variant.when for variant in applied.variants],
        rates={
            unit: AppliedRateView(price=price.price, per=price.per)
            for unit, price in prices_at(applied.rates, input_tokens).items()
        },
    )


def _version_view(rule: StandardRule) -> PriceVersionView:
    thresholds = sorted({tier.input_tokens_above for rate in rule.rates.values() for tier in rate.tiers})
    return PriceVersionView(
        effective_from=rule.start,
        hours=_hours_view(rule),
        unit_prices=unit_prices_view(rule.rates, 0),
        tiers=[
            PriceTierView(input_tokens_above=above, unit_prices=unit_prices_view(rule.rates, above + 1))
            for above in thresholds
        ],
        rates=_rates_view(rule.rates),
    )


def _variant_view(rule: VariantRule) -> PriceVariantView:
    return PriceVariantView(
        when=rule.when, effective_from=rule.start, hours=_hours_view(rule), rates=_rates_view(rule.rates)
    )


def _rates_view(rates: Rates) -> dict[str, RateView]:
    return {unit: _rate_view(unit, rate) for unit, rate in rates.items()}


def _rate_view(unit: str, rate: UnitRate) -> RateView:
    tiers = [RateTierView(input_tokens_above=tier.input_tokens_above, price=tier.price) for tier in rate.tiers]
    return RateView(price=rate.price, per=per_of(unit, rate), tiers=tiers)


def _hours_view(rule: StandardRule | VariantRule) -> HoursView | None:
    if rule.hours is None:
        return None
    return HoursView(start=_time_text(rule.hours[0]), end=_time_text(rule.hours[1]))


def _time_text(second: int) -> str:
    return f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
