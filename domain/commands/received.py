"""Commands that are sent as events: what stands in their data, read as the HTTP routes read their bodies.

`read_command` says what is to be done, `carry_out` does it to an aggregate. Both raise `InvalidInput` for what breaks
a rule, naming fields as the sender wrote them; `carry_out` also `AlreadyExists` and `NotFound`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from domain.aggregate import Aggregate, Occasion
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
#: Said by any command beside what it sets.
_BESIDE: Final = frozenset({"reason"})
_BESIDE_CUSTOMERS: Final = _BESIDE | {"effective_at"}

Members = Mapping[str, Any]


class ReadCommand(msgspec.Struct, frozen=True):
    """What a command is to do. `effective_at` None: from when it arrived."""

    kind: str
    fields: Members = {}
    active: bool | None = None
    reason: str | None = None
    effective_at: datetime | None = None

    @property
    def is_about_budget(self) -> bool:
        return self.kind.startswith(BUDGET_PREFIX)


def read_command(kind: str, subject: str, data: object) -> ReadCommand:
    """The command of a kind in `COMMAND_KINDS` with this data (None: nothing was sent)."""
    if kind not in COMMAND_KINDS:
        raise InvalidInput("type", f"is one of {', '.join(sorted(COMMAND_KINDS))}")
    checked_id("subject", subject)
    if data is None:
        data = {}
    if not isinstance(data, Mapping):
        raise InvalidInput("data", "is an object")
    if data.get("id", subject) != subject:
        raise InvalidInput("id", "is the same as the subject, where it is given")
    return COMMAND_KINDS[kind](kind, {name: value for name, value in data.items() if name != "id"})


def blank_aggregate(command: ReadCommand, scope: Scope, subject: str, customer: Callable[[], Customer]) -> Aggregate:
    """The aggregate that a command is about, to which nothing has happened. `customer` makes a customer."""
    return SharedBudget(scope, subject) if command.is_about_budget else customer()


def carry_out(command: ReadCommand, aggregate: Aggregate, occasion: Occasion) -> None:
    """Let an aggregate decide. One that raised must be thrown away: it may have taken a first step."""
    try:
        if isinstance(aggregate, SharedBudget):
            _do_to_budget(command, aggregate, occasion)
        elif isinstance(aggregate, Customer):
            _do_to_customer(command, aggregate, occasion)
    except InvalidInput as error:
        shown = shown_tier_field if command.is_about_budget else shown_customer_field
        raise InvalidInput(shown(error.field), error.rule, error.code) from None


def _do_to_budget(command: ReadCommand, budget: SharedBudget, occasion: Occasion) -> None:
    match command.kind:
        case "budget.create":
            budget.create(command.fields, occasion)
        case "budget.update":
            budget.update(command.fields, occasion)
        case "budget.delete":
            budget.delete(occasion)


def _do_to_customer(command: ReadCommand, customer: Customer, occasion: Occasion) -> None:
    """A customer that was never created is adopted: nobody here can ask whether its usage was seen.

    So is one that was deleted, but only to be blocked or to end the life that usage may have begun: any other change
    would bring back who is gone.
    """
    if command.kind == "customer.create":
        customer.create(command.fields, occasion)
        return
    if not customer.alive and customer.life > 1 and command.kind not in _OF_WHO_WAS_DELETED:
        raise NotFound(f"customer {customer.customer_id!r} was deleted: create it again")
    customer.adopt(occasion)
    if command.kind == "customer.update":
        _update(command, customer, occasion)
    else:
        _SIMPLE[command.kind](customer, occasion)


def _update(command: ReadCommand, customer: Customer, occasion: Occasion) -> None:
    if command.fields:
        customer.update(command.fields, occasion)
    if command.active is not None:
        (Customer.reactivate if command.active else Customer.deactivate)(customer, occasion)


_OF_WHO_WAS_DELETED: Final = frozenset({"customer.block", "customer.delete"})
_SIMPLE: Final[dict[str, Callable[[Customer, Occasion], None]]] = {
    "customer.block": Customer.block,
    "customer.unblock": Customer.unblock,
    "customer.deactivate": Customer.deactivate,
    "customer.reactivate": Customer.reactivate,
    "customer.delete": Customer.delete,
}


def _customer_created(kind: str, data: Members) -> ReadCommand:
    check_names(data, CUSTOMER_NAMES | CREATION_FIELDS | _BESIDE_CUSTOMERS)
    fields = without_nulls(flat_customer_changes(_without(data, _BESIDE_CUSTOMERS)))
    return ReadCommand(kind, fields, None, _reason(data), _effective_at(data))


def _customer_updated(kind: str, data: Members) -> ReadCommand:
    check_names(data, CUSTOMER_NAMES | {"active"} | _BESIDE_CUSTOMERS)
    active = data.get("active")
    if active is not None and not isinstance(active, bool):
        raise InvalidInput("active", "is true or false")
    fields = flat_customer_changes(_without(data, _BESIDE_CUSTOMERS | {"active"}))
    return ReadCommand(kind, fields, active, _reason(data), _effective_at(data))


def _customer_changed(kind: str, data: Members) -> ReadCommand:
    check_names(data, _BESIDE_CUSTOMERS)
    return ReadCommand(kind, {}, None, _reason(data), _effective_at(data))


def _budget_created(kind: str, data: Members) -> ReadCommand:
    check_names(data, TIER_NAMES | _BESIDE)
    return ReadCommand(kind, without_nulls(flat_tier_changes(_without(data, _BESIDE))), None, _reason(data))


def _budget_updated(kind: str, data: Members) -> ReadCommand:
    check_names(data, TIER_NAMES | _BESIDE)
    return ReadCommand(kind, flat_tier_changes(_without(data, _BESIDE)), None, _reason(data))


def _budget_deleted(kind: str, data: Members) -> ReadCommand:
    check_names(data, _BESIDE)
    return ReadCommand(kind, reason=_reason(data))


#: The types of events that are commands, and how the data of each is read.
COMMAND_KINDS: Final[dict[str, Callable[[str, Members], ReadCommand]]] = {
    "customer.create": _customer_created,
    "customer.update": _customer_updated,
    **dict.fromkeys(_SIMPLE, _customer_changed),
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
        raise InvalidInput("reason", f"is text of at most {REASON_LENGTH_MAX} characters")
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
    """An instant from which a command may count, in UTC."""
    if moment.tzinfo is None or not EFFECTIVE_MIN <= moment < EFFECTIVE_LIMIT:
        raise InvalidInput("effective_at", "is an instant with an offset, between 1980 and 2200")
    return moment.astimezone(UTC)
