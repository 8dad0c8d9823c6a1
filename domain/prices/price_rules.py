"""The price rules aggregate: effective-dated prices and discounts of a tenant, or of one of its customers."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from domain.aggregate import Aggregate, CommandContext
from domain.errors import InvalidInput
from domain.event import LifecycleEvent
from domain.prices.events import DiscountSet, PriceSet
from domain.prices.own_price import OwnPrice, checked_effective_from, checked_price_list
from domain.prices.price_list import PriceList
from domain.scope import Scope
from domain.streams import customer_discount_stream, customer_price_stream, discount_stream, price_stream
from domain.values.field_rules import model_name
from domain.values.instants import instant_text
from domain.values.money import discount_percentage


class RuleOwner(msgspec.Struct, frozen=True):
    """Whose prices and discounts: a scope's, or those of one life of a customer, which began at `life_began_at`."""

    scope: Scope
    customer_id: str | None = None
    life: int = 1
    life_began_at: datetime | None = None


class PriceRules(Aggregate):
    """The prices and discounts that an owner has for one model, by the instant from which they are effective.

    `provider` is empty for usage without a provider. Without a model and a provider these are discounts on every model.
    """

    def __init__(self, owner: RuleOwner, provider: str | None, model: str | None) -> None:
        if model is None and provider is not None:
            raise InvalidInput("model", "must be given with a provider; without both it is every model")
        self.model = None if model is None else model_name("model", model)
        self.provider = None if model is None else model_name("provider", provider) if provider else ""
        super().__init__(_stream(owner, self.provider, self.model))
        self.owner = owner
        self.rules: dict[datetime | None, PriceList | Decimal] = {}

    def set_price(self, price: OwnPrice, context: CommandContext) -> None:
        """Set a price, replacing a rule effective from the same instant; no effect when it is set already."""
        prices = checked_price_list(price)
        self._check_life(price.effective_from)
        if self.rules.get(price.effective_from) == prices:
            return
        self._emit(PriceSet(**self._rule_fields(context), prices=prices))

    def set_discount(self, percentage: Decimal, effective_from: datetime | None, context: CommandContext) -> None:
        """Set a discount, replacing a rule effective from the same instant; no effect when it is set already."""
        checked = discount_percentage(percentage)
        self._check_life(checked_effective_from(effective_from))
        if self.rules.get(effective_from) == checked:
            return
        self._emit(DiscountSet(**self._rule_fields(context), percentage=checked, effective_from=effective_from))

    def apply(self, event: LifecycleEvent) -> None:
        """Apply the event of a price or a discount."""
        match event:
            case PriceSet():
                self.rules[event.effective_from] = event.prices
            case DiscountSet():
                self.rules[event.effective_from] = event.percentage
            case _:
                raise self._unexpected_event(event)

    def _check_life(self, effective_from: datetime | None) -> None:
        began_at = self.owner.life_began_at
        if began_at is not None and effective_from is not None and effective_from < began_at:
            rule = f"must not be before {instant_text(began_at)}, when the previous life of the customer ended"
            raise InvalidInput("effective_from", rule)

    def _rule_fields(self, context: CommandContext) -> dict[str, Any]:
        return {
            **self._common_fields(context),
            "tenant": self.owner.scope.tenant,
            "environment": self.owner.scope.environment,
            "provider": self.provider,
            "model": self.model,
            "customer_id": self.owner.customer_id,
            "life_began_at": self.owner.life_began_at,
        }


def _stream(owner: RuleOwner, provider: str | None, model: str | None) -> str:
    scope, customer_id = owner.scope, owner.customer_id
    if model is None or provider is None:
        return (
            discount_stream(scope) if customer_id is None else customer_discount_stream(scope, customer_id, owner.life)
        )
    if customer_id is None:
        return price_stream(scope, provider, model)
    return customer_price_stream(scope, customer_id, owner.life, provider, model)
