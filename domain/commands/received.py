"""Commands received as events: parsing their data, by the rules of the HTTP bodies, and executing them.

`parse_command` parses a command, `execute_command` applies it to an aggregate. Both raise `InvalidInput` for a value
that breaks a rule, naming fields as the sender wrote them; `execute_command` also raises `AlreadyExists` and
`NotFound`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from domain.aggregate import Aggregate, CommandContext
from domain.budgets.shared_budget import SharedBudget
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
from domain.customers.customer import Customer
from domain.customers.fields import CREATION_FIELDS
from domain.errors import InvalidInput, NotFound
from domain.scope import Scope
from domain.values.field_rules import instant
from domain.values.identifiers import checked_id

REASON_LENGTH_MAX: Final = 1_000
EFFECTIVE_MIN: Final = datetime(1980, 1, 1, tzinfo=UTC)
EFFECTIVE_LIMIT: Final = datetime(2200, 1, 1, tzinfo=UTC)
CUSTOMER_PREFIX: Final = "customer."
BUDGET_PREFIX: Final = "budget."
#: Members that any command may have beside the fields that it sets.
_COMMON_MEMBERS: Final = frozenset({"reason"})
_COMMON_CUSTOMER_MEMBERS: Final = _COMMON_MEMBERS | {"effective_at"}

Members = Mapping[str, Any]


class ReceivedCommand(msgspec.Struct, frozen=True):
    """A parsed command. Without `effective_at` it is effective from its arrival."""

    kind: str
    fields: Members = {}
    active: bool | None = None
    reason: str | None = None
    effective_at: datetime | None = None

    @property
    def is_about_budget(self) -> bool:
        """Whether the command concerns a shared budget; otherwise it concerns a customer."""
        return self.kind.startswith(BUDGET_PREFIX)


def parse_command(kind: str, subject: str, data: object) -> ReceivedCommand:
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
    return COMMAND_KINDS[kind](kind, {name: value for name, value in data.items() if name != "id"})


def new_aggregate(command: ReceivedCommand, scope: Scope, subject: str, customer: Callable[[], Customer]) -> Aggregate:
    """Return the aggregate that a command concerns, without any events; `customer` creates a `Customer`."""
    return SharedBudget(scope, subject) if command.is_about_budget else customer()


def execute_command(command: ReceivedCommand, aggregate: Aggregate, context: CommandContext) -> None:
    """Execute a command on an aggregate.

    After an exception the aggregate must be discarded: it may have produced some of its events already.
    """
    try:
        if isinstance(aggregate, SharedBudget):
            _execute_on_budget(command, aggregate, context)
        elif isinstance(aggregate, Customer):
            _execute_on_customer(command, aggregate, context)
    except InvalidInput as error:
        shown = shown_tier_field if command.is_about_budget else shown_customer_field
        raise InvalidInput(shown(error.field), error.rule, error.code) from None


def _execute_on_budget(command: ReceivedCommand, budget: SharedBudget, context: CommandContext) -> None:
    match command.kind:
        case "budget.create":
            budget.create(command.fields, context)
        case "budget.update":
            budget.update(command.fields, context)
        case "budget.delete":
            budget.delete(context)


def _execute_on_customer(command: ReceivedCommand, customer: Customer, context: CommandContext) -> None:
    """Execute a command on a customer, which is adopted if it is not explicit.

    A customer that was never created is always adopted, since usage cannot be looked up here. One that was deleted is
    adopted only to be blocked, or to end a life that usage may have begun: any other change would revive it.
    """
    if command.kind == "customer.create":
        customer.create(command.fields, context)
        return
    if not customer.alive and customer.life > 1 and command.kind not in _ALLOWED_AFTER_DELETION:
        raise NotFound(f"customer {customer.customer_id!r} was deleted; create it again")
    customer.adopt(context)
    if command.kind == "customer.update":
        _update(command, customer, context)
    else:
        _CUSTOMER_METHODS[command.kind](customer, context)


def _update(command: ReceivedCommand, customer: Customer, context: CommandContext) -> None:
    if command.fields:
        customer.update(command.fields, context)
    if command.active is not None:
        (Customer.reactivate if command.active else Customer.deactivate)(customer, context)


_ALLOWED_AFTER_DELETION: Final = frozenset({"customer.block", "customer.delete"})
_CUSTOMER_METHODS: Final[dict[str, Callable[[Customer, CommandContext], None]]] = {
    "customer.block": Customer.block,
    "customer.unblock": Customer.unblock,
    "customer.deactivate": Customer.deactivate,
    "customer.reactivate": Customer.reactivate,
    "customer.delete": Customer.delete,
}


def _customer_created(kind: str, data: Members) -> ReceivedCommand:
    check_names(data, CUSTOMER_NAMES | CREATION_FIELDS | _COMMON_CUSTOMER_MEMBERS)
    fields = without_nulls(flat_customer_changes(_without(data, _COMMON_CUSTOMER_MEMBERS)))
    return ReceivedCommand(kind, fields, None, _reason(data), _effective_at(data))


def _customer_updated(kind: str, data: Members) -> ReceivedCommand:
    check_names(data, CUSTOMER_NAMES | {"active"} | _COMMON_CUSTOMER_MEMBERS)
    active = data.get("active")
    if active is not None and not isinstance(active, bool):
        raise InvalidInput("active", "must be true or false")
    fields = flat_customer_changes(_without(data, _COMMON_CUSTOMER_MEMBERS | {"active"}))
    return ReceivedCommand(kind, fields, active, _reason(data), _effective_at(data))


def _customer_changed(kind: str, data: Members) -> ReceivedCommand:
    check_names(data, _COMMON_CUSTOMER_MEMBERS)
    return ReceivedCommand(kind, {}, None, _reason(data), _effective_at(data))


def _budget_created(kind: str, data: Members) -> ReceivedCommand:
    check_names(data, TIER_NAMES | _COMMON_MEMBERS)
    return ReceivedCommand(kind, without_nulls(flat_tier_changes(_without(data, _COMMON_MEMBERS))), None, _reason(data))


def _budget_updated(kind: str, data: Members) -> ReceivedCommand:
    check_names(data, TIER_NAMES | _COMMON_MEMBERS)
    return ReceivedCommand(kind, flat_tier_changes(_without(data, _COMMON_MEMBERS)), None, _reason(data))


def _budget_deleted(kind: str, data: Members) -> ReceivedCommand:
    check_names(data, _COMMON_MEMBERS)
    return ReceivedCommand(kind, reason=_reason(data))


#: The event types that are commands, and the parser of the data of each.
COMMAND_KINDS: Final[dict[str, Callable[[str, Members], ReceivedCommand]]] = {
    "customer.create": _customer_created,
    "customer.update": _customer_updated,
    **dict.fromkeys(_CUSTOMER_METHODS, _customer_changed),
    "budget.create": _budget_created,
    "budget.update": _budget_updated,
    "budget.delete": _budget_deleted,
}


def _without(data: Members, names: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name not in names}


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
    return reason


def _effective_at(data: Members) -> datetime | None:
    given = data.get("effective_at")
    if given is None:
        return None
    moment = datetime.fromisoformat(instant("effective_at", given))
    return checked_effective_at(moment)


def checked_effective_at(moment: datetime) -> datetime:
    """Return the effective instant of a command in UTC; `InvalidInput` when it is not between 1980 and 2200."""
    if moment.tzinfo is None or not EFFECTIVE_MIN <= moment < EFFECTIVE_LIMIT:
        raise InvalidInput("effective_at", "must be an instant with an offset, between 1980 and 2200")
    return moment.astimezone(UTC)
