"""The tenant price aggregate: a tenant's own effective-dated prices for one model."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final

from domain.aggregate import Aggregate, CommandContext
from domain.errors import InvalidInput
from domain.event import LifecycleEvent
from domain.prices.events import PriceSet
from domain.prices.schedule import PriceTier, PriceVersion, UnitPrices
from domain.scope import Scope
from domain.streams import price_stream
from domain.values.field_rules import model_name
from domain.values.money import unit_price
from domain.values.periods import ANCHOR_LIMIT, ANCHOR_MIN

PRICE_TIERS_MAX: Final = 10
TIER_TOKENS_MAX: Final = 2**53 - 1


def checked_price(price: PriceVersion) -> PriceVersion:
    """Return `price` with tiers in ascending order; `InvalidInput` for an invalid price, threshold or instant."""
    since = price.effective_from
    if since is not None and (since.tzinfo is None or not ANCHOR_MIN <= since < ANCHOR_LIMIT):
        raise InvalidInput("effective_from", "must be an instant with an offset, between 1970 and 2200")
    if len(price.tiers) > PRICE_TIERS_MAX:
        raise InvalidInput("tiers", f"must be at most {PRICE_TIERS_MAX}")
    tiers = tuple(sorted((_checked_tier(tier) for tier in price.tiers), key=lambda tier: tier.input_tokens_above))
    if len({tier.input_tokens_above for tier in tiers}) < len(tiers):
        raise InvalidInput("tiers", "must have different values of input_tokens_above")
    return PriceVersion(since, _checked_prices(price.prices), tiers)


def _checked_tier(tier: PriceTier) -> PriceTier:
    if not 0 <= tier.input_tokens_above <= TIER_TOKENS_MAX:
        raise InvalidInput("input_tokens_above", f"must be a whole number from 0 to {TIER_TOKENS_MAX}")
    return PriceTier(tier.input_tokens_above, _checked_prices(tier.prices))


def _checked_prices(prices: UnitPrices) -> UnitPrices:
    return UnitPrices(
        input=unit_price(prices.input, "input"),
        output=unit_price(prices.output, "output"),
        cached_input=_optional_price(prices.cached_input, "cached_input"),
        cache_write=_optional_price(prices.cache_write, "cache_write"),
        reasoning=_optional_price(prices.reasoning, "reasoning"),
        request=_optional_price(prices.request, "request"),
    )


def _optional_price(price: Decimal | None, field: str) -> Decimal | None:
    return None if price is None else unit_price(price, field)


class TenantPrice(Aggregate):
    """The prices that one scope set for one model, by the instant from which they are effective.

    `provider` is empty for usage without a provider.
    """

    def __init__(self, scope: Scope, provider: str, model: str) -> None:
        checked_provider = model_name("provider", provider) if provider else ""
        super().__init__(price_stream(scope, checked_provider, model_name("model", model)))
        self.scope = scope
        self.provider = provider
        self.model = model
        self.prices: dict[datetime | None, PriceVersion] = {}

    def set(self, price: PriceVersion, context: CommandContext) -> None:
        """Set a price, replacing one effective from the same instant; no effect when both are the same."""
        checked = checked_price(price)
        if self.prices.get(checked.effective_from) == checked:
            return
        self._emit(
            PriceSet(
                **self._common_fields(context),
                tenant=self.scope.tenant,
                environment=self.scope.environment,
                provider=self.provider,
                model=self.model,
                price=checked,
            )
        )

    def apply(self, event: LifecycleEvent) -> None:
        """Apply a price event."""
        if not isinstance(event, PriceSet):
            raise self._unexpected_event(event)
        self.prices[event.price.effective_from] = event.price
