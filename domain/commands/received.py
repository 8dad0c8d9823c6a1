"""Commands received as events: parsing their data, by the rules of the HTTP bodies, and applying them.

`parse_command` returns the same command values that HTTP makes. Both functions raise `InvalidInput` for a value that
breaks a rule, naming fields as the sender wrote them; `apply_received` also raises `AlreadyExists` and `NotFound`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from domain.aggregate import Aggregate, CommandContext
from domain.budgets.commands import BudgetCommand, CreateBudget, DeleteBudget, UpdateBudget
from domain.command import AggregateCommand, checked_effective_at
from domain.commands.wire_names import (
    CUSTOMER_NAMES,
    TIER_NAMES,
    check_names,
    flat_customer_changes,
    flat_tier_changes,
    shown_customer_field,
    shown_tier_field,
    without_nulls,
)
from domain.customers.commands import (
    NOT_LOOKED_UP,
    BlockCustomer,
    CreateCustomer,
    DeactivateCustomer,
    DeleteCustomer,
    ExistingCustomerCommand,
    ReactivateCustomer,
    UnblockCustomer,
    UpdateCustomer,
)
from domain.customers.fields import CREATION_FIELDS
from domain.errors import InvalidInput
from domain.event import Provenance
from domain.scope import Scope
from domain.values.field_rules import instant
from domain.values.identifiers import checked_id

REASON_LENGTH_MAX: Final = 1_000
#: Members that any command may have beside the fields that it sets.
_COMMON_MEMBERS: Final = frozenset({"reason", "effective_at"})

Members = Mapping[str, Any]
#: A command about a customer or a shared budget, the only subjects that events can command.
ReceivedCommand = AggregateCommand[Any]


class Sender(msgspec.Struct, frozen=True):
    """Whose data a received command is about, and who sent it through which dialect."""

    scope: Scope
    actor: str
    dialect: str

    def because(self, data: Members) -> tuple[Scope, Provenance]:
        """Return the scope and the provenance of a command with this data, which may give a reason."""
        return self.scope, Provenance(self.actor, self.dialect, _reason(data))


def parse_command(kind: str, sender: Sender, subject: str, data: object) -> ReceivedCommand:
    """Parse a command of a kind in `COMMAND_KINDS`; `data` None means no data."""
    if kind not in COMMAND_KINDS:
        raise InvalidInput("type", f"must be one of {', '.join(sorted(COMMAND_KINDS))}")
    checked_id("subject", subject)
    if data is None:
        data = {}
    if not isinstance(data, Mapping):
        raise InvalidInput("data", "must be an object")
    if data.get("id", subject) != subject:
        raise InvalidInput("id", "must equal the subject if it is given")
    return COMMAND_KINDS[kind](sender, subject, {name: value for name, value in data.items() if name != "id"})


def apply_received(command: ReceivedCommand, aggregate: Aggregate, context: CommandContext) -> None:
    """Apply a received command to its aggregate. After an exception the aggregate must be discarded."""
    try:
        command.apply(aggregate, context)
    except InvalidInput as error:
        shown = shown_tier_field if isinstance(command, BudgetCommand) else shown_customer_field
        raise InvalidInput(shown(error.field), error.rule, error.code) from None


def _create_customer(sender: Sender, subject: str, data: Members) -> ReceivedCommand:
    check_names(data, CUSTOMER_NAMES | CREATION_FIELDS | _COMMON_MEMBERS)
    fields = without_nulls(flat_customer_changes(_without(data, _COMMON_MEMBERS)))
    return CreateCustomer(*sender.because(data), subject, fields, effective_at=_effective_at(data))


def _update_customer(sender: Sender, subject: str, data: Members) -> ReceivedCommand:
    check_names(data, CUSTOMER_NAMES | {"active"} | _COMMON_MEMBERS)
    active = data.get("active")
    if active is not None and not isinstance(active, bool):
        raise InvalidInput("active", "must be true or false")
    changes = flat_customer_changes(_without(data, _COMMON_MEMBERS | {"active"}))
    return UpdateCustomer(
        *sender.because(data), subject, changes, active, effective_at=_effective_at(data), seen_at=NOT_LOOKED_UP
    )


def _customer_verb(command: type[ExistingCustomerCommand]) -> Parser:
    def parse(sender: Sender, subject: str, data: Members) -> ReceivedCommand:
        check_names(data, _COMMON_MEMBERS)
        return command(*sender.because(data), subject, effective_at=_effective_at(data), seen_at=NOT_LOOKED_UP)

    return parse


def _create_budget(sender: Sender, subject: str, data: Members) -> ReceivedCommand:
    check_names(data, TIER_NAMES | _COMMON_MEMBERS)
    fields = without_nulls(flat_tier_changes(_without(data, _COMMON_MEMBERS)))
    return CreateBudget(*sender.because(data), subject, fields, effective_at=_effective_at(data))


def _update_budget(sender: Sender, subject: str, data: Members) -> ReceivedCommand:
    check_names(data, TIER_NAMES | _COMMON_MEMBERS)
    changes = flat_tier_changes(_without(data, _COMMON_MEMBERS))
    return UpdateBudget(*sender.because(data), subject, changes, effective_at=_effective_at(data))


def _delete_budget(sender: Sender, subject: str, data: Members) -> ReceivedCommand:
    check_names(data, _COMMON_MEMBERS)
    return DeleteBudget(*sender.because(data), subject, effective_at=_effective_at(data))


#: Reads the data of a command about a subject.
Parser = Callable[[Sender, str, Members], ReceivedCommand]
#: The event types that are commands, and the parser of the data of each.
COMMAND_KINDS: Final[dict[str, Parser]] = {
    "customer.create": _create_customer,
    "customer.update": _update_customer,
    "customer.block": _customer_verb(BlockCustomer),
    "customer.unblock": _customer_verb(UnblockCustomer),
    "customer.deactivate": _customer_verb(DeactivateCustomer),
    "customer.reactivate": _customer_verb(ReactivateCustomer),
    "customer.delete": _customer_verb(DeleteCustomer),
    "budget.create": _create_budget,
    "budget.update": _update_budget,
    "budget.delete": _delete_budget,
}


def _without(data: Members, names: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name not in names}


def reason_or_none(text: str) -> str | None:
    """Return a reason without blanks around it; None where nothing is left."""
    return text.strip() or None


def _reason(data: Members) -> str | None:
    reason = data.get("reason")
    if reason is None:
        return None
    if not isinstance(reason, str) or len(reason) > REASON_LENGTH_MAX:
        raise InvalidInput("reason", f"must be text of at most {REASON_LENGTH_MAX} characters")
    try:
        reason.encode()
    except UnicodeEncodeError:
        raise InvalidInput("reason", "must be valid Unicode text, without lone surrogates") from None
    return reason_or_none(reason)


def _effective_at(data: Members) -> datetime | None:
    given = data.get("effective_at")
    if given is None:
        return None
    moment = datetime.fromisoformat(instant("effective_at", given))
    return checked_effective_at(moment)
