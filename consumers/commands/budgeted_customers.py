"""Commands that change a customer and the shared budget it names in one append: both happen or neither."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

import msgspec

from consumers.commands.handler import CommandHandler, CommandResult
from domain.aggregate import CommandContext
from domain.budgets.shared_budget import SharedBudget
from domain.customers.customer import Customer
from domain.customers.personal_data import CustomerSeal
from domain.errors import Fenced, NotFound
from domain.event import Provenance
from domain.scope import Scope
from domain.streams import budget_stream, customer_stream


class BudgetedChange(msgspec.Struct, frozen=True):
    """Changes of a customer and of at most one shared budget.

    In changes, None clears a field; the maps named in `replaced` are replaced as a whole instead of merged.
    `budget_id` None: no budget is changed. `budget_changes` None: the budget is only named, and must exist.
    """

    customer_changes: Mapping[str, Any] = {}
    blocked: bool | None = None
    budget_id: str | None = None
    budget_changes: Mapping[str, Any] | None = None
    budget_is_new: bool = False
    replaced: frozenset[str] = frozenset()


#: Look up the stored fields of a shared budget by its id; None when the id is None or unknown.
BudgetOf = Callable[[str | None], Mapping[str, Any] | None]
#: Decide on the change from the customer's fields (empty before it is created) and any shared budgets it looks up.
Decide = Callable[[Mapping[str, Any], BudgetOf], BudgetedChange]


class BudgetedCustomerCommands(CommandHandler):
    """Create or change a customer together with a shared budget.

    Each command raises what the customer and budget commands raise, and what `decide` raises; nothing is written then.
    `NotFound` is about the budget, `NoSuchCustomer` about the customer. `decide` may be called several times.
    """

    def create_budgeted_customer(
        self, scope: Scope, customer_id: str, decide: Decide, provenance: Provenance
    ) -> CommandResult[Customer]:
        """Create a customer that may name a budget. Raises `AlreadyExists` when it was created and is not deleted."""

        def create(customer: Customer, change: BudgetedChange, context: CommandContext) -> None:
            customer.create(change.customer_changes, context)
            if change.blocked:
                customer.block(context)

        return self._change_both(scope, customer_id, provenance, lambda customer, context: None, decide, create)

    def change_budgeted_customer(
        self,
        scope: Scope,
        customer_id: str,
        decide: Decide,
        provenance: Provenance,
        seen_at: datetime | None = None,
    ) -> CommandResult[Customer]:
        """Change a customer and the budget that it names or is about to name. `seen_at` as in `CustomerCommands`."""

        def adopt(customer: Customer, context: CommandContext) -> None:
            customer.adopt_if_seen(seen_at, context)
            if not customer.alive:
                raise NoSuchCustomer(f"customer {customer_id!r} does not exist")

        def update(customer: Customer, change: BudgetedChange, context: CommandContext) -> None:
            customer.update(change.customer_changes, context, change.replaced)
            if change.blocked is not None:
                (customer.block if change.blocked else customer.unblock)(context)

        return self._change_both(scope, customer_id, provenance, adopt, decide, update)

    def block_customer_created_if_new(
        self, scope: Scope, customer_id: str, provenance: Provenance
    ) -> CommandResult[Customer]:
        """Block a customer; create it first when it does not exist."""

        def decide(customer: Customer) -> None:
            context = self._context(provenance)
            customer.adopt(context)
            customer.block(context)

        return self._execute(lambda: self._blank_customer(scope, customer_id), decide)

    def _change_both(
        self,
        scope: Scope,
        customer_id: str,
        provenance: Provenance,
        prepare: Callable[[Customer, CommandContext], None],
        decide: Decide,
        apply: Callable[[Customer, BudgetedChange, CommandContext], None],
    ) -> CommandResult[Customer]:
        """Change a customer and a budget while the locks of both are held.

        1. Take the locks of the customer and of the budgets that are known to be involved: none at first.
        2. Load the customer, `prepare` it, and let `decide` choose the change of it and of a budget.
        3. If that involves other budgets (looked up or named), start again with their locks too.
        4. `apply` the change and append both; start again when another process wrote in between.
        """
        involved: set[str] = set()
        for _ in range(self._attempts_max + 1):  # the first attempt may only find out which budgets are involved
            streams = [customer_stream(scope, customer_id), *(budget_stream(scope, one) for one in involved)]
            with self._locks_of(*streams):
                context = self._context(provenance)
                customer = self._store.load(self._blank_customer(scope, customer_id))
                prepare(customer, context)
                loaded: dict[str, SharedBudget] = {}
                change = decide(customer.fields, partial(self._budget_fields, scope, loaded))
                needed = loaded.keys() | (set() if change.budget_id is None else {change.budget_id})
                if not needed <= involved:
                    involved = needed
                    continue
                apply(customer, change, context)
                try:
                    return self._append_both(scope, customer, change, loaded, context)
                except Fenced:
                    continue
        raise Fenced(f"customer {customer_id!r} changed during each of {self._attempts_max} attempts: try again")

    def _append_both(
        self,
        scope: Scope,
        customer: Customer,
        change: BudgetedChange,
        loaded: Mapping[str, SharedBudget],
        context: CommandContext,
    ) -> CommandResult[Customer]:
        """Append both. The budget is the one that `decide` saw, so that a change since then fences this append."""
        if change.budget_id is None:
            return CommandResult(self._store.append(customer), customer)
        budget = loaded.get(change.budget_id) or self._store.load(SharedBudget(scope, change.budget_id))
        if change.budget_is_new:
            budget.create(change.budget_changes or {}, context)
        else:
            budget.update(change.budget_changes or {}, context, change.replaced)
        return CommandResult(self._store.append(budget, customer), customer)

    def _budget_fields(
        self, scope: Scope, loaded: dict[str, SharedBudget], budget_id: str | None
    ) -> Mapping[str, Any] | None:
        if budget_id is None:
            return None
        if budget_id not in loaded:
            loaded[budget_id] = self._store.load(SharedBudget(scope, budget_id))
        budget = loaded[budget_id]
        return budget.fields if budget.exists else None

    def _blank_customer(self, scope: Scope, customer_id: str) -> Customer:
        return Customer(scope, customer_id, CustomerSeal(self._keys, self._randomness, scope, customer_id))


class NoSuchCustomer(NotFound):
    """The customer was neither created nor seen in usage."""
