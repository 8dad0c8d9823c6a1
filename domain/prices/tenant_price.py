"""The tenant price aggregate: a tenant's own effective-dated prices for one model."""

from __future__ import annotations

from datetime import datetime

from domain.aggregate import Aggregate, CommandContext
from domain.event import LifecycleEvent
from domain.prices.events import PriceSet
from domain.prices.own_price import OwnPrice, checked_price_list
from domain.prices.price_list import PriceList
from domain.scope import Scope
from domain.streams import price_stream
from domain.values.field_rules import model_name


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
        self.prices: dict[datetime | None, PriceList] = {}

    def set(self, price: OwnPrice, context: CommandContext) -> None:
        """Set a price, replacing one effective from the same instant; no effect when both are the same."""
        prices = checked_price_list(price)
        if self.prices.get(price.effective_from) == prices:
            return
        self._emit(
            PriceSet(
                **self._common_fields(context),
                tenant=self.scope.tenant,
                environment=self.scope.environment,
                provider=self.provider,
                model=self.model,
                prices=prices,
            )
        )

    def apply(self, event: LifecycleEvent) -> None:
        """Apply a price event."""
        if not isinstance(event, PriceSet):
            raise self._unexpected_event(event)
        self.prices[event.effective_from] = event.prices
