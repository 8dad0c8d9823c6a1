"""Commands that change a customer and the shared budget it names in one append: both happen or neither.

What is appended was decided on: the budget that `decide` looked up is the one that is changed, so that a change of it
by another process in between has the command decided again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from domain.aggregate import CommandContext
from domain.budgets.shared_budget import SharedBudget
from domain.command import Aggregates, Executed, ScopedCommand, SealOf
from domain.customers.customer import Customer
from domain.errors import NotFound


class BudgetedChange(msgspec.Struct, frozen=True):
    """Changes of a customer and of at most one shared budget.

    In changes, None clears a field; the maps named in `replaced` are replaced as a whole instead of merged.
    `anchor_default`: the anchor of a period policy that the change sets without one, for a customer without a creation.
    `budget_id` None: no budget is changed. `budget_changes` None: the budget is only named, and must exist.
    """

    customer_changes: Mapping[str, Any] = {}
    blocked: bool | None = None
    budget_id: str | None = None
    budget_changes: Mapping[str, Any] | None = None
    budget_is_new: bool = False
    replaced: frozenset[str] = frozenset()
    anchor_default: datetime | None = None


#: Look up the stored fields of a shared budget now, by its id; None when the id is None or unknown.
BudgetOf = Callable[[str | None], Mapping[str, Any] | None]
#: Decide on the change from the customer's fields now (empty if nothing was said of it) and any shared budgets it looks
#: up.
Decide = Callable[[Mapping[str, Any], BudgetOf], BudgetedChange]


class NoSuchCustomer(NotFound):
    """The customer was neither created nor seen in usage."""


class BudgetedCustomerCommand(ScopedCommand[Customer], frozen=True):
    """A command about a customer and a shared budget, with a pure function that decides on the change of both.

    What `decide` raises refuses the command, as does what the commands about customers and budgets raise. `NotFound`
    is about the budget, `NoSuchCustomer` about the customer.
    """

    customer_id: str
    decide: Decide

    def streams(self, seal_of: SealOf) -> tuple[str, ...]:
        """Return the stream of the customer. Which budgets are concerned is known when it is loaded."""
        return (self._blank(seal_of).id,)

    def execute(self, aggregates: Aggregates, context: CommandContext) -> Executed[Customer]:
        """Decide on the change of both, and make it."""
        customer = aggregates.load(self._blank(aggregates.seal_of))
        self.check(customer, context.recorded_at)

        def budget_of(budget_id: str | None) -> Mapping[str, Any] | None:
            budget = None if budget_id is None else aggregates.load(SharedBudget(self.scope, budget_id))
            if budget is None or budget.created_at is None or budget.created_at > context.effective():
                return None
            return budget.state_for(context)

        change = self.decide(customer.state_for(context), budget_of)
        budget = None if change.budget_id is None else aggregates.load(SharedBudget(self.scope, change.budget_id))
        self.change_customer(customer, change, context)
        if budget is None:
            return Executed(customer, (customer,))
        if change.budget_is_new:
            budget.create(change.budget_changes or {}, context)
        else:
            budget.update(change.budget_changes or {}, context, change.replaced)
        return Executed(customer, (budget, customer))

    def check(self, customer: Customer, now: datetime) -> None:
        """Refuse a customer that the command must not be about."""
        raise NotImplementedError

    def change_customer(self, customer: Customer, change: BudgetedChange, context: CommandContext) -> None:
        """Make the change of the customer."""
        raise NotImplementedError

    def _blank(self, seal_of: SealOf) -> Customer:
        return Customer(self.scope, self.customer_id, seal_of(self.scope, self.customer_id))


class CreateBudgetedCustomer(BudgetedCustomerCommand, frozen=True):
    """Create a customer that may name a budget. `AlreadyExists` when it was created and is not deleted."""

    def check(self, customer: Customer, now: datetime) -> None:
        """Leave the refusal to the creation."""

    def change_customer(self, customer: Customer, change: BudgetedChange, context: CommandContext) -> None:
        """Create the customer, blocked if so decided."""
        customer.create(change.customer_changes, context)
        if change.blocked:
            customer.block(context)


class UpdateBudgetedCustomer(BudgetedCustomerCommand, frozen=True):
    """Change a customer and the budget that it names or is about to name. `seen_at` is the time of its last usage."""

    seen_at: datetime | None = None

    def check(self, customer: Customer, now: datetime) -> None:
        """Refuse a customer that does not exist by `NoSuchCustomer`."""
        if not customer.is_known(self.seen_at, now):
            raise NoSuchCustomer(f"customer {self.customer_id!r} does not exist")

    def change_customer(self, customer: Customer, change: BudgetedChange, context: CommandContext) -> None:
        """Change the fields first, then the block."""
        customer.update(change.customer_changes, context, change.replaced, anchor_default=change.anchor_default)
        if change.blocked is not None:
            (customer.block if change.blocked else customer.unblock)(context)
