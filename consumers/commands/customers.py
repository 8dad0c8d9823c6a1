"""Customer commands: create, update, block, deactivate, delete, and their opposites."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from consumers.commands.handler import CommandHandler, CommandResult
from domain.aggregate import CommandContext
from domain.customers.customer import Customer
from domain.customers.personal_data import CustomerSeal
from domain.errors import Fenced
from domain.event import Provenance
from domain.scope import Scope
from domain.streams import customer_stream


class CustomerCommands(CommandHandler):
    """Commands about customers. Each raises `InvalidInput` for invalid values and `NotFound` for an unknown customer.

    `seen_at`: the event time of the customer's last usage in the read store (None: no usage). A customer that is known
    only by usage later than its last deletion is created in the same append, adopting that usage.
    `effective_at` None: effective from the instant at which the event is recorded.
    """

    def create_customer(
        self,
        scope: Scope,
        customer_id: str,
        changes: Mapping[str, Any],
        provenance: Provenance,
        effective_at: datetime | None = None,
    ) -> CommandResult[Customer]:
        """Create a customer and adopt its earlier usage. Raises `AlreadyExists` when it was created and not deleted."""
        return self._execute(
            partial(self._blank, scope, customer_id),
            lambda customer: customer.create(changes, self._context(provenance, effective_at)),
        )

    def update_customer(
        self,
        scope: Scope,
        customer_id: str,
        changes: Mapping[str, Any],
        provenance: Provenance,
        effective_at: datetime | None = None,
        seen_at: datetime | None = None,
        replaced: frozenset[str] = frozenset(),
    ) -> CommandResult[Customer]:
        """Set the fields named in `changes` and clear those that are None.

        `metadata` and `model_limits` are merge patches, unless they are named in `replaced`: then they are the new map.
        """

        def decide(customer: Customer, context: CommandContext) -> None:
            customer.update(changes, context, replaced)

        return self._change(scope, customer_id, provenance, effective_at, seen_at, decide)

    def block_customer(
        self,
        scope: Scope,
        customer_id: str,
        provenance: Provenance,
        effective_at: datetime | None = None,
        seen_at: datetime | None = None,
    ) -> CommandResult[Customer]:
        """Refuse access to a customer, whatever its budget."""
        return self._change(scope, customer_id, provenance, effective_at, seen_at, Customer.block)

    def unblock_customer(
        self,
        scope: Scope,
        customer_id: str,
        provenance: Provenance,
        effective_at: datetime | None = None,
        seen_at: datetime | None = None,
    ) -> CommandResult[Customer]:
        """Remove a block."""
        return self._change(scope, customer_id, provenance, effective_at, seen_at, Customer.unblock)

    def deactivate_customer(
        self,
        scope: Scope,
        customer_id: str,
        provenance: Provenance,
        effective_at: datetime | None = None,
        seen_at: datetime | None = None,
    ) -> CommandResult[Customer]:
        """Hide a customer from reports by customer. Usage still counts."""
        return self._change(scope, customer_id, provenance, effective_at, seen_at, Customer.deactivate)

    def reactivate_customer(
        self,
        scope: Scope,
        customer_id: str,
        provenance: Provenance,
        effective_at: datetime | None = None,
        seen_at: datetime | None = None,
    ) -> CommandResult[Customer]:
        """Show a deactivated customer in reports by customer again."""
        return self._change(scope, customer_id, provenance, effective_at, seen_at, Customer.reactivate)

    def delete_customer(
        self,
        scope: Scope,
        customer_id: str,
        provenance: Provenance,
        effective_at: datetime | None = None,
        seen_at: datetime | None = None,
    ) -> CommandResult[Customer]:
        """Delete a customer, which ends its life. `state` of the result is the next life, which has not begun."""
        return self._change(scope, customer_id, provenance, effective_at, seen_at, Customer.delete)

    def delete_customers(
        self, scope: Scope, seen_at: Mapping[str, datetime | None], provenance: Provenance
    ) -> CommandResult[tuple[str, ...]]:
        """Delete several customers in one append; `seen_at` maps each customer id to its `seen_at`.

        `state` of the result holds the ids that do not exist; if there are any, nothing is written.
        """
        with self._locks_of(*(customer_stream(scope, customer_id) for customer_id in seen_at)):
            for _ in range(self._attempts_max):
                context = self._context(provenance)
                customers = [self._store.load(self._blank(scope, customer_id)) for customer_id in seen_at]
                for customer in customers:
                    customer.adopt_if_seen(seen_at[customer.customer_id], context)
                missing = tuple(customer.customer_id for customer in customers if not customer.alive)
                if missing:
                    return CommandResult(None, missing)
                for customer in customers:
                    customer.delete(context)
                try:
                    return CommandResult(self._store.append(*customers), ())
                except Fenced:
                    continue
        raise Fenced(f"a customer changed during each of {self._attempts_max} attempts: try again")

    def _change(
        self,
        scope: Scope,
        customer_id: str,
        provenance: Provenance,
        effective_at: datetime | None,
        seen_at: datetime | None,
        decide: Callable[[Customer, CommandContext], None],
    ) -> CommandResult[Customer]:
        def decide_adopted(customer: Customer) -> None:
            context = self._context(provenance, effective_at)
            customer.adopt_if_seen(seen_at, context)
            decide(customer, context)

        return self._execute(partial(self._blank, scope, customer_id), decide_adopted)

    def _blank(self, scope: Scope, customer_id: str) -> Customer:
        return Customer(scope, customer_id, CustomerSeal(self._keys, self._randomness, scope, customer_id))
