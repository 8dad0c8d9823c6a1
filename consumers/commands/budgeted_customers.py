"""Commands about a customer and the shared budget it names, in one append: both happen or neither."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

import msgspec

from consumers.commands.handler import CommandHandler, CommandResult
from domain.aggregate import Occasion
from domain.budgets.shared_budget import SharedBudget
from domain.customers.customer import Customer
from domain.customers.personal_data import CustomerSeal
from domain.errors import Fenced, NotFound
from domain.event import Provenance
from domain.scope import Scope
from domain.streams import budget_stream, customer_stream


class BudgetedChange(msgspec.Struct, frozen=True):
    """What becomes of a customer and of one budget. Changes: None clears a field; maps in `replaced` are whole ones.

    `budget_id` None: no budget is touched. `budget_changes` None: it is named only, and has to exist.
    """

    customer_changes: Mapping[str, Any] = {}
    blocked: bool | None = None
    budget_id: str | None = None
    budget_changes: Mapping[str, Any] | None = None
    budget_is_new: bool = False
    replaced: frozenset[str] = frozenset()


#: The stored fields of a shared budget; None when there is none with that id, or no id.
BudgetOf = Callable[[str | None], Mapping[str, Any] | None]
#: Decides by the fields of the customer (none before it is created) and of any shared budgets that it asks for.
Decide = Callable[[Mapping[str, Any], BudgetOf], BudgetedChange]


class BudgetedCustomerCommands(CommandHandler):
    """Each raises what the commands of the two parts raise, and what `decide` raises; then nothing happened.
    `NotFound` from here means the budget; `NoSuchCustomer` the customer. `decide` may be asked several times."""

    def create_budgeted_customer(
        self, scope: Scope, customer_id: str, decide: Decide, provenance: Provenance
    ) -> CommandResult[Customer]:
        """Begin a life that may name a budget; `AlreadyExists` when the customer was created and lives."""

        def create(customer: Customer, change: BudgetedChange, occasion: Occasion) -> None:
            customer.create(change.customer_changes, occasion)
            if change.blocked:
                customer.block(occasion)

        return self._together(scope, customer_id, provenance, lambda customer, occasion: None, decide, create)

    def change_budgeted_customer(
        self,
        scope: Scope,
        customer_id: str,
        decide: Decide,
        provenance: Provenance,
        seen_at: datetime | None = None,
    ) -> CommandResult[Customer]:
        """Change a customer and the budget it names, or is to name from now on. `seen_at` as in `CustomerCommands`."""

        def adopt(customer: Customer, occasion: Occasion) -> None:
            customer.adopt_seen(seen_at, occasion)
            if not customer.alive:
                raise NoSuchCustomer(f"customer {customer_id!r} does not exist")

        def update(customer: Customer, change: BudgetedChange, occasion: Occasion) -> None:
            customer.update(change.customer_changes, occasion, change.replaced)
            if change.blocked is not None:
                (customer.block if change.blocked else customer.unblock)(occasion)

        return self._together(scope, customer_id, provenance, adopt, decide, update)

    def block_customer_created_if_new(
        self, scope: Scope, customer_id: str, provenance: Provenance
    ) -> CommandResult[Customer]:
        """Refuse access, whether the customer is known or not yet."""

        def decide(customer: Customer) -> None:
            occasion = self._occasion(provenance)
            customer.adopt(occasion)
            customer.block(occasion)

        return self._carry_out(lambda: self._blank_customer(scope, customer_id), decide)

    def _together(
        self,
        scope: Scope,
        customer_id: str,
        provenance: Provenance,
        begin: Callable[[Customer, Occasion], None],
        decide: Decide,
        act: Callable[[Customer, BudgetedChange, Occasion], None],
    ) -> CommandResult[Customer]:
        """A customer and budgets, each as it is while all are held.

        1. Take the turns of the customer and of the budgets that are known to be meant: none at first.
        2. Load the customer, `begin` with it, and let `decide` say what becomes of it and of a budget.
        3. When it asked for other budgets, or names another one, begin again with the turns of those too.
        4. `act`, and append both; begin again when another process came between.
        """
        meant: set[str] = set()
        for _ in range(self._attempts_max + 1):  # the first may do no more than find out which budgets are meant
            streams = [customer_stream(scope, customer_id), *(budget_stream(scope, one) for one in meant)]
            with self._turns_of(*streams):
                occasion = self._occasion(provenance)
                customer = self._store.load(self._blank_customer(scope, customer_id))
                begin(customer, occasion)
                asked: dict[str, SharedBudget] = {}
                change = decide(customer.fields, partial(self._budget_fields, scope, asked))
                named = asked.keys() | (set() if change.budget_id is None else {change.budget_id})
                if not named <= meant:
                    meant = named
                    continue
                act(customer, change, occasion)
                try:
                    return self._appended(scope, customer, change, asked, occasion)
                except Fenced:
                    continue
        raise Fenced(f"customer {customer_id!r} moved during each of {self._attempts_max} attempts: try again")

    def _appended(
        self,
        scope: Scope,
        customer: Customer,
        change: BudgetedChange,
        asked: Mapping[str, SharedBudget],
        occasion: Occasion,
    ) -> CommandResult[Customer]:
        """Append both. The budget is the one that was decided by, so that a change since then fences this one."""
        if change.budget_id is None:
            return CommandResult(self._store.append(customer), customer)
        budget = asked.get(change.budget_id) or self._store.load(SharedBudget(scope, change.budget_id))
        if change.budget_is_new:
            budget.create(change.budget_changes or {}, occasion)
        else:
            budget.update(change.budget_changes or {}, occasion, change.replaced)
        return CommandResult(self._store.append(budget, customer), customer)

    def _budget_fields(
        self, scope: Scope, asked: dict[str, SharedBudget], budget_id: str | None
    ) -> Mapping[str, Any] | None:
        if budget_id is None:
            return None
        if budget_id not in asked:
            asked[budget_id] = self._store.load(SharedBudget(scope, budget_id))
        budget = asked[budget_id]
        return budget.fields if budget.exists else None

    def _blank_customer(self, scope: Scope, customer_id: str) -> Customer:
        return Customer(scope, customer_id, CustomerSeal(self._keys, self._randomness, scope, customer_id))


class NoSuchCustomer(NotFound):
    """The customer is neither created nor known by its usage."""
