"""Commands about prices: a tenant sets its own prices and discounts, and those of its customers."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from domain.aggregate import CommandContext
from domain.command import AggregateCommand, Aggregates, Executed, SealOf
from domain.customers.customer import Customer
from domain.prices.own_price import OwnPrice
from domain.prices.price_rules import PriceRules, RuleOwner


class PriceRuleCommand(AggregateCommand[PriceRules], frozen=True, kw_only=True):
    """A command about prices or discounts of the scope (without a customer), or of a customer's present life.

    The customer need not be known yet.
    """

    customer_id: str | None = None

    def blank(self, seal_of: SealOf) -> PriceRules:
        """Return the rules of the scope without any events."""
        return self.rules_of(RuleOwner(self.scope))

    def rules_of(self, owner: RuleOwner) -> PriceRules:
        """Return the rules that the command is about, of this owner, without any events."""
        raise NotImplementedError

    def streams(self, seal_of: SealOf) -> tuple[str, ...]:
        """Return the stream of the rules; of a customer its own stream, which tells the life that they belong to."""
        if self.customer_id is None:
            return super().streams(seal_of)
        return (self._customer(self.customer_id, seal_of).id,)

    def execute(self, aggregates: Aggregates, context: CommandContext) -> Executed[PriceRules]:
        """Load the rules, of a customer those of its present life, and apply the command to them."""
        if self.customer_id is None:
            return super().execute(aggregates, context)
        customer = aggregates.load(self._customer(self.customer_id, aggregates.seal_of))
        owner = RuleOwner(self.scope, self.customer_id, customer.life, customer.began_at)
        rules = aggregates.load(self.rules_of(owner))
        self.apply(rules, context)
        return Executed(rules, (rules,))

    def _customer(self, customer_id: str, seal_of: SealOf) -> Customer:
        return Customer(self.scope, customer_id, seal_of(self.scope, customer_id))


class SetPrice(PriceRuleCommand, frozen=True):
    """Set the scope's or a customer's own price for a model, valid for usage from `price.effective_from` on."""

    provider: str
    model: str
    price: OwnPrice

    def rules_of(self, owner: RuleOwner) -> PriceRules:
        """Return the rules of this owner for the model."""
        return PriceRules(owner, self.provider, self.model)

    def apply(self, aggregate: PriceRules, context: CommandContext) -> None:
        """Set the price; no effect when it is set already."""
        aggregate.set_price(self.price, context)


class SetDiscount(PriceRuleCommand, frozen=True):
    """Set the scope's or a customer's discount on a model, or on all, valid for usage from `effective_from` on."""

    percentage: Decimal
    effective_from: datetime | None = None
    provider: str | None = None
    model: str | None = None

    def rules_of(self, owner: RuleOwner) -> PriceRules:
        """Return the rules of this owner for the model."""
        return PriceRules(owner, self.provider, self.model)

    def apply(self, aggregate: PriceRules, context: CommandContext) -> None:
        """Set the discount; no effect when it is set already."""
        aggregate.set_discount(self.percentage, self.effective_from, context)
