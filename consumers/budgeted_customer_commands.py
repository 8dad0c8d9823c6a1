"""Commands about a customer and the shared budget it names, in one append: both happen or neither."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from consumers.command_desk import CommandDesk, CommandResult
from domain.aggregate import Occasion
from domain.customer import Customer
from domain.errors import Fenced, NotFound
from domain.log.lifecycle_events import Provenance
from domain.log.records import budget_stream, customer_stream
from domain.personal_data import CustomerSeal
from domain.scope import Scope
from domain.shared_budget import SharedBudget


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


#: Decides by the fields of the customer and of the budget that it names (None: it names none that exists).
Decide = Callable[[Mapping[str, Any], Mapping[str, Any] | None], BudgetedChange]


class BudgetedCustomerCommands(CommandDesk):
    """Each raises what the commands of the two parts raise, and what `decide` raises; then nothing happened.
    `NotFound` from here means the budget; `NoSuchCustomer` the customer."""

    def create_budgeted_customer(
        self, scope: Scope, customer_id: str, change: BudgetedChange, provenance: Provenance
    ) -> CommandResult[Customer]:
        """Begin a life that names a budget; `AlreadyExists` when the customer was created and lives."""
        streams = [customer_stream(scope, customer_id)]
        streams += [] if change.budget_id is None else [budget_stream(scope, change.budget_id)]
        with self._turns_of(*streams):
            for _ in range(self._attempts_max):
                occasion = self._occasion(provenance)
                customer = self._store.load(self._blank_customer(scope, customer_id))
                customer.create(change.customer_changes, occasion)
                if change.blocked:
                    customer.block(occasion)
                try:
                    return self._appended(scope, customer, change, occasion)
                except Fenced:
                    continue
        raise Fenced(f"customer {customer_id!r} moved during each of {self._attempts_max} attempts: try again")

    def change_budgeted_customer(
        self, scope: Scope, customer_id: str, decide: Decide, provenance: Provenance, known: bool = False
    ) -> CommandResult[Customer]:
        """Change a customer and the budget it names, or is to name from now on.

        1. Look which budget is meant, and take the turns of both.
        2. Let `decide` see both as they are; when another budget is meant by now, begin again.
        3. Append both.
        """
        for _ in range(self._attempts_max):
            customer = self._store.load(self._blank_customer(scope, customer_id))
            meant = customer.fields.get("budget_id")
            change = decide(customer.fields, self._budget_fields(scope, meant))
            named = {one for one in (meant, change.budget_id) if one is not None}
            with self._turns_of(customer.id, *(budget_stream(scope, one) for one in named)):
                occasion = self._occasion(provenance)
                customer = self._store.load(self._blank_customer(scope, customer_id))
                if not customer.alive and not known:
                    raise NoSuchCustomer(f"customer {customer_id!r} does not exist")
                change = decide(customer.fields, self._budget_fields(scope, customer.fields.get("budget_id")))
                if customer.fields.get("budget_id") != meant:
                    continue
                customer.adopt(occasion)
                customer.update(change.customer_changes, occasion, change.replaced)
                if change.blocked is not None:
                    (customer.block if change.blocked else customer.unblock)(occasion)
                try:
                    return self._appended(scope, customer, change, occasion)
                except Fenced:
                    continue
        raise Fenced(f"customer {customer_id!r} moved during each of {self._attempts_max} attempts: try again")

    def block_customer_created_if_new(
        self, scope: Scope, customer_id: str, provenance: Provenance
    ) -> CommandResult[Customer]:
        """Refuse access, whether the customer is known or not yet."""

        def decide(customer: Customer) -> None:
            occasion = self._occasion(provenance)
            customer.adopt(occasion)
            customer.block(occasion)

        return self._carry_out(lambda: self._blank_customer(scope, customer_id), decide)

    def _appended(
        self, scope: Scope, customer: Customer, change: BudgetedChange, occasion: Occasion
    ) -> CommandResult[Customer]:
        if change.budget_id is None:
            return CommandResult(self._store.append(customer), customer)
        budget = self._store.load(SharedBudget(scope, change.budget_id))
        if change.budget_is_new:
            budget.create(change.budget_changes or {}, occasion)
        elif not budget.exists:
            raise NotFound(f"budget {change.budget_id!r} does not exist")
        elif change.budget_changes:
            budget.update(change.budget_changes, occasion, change.replaced)
        return CommandResult(self._store.append(budget, customer), customer)

    def _budget_fields(self, scope: Scope, budget_id: str | None) -> Mapping[str, Any] | None:
        if budget_id is None:
            return None
        budget = self._store.load(SharedBudget(scope, budget_id))
        return budget.fields if budget.exists else None

    def _blank_customer(self, scope: Scope, customer_id: str) -> Customer:
        return Customer(scope, customer_id, CustomerSeal(self._keys, self._randomness, scope, customer_id))


class NoSuchCustomer(NotFound):
    """The customer is neither created nor known by its usage."""
