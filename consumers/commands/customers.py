"""Commands about customers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from consumers.commands.handler import CommandHandler, CommandResult
from domain.aggregate import Occasion
from domain.customers.customer import Customer
from domain.customers.personal_data import CustomerSeal
from domain.errors import Fenced
from domain.event import Provenance
from domain.scope import Scope
from domain.streams import customer_stream


class CustomerCommands(CommandHandler):
    """Each raises `InvalidInput` for values that break a rule, `NotFound` for a customer that does not exist.

    `seen_at`: when the read side last saw usage of the customer, in event time (None: never). One that exists by that
    usage, which no deletion has come after, is created (adopting it) in the same append. `effective_at` None: from
    when the event is recorded.
    """

    def create_customer(
        self,
        scope: Scope,
        customer_id: str,
        changes: Mapping[str, Any],
        provenance: Provenance,
        effective_at: datetime | None = None,
    ) -> CommandResult[Customer]:
        """Begin a life, adopting usage that came before; `AlreadyExists` when the customer was created and lives."""
        return self._carry_out(
            partial(self._blank, scope, customer_id),
            lambda customer: customer.create(changes, self._occasion(provenance, effective_at)),
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
        """Set the fields named in `changes`, clear those that are None.

        `metadata` and `model_limits` are merge patches, unless named in `replaced`: then they are the whole new map.
        """

        def decide(customer: Customer, occasion: Occasion) -> None:
            customer.update(changes, occasion, replaced)

        return self._change(scope, customer_id, provenance, effective_at, seen_at, decide)

    def block_customer(
        self,
        scope: Scope,
        customer_id: str,
        provenance: Provenance,
        effective_at: datetime | None = None,
        seen_at: datetime | None = None,
    ) -> CommandResult[Customer]:
        return self._change(scope, customer_id, provenance, effective_at, seen_at, Customer.block)

    def unblock_customer(
        self,
        scope: Scope,
        customer_id: str,
        provenance: Provenance,
        effective_at: datetime | None = None,
        seen_at: datetime | None = None,
    ) -> CommandResult[Customer]:
        return self._change(scope, customer_id, provenance, effective_at, seen_at, Customer.unblock)

    def deactivate_customer(
        self,
        scope: Scope,
        customer_id: str,
        provenance: Provenance,
        effective_at: datetime | None = None,
        seen_at: datetime | None = None,
    ) -> CommandResult[Customer]:
        return self._change(scope, customer_id, provenance, effective_at, seen_at, Customer.deactivate)

    def reactivate_customer(
        self,
        scope: Scope,
        customer_id: str,
        provenance: Provenance,
        effective_at: datetime | None = None,
        seen_at: datetime | None = None,
    ) -> CommandResult[Customer]:
        return self._change(scope, customer_id, provenance, effective_at, seen_at, Customer.reactivate)

    def delete_customer(
        self,
        scope: Scope,
        customer_id: str,
        provenance: Provenance,
        effective_at: datetime | None = None,
        seen_at: datetime | None = None,
    ) -> CommandResult[Customer]:
        """End the life. `state` is then the next one, which has not begun."""
        return self._change(scope, customer_id, provenance, effective_at, seen_at, Customer.delete)

    def delete_customers(
        self, scope: Scope, seen_at: Mapping[str, datetime | None], provenance: Provenance
    ) -> CommandResult[tuple[str, ...]]:
        """End the lives of customers, given with when each was last seen, in one append.

        `state` names those that do not exist; when there are some, nothing happened to anybody.
        """
        with self._turns_of(*(customer_stream(scope, customer_id) for customer_id in seen_at)):
            for _ in range(self._attempts_max):
                occasion = self._occasion(provenance)
                customers = [self._store.load(self._blank(scope, customer_id)) for customer_id in seen_at]
                for customer in customers:
                    customer.adopt_seen(seen_at[customer.customer_id], occasion)
                missing = tuple(customer.customer_id for customer in customers if not customer.alive)
                if missing:
                    return CommandResult(None, missing)
                for customer in customers:
                    customer.delete(occasion)
                try:
                    return CommandResult(self._store.append(*customers), ())
                except Fenced:
                    continue
        raise Fenced(f"a customer moved during each of {self._attempts_max} attempts: try again")

    def _change(
        self,
        scope: Scope,
        customer_id: str,
        provenance: Provenance,
        effective_at: datetime | None,
        seen_at: datetime | None,
        decide: Callable[[Customer, Occasion], None],
    ) -> CommandResult[Customer]:
        def decide_adopted(customer: Customer) -> None:
            occasion = self._occasion(provenance, effective_at)
            customer.adopt_seen(seen_at, occasion)
            decide(customer, occasion)

        return self._carry_out(partial(self._blank, scope, customer_id), decide_adopted)

    def _blank(self, scope: Scope, customer_id: str) -> Customer:
        return Customer(scope, customer_id, CustomerSeal(self._keys, self._randomness, scope, customer_id))
