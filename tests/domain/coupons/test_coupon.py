"""Coupons: their fields, events and effective instants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.aggregate import CommandContext
from domain.coupons.commands import CouponCommand, CreateCoupon, DeleteCoupon, UpdateCoupon
from domain.coupons.coupon import Coupon
from domain.coupons.events import CouponCreated, CouponDeleted, CouponUpdated
from domain.coupons.fields import COUPON_RULES
from domain.errors import AlreadyExists, InvalidInput, NotFound
from domain.event import Provenance
from domain.scope import DEFAULT_SCOPE
from domain.values.field_rules import checked

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
EARLIER, LATER = NOW - timedelta(days=30), NOW + timedelta(days=30)
WHO = Provenance("key_1", "native", "asked")
FIVE = {"amount": "5", "currency": "USD", "frequency": "once"}
TENTH = {"percentage": "10", "frequency": "forever"}


def context(effective_at: datetime | None = None) -> CommandContext:
    return CommandContext(NOW, WHO, effective_at)


def coupon(**fields: Any) -> Coupon:
    made = Coupon(DEFAULT_SCOPE, "welcome")
    made.create({**FIVE, **fields}, context(EARLIER))
    made.collect_events()
    return made


def about(version: int, effective_at: datetime) -> dict[str, Any]:
    return {
        "stream": "coupon/default/prod/welcome",
        "version": version,
        "recorded_at": NOW,
        "effective_at": effective_at,
        "provenance": WHO,
        "tenant": "default",
        "environment": "prod",
        "code": "welcome",
    }


def test_each_command_is_effective_from_its_effective_at() -> None:
    one = Coupon(DEFAULT_SCOPE, "welcome")
    who = (DEFAULT_SCOPE, WHO, "welcome")
    commands: list[CouponCommand] = [
        CreateCoupon(*who, {**FIVE, "currency": "usd", "name": None}, effective_at=EARLIER),
        UpdateCoupon(*who, {"amount": "7.50"}, effective_at=LATER),
        UpdateCoupon(*who, {"reusable": False}, effective_at=EARLIER),
        DeleteCoupon(*who, effective_at=NOW - timedelta(days=1)),
    ]
    for command in commands:
        command.apply(one, command.context(NOW))

    assert one.collect_events() == [
        CouponCreated(**about(1, EARLIER), fields=FIVE),
        CouponUpdated(**about(2, LATER), fields={"amount": "7.5"}),
        CouponUpdated(**about(3, EARLIER), fields={"reusable": False}),
        CouponDeleted(**about(4, NOW - timedelta(days=1))),
    ]
    assert (one.life, one.alive) == (2, False)


def test_fields_are_stored_in_one_form() -> None:
    given = {
        "amount": 5,
        "currency": "eur",
        "percentage": "12.50",
        "frequency": "recurring",
        "periods": 3,
        "plans": ("pro", "pro", "team"),
        "meters": ["tokens"],
        "expires_at": "2026-12-31T23:00:00-01:00",
        "reusable": False,
        "name": "Welcome",
        "description": None,
        "dialect_fields": {"lago": {"a": 1}},
    }
    assert checked(COUPON_RULES, given) == {
        **given,
        "amount": "5",
        "currency": "EUR",
        "percentage": "12.5",
        "plans": ["pro", "team"],
        "expires_at": "2027-01-01T00:00:00.000000Z",
    }


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("amount", "0", "must be above 0"),
        ("amount", "-1", "must not be negative"),
        ("percentage", "0.0", "must be above 0"),
        ("currency", "XXX", "must be a currency of ISO 4217"),
        ("frequency", "weekly", "must be 'once' or 'recurring' or 'forever'"),
        ("periods", 0, "must be from 1 to 1000"),
        ("periods", 1_001, "must be from 1 to 1000"),
        ("plans", "pro", "must be a list of codes"),
        ("plans", ["."], "must not be"),
        ("meters", [str(number) for number in range(101)], "must have at most 100 codes"),
        ("expires_at", "soon", "must be an instant"),
        ("reusable", 1, "must be true or false"),
    ],
)
def test_a_field_that_breaks_its_rule_is_refused(field: str, value: object, rule: str) -> None:
    with pytest.raises(InvalidInput, match=rule):
        checked(COUPON_RULES, {field: value})


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("frequency", {"percentage": "5"}),
        ("amount", {"frequency": "once"}),
        ("percentage", {**FIVE, "percentage": "5"}),
        ("currency", {"amount": "5", "frequency": "once"}),
        ("currency", {**TENTH, "currency": "USD"}),
        ("amount", {**FIVE, "amount": "5.001"}),
        ("amount", {**FIVE, "amount": "5.5", "currency": "JPY"}),
        ("periods", {**TENTH, "frequency": "recurring"}),
        ("periods", {**FIVE, "periods": 3}),
        ("meters", {**FIVE, "plans": ["pro"], "meters": ["tokens"]}),
    ],
)
def test_a_coupon_takes_off_one_thing_and_is_limited_by_one(field: str, fields: dict[str, Any]) -> None:
    one = Coupon(DEFAULT_SCOPE, "welcome")

    with pytest.raises(InvalidInput) as refused:
        one.create(fields, context())

    assert (refused.value.field, one.collect_events()) == (field, [])


def test_a_change_may_turn_an_amount_into_a_percentage() -> None:
    one = coupon()
    one.update({"amount": None, "currency": None, "percentage": "10"}, context())
    assert one.timeline.latest() == {"percentage": "10", "frequency": "once"}


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("percentage", {"percentage": "10"}),
        ("amount", {"amount": None, "currency": None}),
        ("periods", {"frequency": "recurring"}),
        ("frequency", {"frequency": None}),
        ("code", {"code": "other"}),
    ],
)
def test_a_change_that_would_leave_no_coupon_is_refused(field: str, changes: dict[str, Any]) -> None:
    one = coupon()

    with pytest.raises(InvalidInput) as refused:
        one.update(changes, context())

    assert (refused.value.field, one.collect_events()) == (field, [])


def test_a_change_is_checked_against_what_takes_effect_later() -> None:
    one = coupon()
    one.update({"amount": "5.50"}, context(LATER))

    with pytest.raises(InvalidInput, match="must have at most 0 decimals in JPY"):
        one.update({"currency": "JPY"}, context())


def test_a_change_that_changes_nothing_is_not_written_unless_it_names_its_instant() -> None:
    one = coupon()

    one.update({"amount": "5.00"}, context())
    assert one.collect_events() == []

    one.update({"amount": "5.00"}, context(NOW))
    assert one.collect_events() == [CouponUpdated(**about(2, NOW), fields={"amount": "5"})]


def test_a_code_in_use_is_refused_and_a_missing_coupon_is_not_found() -> None:
    with pytest.raises(AlreadyExists, match="coupon 'welcome' exists already"):
        coupon().create(FIVE, context())
    for command in (UpdateCoupon(DEFAULT_SCOPE, WHO, "gone", {}), DeleteCoupon(DEFAULT_SCOPE, WHO, "gone")):
        with pytest.raises(NotFound, match="coupon 'gone' does not exist"):
            command.apply(Coupon(DEFAULT_SCOPE, "gone"), context())


def test_what_is_applied_is_the_coupon_at_that_instant_and_before_its_creation_as_it_was_created() -> None:
    one = coupon(expires_at=LATER)
    one.update({"amount": "6"}, context())

    applied = [one.applied_at(at)["amount"] for at in (EARLIER - timedelta(days=1), EARLIER, NOW)]

    assert applied == ["5", "5", "6"]
    with pytest.raises(InvalidInput, match="expired at 2026-12-20T12:00:00") as refused:
        one.applied_at(LATER)
    assert refused.value.code == "coupon_expired"
