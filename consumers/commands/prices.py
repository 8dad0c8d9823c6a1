"""Commands about prices."""

from __future__ import annotations

from functools import partial

from consumers.commands.handler import CommandHandler, CommandResult
from domain.event import Provenance
from domain.prices.schedule import PriceVersion
from domain.prices.tenant_price import PriceSetting
from domain.scope import Scope


class PriceCommands(CommandHandler):
    """Each raises `InvalidInput` for values that break a rule."""

    def set_price(
        self, scope: Scope, provider: str, model: str, price: PriceVersion, provenance: Provenance
    ) -> CommandResult[PriceSetting]:
        """Set the scope's own price for a model, valid for usage from `price.effective_from` on."""
        return self._carry_out(
            partial(PriceSetting, scope, provider, model),
            lambda setting: setting.set(price, self._occasion(provenance)),
        )
