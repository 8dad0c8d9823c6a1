"""Price commands: a tenant's own prices."""

from __future__ import annotations

from functools import partial

from consumers.commands.handler import CommandHandler, CommandResult
from domain.event import Provenance
from domain.prices.schedule import PriceVersion
from domain.prices.tenant_price import TenantPrice
from domain.scope import Scope


class PriceCommands(CommandHandler):
    """Commands about prices. Each raises `InvalidInput` for invalid values."""

    def set_price(
        self, scope: Scope, provider: str, model: str, price: PriceVersion, provenance: Provenance
    ) -> CommandResult[TenantPrice]:
        """Set the scope's own price for a model, valid for usage from `price.effective_from` on."""
        return self._execute(
            partial(TenantPrice, scope, provider, model),
            lambda setting: setting.set(price, self._context(provenance)),
        )
