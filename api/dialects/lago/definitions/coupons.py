"""Coupons of requests as native fields of coupons, and the terms of an application."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from api.dialects.lago.definitions.metrics import metrics_by_code
from api.dialects.lago.error_shapes import INVALID, MANDATORY, not_allowed, not_found, validation_refusal
from api.dialects.lago.formats import amount_of_cents, cents
from api.dialects.lago.models.coupons import (
    FIXED,
    NO_EXPIRATION,
    TIME_LIMIT,
    AppliedCouponInput,
    CouponInput,
    CouponPatch,
)
from api.http.bodies import validated
from api.http.reading import Reading
from domain.coupons.fields import RECURRING, TERMS
from domain.scope import Scope
from domain.values.money import money_text
from projections.views.charging.coupons import CouponView
from projections.views.charging.plans import plan_view

#: Lago's names of the fields of coupons.
SHOWN_FIELDS: Final = {
    "amount": "amount_cents",
    "currency": "amount_currency",
    "percentage": "percentage_rate",
    "periods": "frequency_duration",
    "expires_at": "expiration_at",
    "plans": "applies_to",
    "meters": "applies_to",
}
OUT_OF_RANGE: Final = "value_is_out_of_range"
_INVALID_DATE: Final = "invalid_date"

Details = dict[str, list[str]]


def coupon_fields(given: CouponInput, asked: Reading, scope: Scope, *, checked_end: bool = True) -> dict[str, Any]:
    """The fields of a coupon. Refuses what is missing or wrong, 404 for plans and metrics that do not exist."""
    details: Details = {}
    for name in ("coupon_type", "frequency"):
        if getattr(given, name) is None:
            details[name] = [MANDATORY]
    is_fixed = given.coupon_type == FIXED
    if is_fixed:
        _check_amount(given.amount_cents, given.amount_currency, details)
    elif given.coupon_type is not None:
        _check_above_zero("percentage_rate", given.percentage_rate, details)
    if given.frequency == RECURRING:
        _check_above_zero("frequency_duration", given.frequency_duration, details)
    expires_at = given.expiration_at if given.expiration == TIME_LIMIT else None
    if given.expiration == TIME_LIMIT and (expires_at is None or (checked_end and expires_at <= asked.now)):
        details["expiration_at"] = [_INVALID_DATE]
    if details:
        raise validation_refusal(details)
    plans, meters = _limits(given, asked, scope)
    fields = {
        "name": given.name,
        "description": given.description,
        **(_amount(given.amount_cents or 0, given.amount_currency or "") if is_fixed else {}),
        "percentage": None if is_fixed else _rate_text(given.percentage_rate),
        "frequency": given.frequency,
        "periods": given.frequency_duration if given.frequency == RECURRING else None,
        "expires_at": expires_at,
        "reusable": given.reusable is not False,
        "plans": plans or None,
        "meters": meters or None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def coupon_changes(shown: Mapping[str, Any], given: CouponPatch, asked: Reading, scope: Scope) -> dict[str, Any]:
    """What a request changes of a coupon as it is shown; None clears a field.

    Null clears the description alone. Generated clients send it for every member that they leave as it is.
    """
    limits = {"plan_codes": shown["plan_codes"], "billable_metric_codes": shown["billable_metric_codes"]}
    changes = {name: value for name, value in given.sent.items() if value is not None or name == "description"}
    after = validated(CouponInput, {**shown, "applies_to": limits, **changes})
    if after.code != shown["code"]:
        raise validation_refusal({"code": [INVALID]})
    names_end = changes.keys() & {"expiration", "expiration_at"}
    fields = coupon_fields(after, asked, scope, checked_end=bool(names_end))
    return {
        name: fields.get(name) for name in ("name", "description", *TERMS, "expires_at", "reusable", "plans", "meters")
    }


def own_terms(given: AppliedCouponInput, coupon: CouponView) -> dict[str, Any]:
    """The terms that an application has in place of those of the coupon; a value of another kind is ignored."""
    details: Details = {}
    terms: dict[str, Any] = {}
    if coupon.terms.percentage is not None:
        if given.percentage_rate is not None:
            _check_above_zero("percentage_rate", given.percentage_rate, details)
            terms["percentage"] = _rate_text(given.percentage_rate)
    elif given.amount_cents is not None or given.amount_currency is not None:
        currency = given.amount_currency or coupon.terms.currency or ""
        amount_cents = given.amount_cents
        if amount_cents is None and coupon.terms.amount is not None and currency != coupon.terms.currency:
            amount_cents = cents(coupon.terms.amount, coupon.terms.currency or "")  # as many minor units of another
        if amount_cents is not None:
            _check_amount(amount_cents, currency, details)
            terms |= _amount(amount_cents, currency)
    frequency = given.frequency or coupon.terms.frequency
    periods = given.frequency_duration if given.frequency_duration is not None else coupon.terms.periods
    if frequency == RECURRING:
        _check_above_zero("frequency_duration", periods, details)
        terms["periods"] = periods
    if details:
        raise validation_refusal(details)
    return {**terms, "frequency": frequency}


def expiration_of(expires_at: datetime | None) -> str:
    """Lago's word for whether a coupon expires."""
    return NO_EXPIRATION if expires_at is None else TIME_LIMIT


def _limits(given: CouponInput, asked: Reading, scope: Scope) -> tuple[list[str], list[str]]:
    """The plans and the meters that a coupon is limited to, all of which exist."""
    limits = given.applies_to
    plans = list(dict.fromkeys((limits and limits.plan_codes) or ()))
    meters = list(dict.fromkeys((limits and limits.billable_metric_codes) or ()))
    facts = asked.snapshot.facts_named(scope, "plan", plans)
    if any(plan_view(code, facts.get(code, ()), asked.now) is None for code in plans):
        raise not_found("plans")
    if len(metrics_by_code(asked.snapshot, scope, meters, asked.now)) < len(meters):
        raise not_found("billable_metrics")
    if plans and meters:
        raise not_allowed("only_one_limitation_type_per_coupon_allowed")
    return plans, meters


def _check_amount(amount_cents: int | None, currency: str | None, details: Details) -> None:
    _check_above_zero("amount_cents", amount_cents, details)
    if not currency:
        details["amount_currency"] = [MANDATORY]


def _check_above_zero(name: str, value: Decimal | int | None, details: Details) -> None:
    if value is None:
        details[name] = [MANDATORY]
    elif value <= 0:
        details[name] = [OUT_OF_RANGE]


def _amount(amount_cents: int, currency: str) -> dict[str, Any]:
    return {"amount": money_text(amount_of_cents(amount_cents, currency)), "currency": currency}


def _rate_text(rate: Decimal | None) -> str | None:
    return None if rate is None else money_text(rate)
