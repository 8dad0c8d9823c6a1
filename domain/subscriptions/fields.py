"""The fields of subscriptions and the validation rule of each."""

from __future__ import annotations

from typing import Final

from domain.customers.fields import dialect_fields
from domain.errors import InvalidInput
from domain.plans.fields import plan_code
from domain.values import field_rules
from domain.values.field_rules import Rule

#: Where periods begin: at the bounds of the calendar, or at the day of the month (or of the week) of the start.
BILLINGS: Final = ("calendar", "anniversary")
BILLING_DEFAULT: Final = "calendar"


def _plan(field: str, value: object) -> str:
    try:
        return plan_code(value)
    except InvalidInput as error:
        raise InvalidInput(field, "must be the code of a plan") from error


#: The fields that can be changed after creation: a change of plan begins a new period.
CHANGEABLE_RULES: Final[dict[str, Rule]] = {
    "name": field_rules.text,
    "plan": _plan,
    "ends_at": field_rules.instant,
    "dialect_fields": dialect_fields,
}
SUBSCRIPTION_RULES: Final[dict[str, Rule]] = {
    **CHANGEABLE_RULES,
    "customer": field_rules.identifier,
    "billing": field_rules.one_of(*BILLINGS),
}
