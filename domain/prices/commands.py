"""Commands about prices: a tenant sets its own."""

from __future__ import annotations

from domain.aggregate import CommandContext
from domain.command import AggregateCommand, SealOf
from domain.prices.own_price import OwnPrice
from domain.prices.tenant_price import TenantPrice


class SetPrice(AggregateCommand[TenantPrice], frozen=True):
    """Set the scope's own price for a model, valid for usage from `price.effective_from` on."""

    provider: str
    model: str
    price: OwnPrice

    def blank(self, seal_of: SealOf) -> TenantPrice:
        """Return the prices of the model without any events."""
        return TenantPrice(self.scope, self.provider, self.model)

    def apply(self, aggregate: TenantPrice, context: CommandContext) -> None:
        """Set the price; no effect when it is set already."""
        aggregate.set(self.price, context)
