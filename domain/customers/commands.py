"""Commands about customers: create, update, block, unblock, deactivate, reactivate, delete."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal

from domain.aggregate import CommandContext
from domain.command import Aggregates, EffectiveDatedCommand, Executed, ScopedCommand, SealOf
from domain.customers.customer import Customer
from domain.errors import NotFound

#: For a command that comes where usage cannot be looked up, such as Kafka.
NOT_LOOKED_UP: Final = "not looked up"

#: The event time of a customer's last usage, as the sender of a command read it. None: it has no usage.
SeenAt = datetime | Literal["not looked up"] | None


class CustomerCommand(EffectiveDatedCommand[Customer], frozen=True):
    """A command about one customer."""

    customer_id: str

    def blank(self, seal_of: SealOf) -> Customer:
        """Return the customer without any events."""
        return Customer(self.scope, self.customer_id, seal_of(self.scope, self.customer_id))


class CreateCustomer(CustomerCommand, frozen=True):
    """Create a customer. `AlreadyExists` when it was created and not deleted.

    What is known of it otherwise holds on: its usage, and what other commands said.
    """

    fields: Mapping[str, Any] = {}

    def apply(self, aggregate: Customer, context: CommandContext) -> None:
        """Make the customer explicit."""
        aggregate.create(self.fields, context)


class ExistingCustomerCommand(CustomerCommand, frozen=True, kw_only=True):
    """A command about a customer that exists: one that a command made explicit, or one that is known by its usage.

    `seen_at` tells whether there is such usage, in the customer's present life; `NotFound` when there is neither. With
    `NOT_LOOKED_UP` every customer is taken to exist that was never deleted. Of one that was deleted it is not known
    whether usage has begun another life: what the command says holds if something else begins one, whichever comes
    first. A block and a deletion begin it.
    """

    seen_at: SeenAt = None

    def apply(self, aggregate: Customer, context: CommandContext) -> None:
        """Change the customer, if it exists."""
        if self.seen_at != NOT_LOOKED_UP:
            if not aggregate.is_known(self.seen_at, context.recorded_at):
                raise NotFound(f"customer {self.customer_id!r} does not exist")
            self.change(aggregate, context, if_known=False)
        else:
            self.change(aggregate, context, if_known=aggregate.life > 1)

    def change(self, customer: Customer, context: CommandContext, *, if_known: bool) -> None:
        """Change a customer. `if_known`: see `ConditionalEvent`."""
        raise NotImplementedError


class UpdateCustomer(ExistingCustomerCommand, frozen=True):
    """Set the fields named in `changes`, clear those that are None; deactivate or reactivate by `active`.

    Maps are merge patches, unless they are named in `replaced`: then they are the new map.
    """

    changes: Mapping[str, Any] = {}
    active: bool | None = None
    replaced: frozenset[str] = frozenset()

    def change(self, customer: Customer, context: CommandContext, *, if_known: bool) -> None:
        """Change fields first, then the activity."""
        if self.changes or self.active is None:
            customer.update(self.changes, context, self.replaced, if_known=if_known)
        if self.active is not None:
            (customer.reactivate if self.active else customer.deactivate)(context, if_known=if_known)


class BlockCustomer(ExistingCustomerCommand, frozen=True):
    """Refuse access to a customer, whatever its budget."""

    def change(self, customer: Customer, context: CommandContext, *, if_known: bool) -> None:
        """Block; no effect when blocked already."""
        customer.block(context)


class UnblockCustomer(ExistingCustomerCommand, frozen=True):
    """Remove a block."""

    def change(self, customer: Customer, context: CommandContext, *, if_known: bool) -> None:
        """Unblock; no effect when not blocked."""
        customer.unblock(context, if_known=if_known)


class DeactivateCustomer(ExistingCustomerCommand, frozen=True):
    """Hide a customer from reports by customer. Usage still counts."""

    def change(self, customer: Customer, context: CommandContext, *, if_known: bool) -> None:
        """Hide; no effect when hidden already."""
        customer.deactivate(context, if_known=if_known)


class ReactivateCustomer(ExistingCustomerCommand, frozen=True):
    """Show a deactivated customer in reports by customer again."""

    def change(self, customer: Customer, context: CommandContext, *, if_known: bool) -> None:
        """Show; no effect when not hidden."""
        customer.reactivate(context, if_known=if_known)


class DeleteCustomer(ExistingCustomerCommand, frozen=True):
    """Delete a customer, which ends its life. The state answered is the next life, which has not begun."""

    def change(self, customer: Customer, context: CommandContext, *, if_known: bool) -> None:
        """End the present life."""
        customer.delete(context)


class DeleteCustomers(ScopedCommand[tuple[str, ...]], frozen=True):
    """Delete several customers, or none if one does not exist. `seen_at` has the last usage of each, by customer id.

    The state answered holds the ids that do not exist; if there are any, nothing is written.
    """

    seen_at: Mapping[str, datetime | None]

    def streams(self, seal_of: SealOf) -> tuple[str, ...]:
        """Return the streams of the customers."""
        return tuple(customer.id for customer in self._blanks(seal_of))

    def execute(self, aggregates: Aggregates, context: CommandContext) -> Executed[tuple[str, ...]]:
        """Delete all that exist, explicit or known by usage."""
        customers = tuple(aggregates.load(blank) for blank in self._blanks(aggregates.seal_of))
        now = context.recorded_at
        missing = tuple(one.customer_id for one in customers if not one.is_known(self.seen_at[one.customer_id], now))
        if missing:
            return Executed(missing)
        for customer in customers:
            customer.delete(context)
        return Executed((), customers)

    def _blanks(self, seal_of: SealOf) -> list[Customer]:
        return [Customer(self.scope, one, seal_of(self.scope, one)) for one in self.seen_at]
