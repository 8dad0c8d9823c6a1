"""Commands about customers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from consumers.command_desk import CommandDesk, CommandResult
from domain.aggregate import Occasion
from domain.customer import Customer
from domain.log.lifecycle_events import Provenance
from domain.personal_data import CustomerSeal
from domain.scope import Scope


class CustomerCommands(CommandDesk):
    """Each raises `InvalidInput` for values that break a rule, `NotFound` for a customer that does not exist.

    `known`: the read side says that the customer exists by usage; it is then created (adopting that usage) in
    the same append. `effective_at` None: from when the event is recorded.
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
        known: bool = False,
        replaced: frozenset[str] = frozenset(),
    ) -> CommandResult[Customer]:
        """Set the fields named in `changes`, clear those that are None.

        `metadata` and `model_limits` are merge patches, unless named in `replaced`: then they are the whole new map.
        """

        def decide(customer: Customer, occasion: Occasion) -> None:
            customer.update(changes, occasion, replaced)

        return self._change(scope, customer_id, provenance, effective_at, known, decide)

    def block_customer(
        self,
        scope: Scope,
        customer_id: str,
        provenance: Provenance,
        effective_at: datetime | None = None,
        known: bool = False,
    ) -> CommandResult[Customer]:
        return self._change(scope, customer_id, provenance, effective_at, known, Customer.block)

    def unblock_customer(
        self,
        scope: Scope,
        customer_id: str,
        provenance: Provenance,
        effective_at: datetime | None = None,
        known: bool = False,
    ) -> CommandResult[Customer]:
        return self._change(scope, customer_id, provenance, effective_at, known, Customer.unblock)

    def deactivate_customer(
        self,
        scope: Scope,
        customer_id: str,
        provenance: Provenance,
        effective_at: datetime | None = None,
        known: bool = False,
    ) -> CommandResult[Customer]:
        return self._change(scope, customer_id, provenance, effective_at, known, Customer.deactivate)

    def reactivate_customer(
        self,
        scope: Scope,
        customer_id: str,
        provenance: Provenance,
        effective_at: datetime | None = None,
        known: bool = False,
    ) -> CommandResult[Customer]:
        return self._change(scope, customer_id, provenance, effective_at, known, Customer.reactivate)

    def delete_customer(
        self,
        scope: Scope,
        customer_id: str,
        provenance: Provenance,
        effective_at: datetime | None = None,
        known: bool = False,
    ) -> CommandResult[Customer]:
        """End the life. `state` is then the next one, which has not begun."""
        return self._change(scope, customer_id, provenance, effective_at, known, Customer.delete)

    def _change(
        self,
        scope: Scope,
        customer_id: str,
        provenance: Provenance,
        effective_at: datetime | None,
        known: bool,
        decide: Callable[[Customer, Occasion], None],
    ) -> CommandResult[Customer]:
        def decide_adopted(customer: Customer) -> None:
            occasion = self._occasion(provenance, effective_at)
            if known:
                customer.adopt(occasion)
            decide(customer, occasion)

        return self._carry_out(partial(self._blank, scope, customer_id), decide_adopted)

    def _blank(self, scope: Scope, customer_id: str) -> Customer:
        return Customer(scope, customer_id, CustomerSeal(self._keys, self._randomness, scope, customer_id))
