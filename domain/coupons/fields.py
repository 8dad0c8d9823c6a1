"""The fields of coupons and the validation rule of each: what a coupon takes off, how often, of what, and until when.

A coupon takes off a fixed `amount` of a `currency`, or a `percentage`. `frequency`: "once", "recurring" for as many
billing periods as `periods` says, or "forever". It may be limited to the charges of `plans`, or to those of `meters`.
It can be applied before `expires_at`, and by the same customer again unless `reusable` is false.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from domain.charges.currencies import minor_digits
from domain.customers.fields import dialect_fields
from domain.errors import InvalidInput
from domain.plans.fields import currency, plan_code
from domain.values import field_rules
from domain.values.field_rules import Rule
from domain.values.money import decimals_of

ONCE: Final = "once"
RECURRING: Final = "recurring"
FOREVER: Final = "forever"
PERIODS_MAX: Final = 1_000
LIMITS_MAX: Final = 100
#: What an applied coupon has of its coupon, or in place of it.
TERMS: Final = ("amount", "currency", "percentage", "frequency", "periods")
#: What it has of its coupon alone.
LIMITS: Final = ("plans", "meters")


def coupon_code(code: object, field: str = "code") -> str:
    """Return `code` if it is allowed: text of 1 to 255 characters, and not '.' or '..'."""
    try:
        return plan_code(code)
    except InvalidInput as error:
        raise InvalidInput(field, error.rule) from None


def check_together(fields: Mapping[str, Any]) -> None:
    """Check what concerns several fields together; `fields` are in stored form, and none of them is None."""
    if "amount" in fields and "percentage" in fields:
        raise InvalidInput("percentage", "must not be set beside amount")
    if "percentage" not in fields and "amount" not in fields:
        raise InvalidInput("amount", "is required, or percentage")
    if "amount" in fields:
        if "currency" not in fields:
            raise InvalidInput("currency", "is required beside amount")
        digits = minor_digits(fields["currency"])
        if decimals_of(Decimal(fields["amount"])) > digits:
            raise InvalidInput("amount", f"must have at most {digits} decimals in {fields['currency']}")
    elif "currency" in fields:
        raise InvalidInput("currency", "must not be set beside percentage")
    if (fields.get("frequency") == RECURRING) != ("periods" in fields):
        raise InvalidInput("periods", "is required for the frequency 'recurring', and for no other")
    if fields.get("plans") and fields.get("meters"):
        raise InvalidInput("meters", "must not be set beside plans", code="only_one_limitation")


def _above_zero(field: str, value: object) -> str:
    text = field_rules.amount_usd(field, value)
    if not Decimal(text):
        raise InvalidInput(field, "must be above 0")
    return text


def _periods(field: str, value: object) -> int:
    periods = field_rules.count(field, value)
    if not 1 <= periods <= PERIODS_MAX:
        raise InvalidInput(field, f"must be from 1 to {PERIODS_MAX}")
    return periods


def _flag(field: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise InvalidInput(field, "must be true or false")
    return value


def _codes(field: str, value: object) -> list[str]:
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise InvalidInput(field, "must be a list of codes")
    if len(value) > LIMITS_MAX:
        raise InvalidInput(field, f"must have at most {LIMITS_MAX} codes")
    return list(dict.fromkeys(coupon_code(one, f"{field}.{number}") for number, one in enumerate(value)))


#: What a coupon takes off; an applied one may have others than its coupon.
TERM_RULES: Final[dict[str, Rule]] = {
    "amount": _above_zero,
    "currency": currency,
    "percentage": _above_zero,
    "frequency": field_rules.one_of(ONCE, RECURRING, FOREVER),
    "periods": _periods,
}
COUPON_RULES: Final[dict[str, Rule]] = {
    **TERM_RULES,
    "name": field_rules.text,
    "description": field_rules.text,
    "plans": _codes,
    "meters": _codes,
    "expires_at": field_rules.instant,
    "reusable": _flag,
    "dialect_fields": dialect_fields,
}
