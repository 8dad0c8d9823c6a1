"""Commands about customers: create, update, block, unblock, deactivate, reactivate, delete."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Final, Literal

from domain.aggregate import CommandContext
from domain.command import AggregateCommand, Aggregates, Executed, ScopedCommand, SealOf, checked_effective_at
from domain.customers.customer import Customer
from domain.errors import NotFound

#: For a command that comes where usage cannot be looked up, such as Kafka.
NOT_LOOKED_UP: Final = "not looked up"

#: The event time of a customer's last usage, as the sender of a command read it. None: it has no usage.
SeenAt = datetime | Literal["not looked up"] | None


class CustomerCommand(AggregateCommand[Customer], frozen=True):
    """A command about one customer."""

    customer_id: str

    def blank(self, seal_of: SealOf) -> Customer:
        """Return the customer without any events."""
        return Customer(self.scope, self.customer_id, seal_of(self.scope, self.customer_id))


class EffectiveDatedCommand(CustomerCommand, frozen=True, kw_only=True):
    """A command that may be effective from another instant than that of its recording (None: from its arrival)."""

    effective_at: datetime | None = None

    def context(self, recorded_at: datetime, arrived_at: datetime | None = None) -> CommandContext:
        """Return the context in which it is executed; `InvalidInput` when `effective_at` is out of range."""
        asked = None if self.effective_at is None else checked_effective_at(self.effective_at)
        return CommandContext(recorded_at, self.provenance, asked, arrived_at)


class CreateCustomer(EffectiveDatedCommand, frozen=True):
    """Create a customer and adopt its earlier usage. `AlreadyExists` when it was created and not deleted."""

    fields: Mapping[str, Any] = {}

    def apply(self, aggregate: Customer, context: CommandContext) -> None:
        """Begin a life, or adopt the one that usage began."""
        aggregate.create(self.fields, context)


class ExistingCustomerCommand(EffectiveDatedCommand, frozen=True, kw_only=True):
    """A command about a customer that exists: one that was created, or one that is known by its usage.

    The latter is created in the same append, adopting that usage. `seen_at` tells whether there is such usage, in the
    customer's present life; `NotFound` when there is none. With `NOT_LOOKED_UP` every customer is taken to exist that
    was never deleted. One that was deleted is revived by a block, or by a deletion, which ends a life that usage may
    have begun; by nothing else.
    """

    revives: ClassVar[bool] = False

    seen_at: SeenAt = None

    def apply(self, aggregate: Customer, context: CommandContext) -> None:
        """Adopt the customer if usage is all that made it known, and change it."""
        if self.seen_at != NOT_LOOKED_UP:
            aggregate.adopt_if_seen(self.seen_at, context)
        elif aggregate.alive or aggregate.life == 1 or self.revives:
            aggregate.adopt(context)
        else:
            raise NotFound(f"customer {self.customer_id!r} was deleted; create it again")
        self.change(aggregate, context)

    def change(self, customer: Customer, context: CommandContext) -> None:
        """Change a customer, which may not exist."""
        raise NotImplementedError


class UpdateCustomer(ExistingCustomerCommand, frozen=True):
    """Set the fields named in `changes`, clear those that are None; deactivate or reactivate by `active`.

    `metadata` and `model_limits` are merge patches, unless they are named in `replaced`: then they are the new map.
    """

    changes: Mapping[str, Any] = {}
    active: bool | None = None
    replaced: frozenset[str] = frozenset()

    def change(self, customer: Customer, context: CommandContext) -> None:
        """Change fields first, then the activity."""
        if self.changes or self.active is None:
            customer.update(self.changes, context, self.replaced)
        if self.active is not None:
            (customer.reactivate if self.active else customer.deactivate)(context)


class BlockCustomer(ExistingCustomerCommand, frozen=True):
    """Refuse access to a customer, whatever its budget."""

    revives: ClassVar[bool] = True

    def change(self, customer: Customer, context: CommandContext) -> None:
        """Block; no effect when blocked already."""
        customer.block(context)


class UnblockCustomer(ExistingCustomerCommand, frozen=True):
    """Remove a block."""

    def change(self, customer: Customer, context: CommandContext) -> None:
        """Unblock; no effect when not blocked."""
        customer.unblock(context)


class DeactivateCustomer(ExistingCustomerCommand, frozen=True):
    """Hide a customer from reports by customer. Usage still counts."""

    def change(self, customer: Customer, context: CommandContext) -> None:
        """Hide; no effect when hidden already."""
        customer.deactivate(context)


class ReactivateCustomer(ExistingCustomerCommand, frozen=True):
    """Show a deactivated customer in reports by customer again."""

    def change(self, customer: Customer, context: CommandContext) -> None:
        """Show; no effect when not hidden."""
        customer.reactivate(context)


class DeleteCustomer(ExistingCustomerCommand, frozen=True):
    """Delete a customer, which ends its life. The state answered is the next life, which has not begun."""

    revives: ClassVar[bool] = True

    def change(self, customer: Customer, context: CommandContext) -> None:
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
        """Adopt those that are known by usage, and delete all."""
        customers = tuple(aggregates.load(blank) for blank in self._blanks(aggregates.seal_of))
        for customer in customers:
            customer.adopt_if_seen(self.seen_at[customer.customer_id], context)
        missing = tuple(customer.customer_id for customer in customers if not customer.alive)
        if missing:
            return Executed(missing)
        for customer in customers:
            customer.delete(context)
        return Executed((), customers)

    def _blanks(self, seal_of: SealOf) -> list[Customer]:
        return [Customer(self.scope, one, seal_of(self.scope, one)) for one in self.seen_at]
