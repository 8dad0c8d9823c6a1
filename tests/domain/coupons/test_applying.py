"""The coupons that a customer applies: their events, what they have of the coupon, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.aggregate import Aggregate, CommandContext
from domain.command import SealOf
from domain.coupons.application_events import AppliedCouponTerminated, CouponApplied
from domain.coupons.applying import ApplyCoupon, CustomerCouponsCommand, TerminateAppliedCoupon
from domain.coupons.coupon import Coupon
from domain.coupons.customer_coupons import APPLIED_MAX, CustomerCoupons
from domain.customers.customer import Customer
from domain.customers.personal_data import CustomerSeal
from domain.errors import InvalidInput, NotFound
from domain.event import Provenance
from domain.plans.plan import Plan
from domain.scope import DEFAULT_SCOPE
from tests.fakes.personal_keys import InMemoryPersonalKeys
from tests.fakes.randomness import CountedRandomness

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
EARLIER, YESTERDAY = NOW - timedelta(days=30), NOW - timedelta(days=1)
WHO = Provenance("key_1", "native", "asked")
FIVE = {"amount": "5", "currency": "USD", "frequency": "once"}
TENTH = {"percentage": "10", "frequency": "forever"}


def context(effective_at: datetime | None = None) -> CommandContext:
    return CommandContext(NOW, WHO, effective_at)


def about(version: int, number: int, effective_at: datetime = NOW) -> dict[str, Any]:
    return {
        "stream": "customer-coupons/default/prod/ada",
        "version": version,
        "recorded_at": NOW,
        "effective_at": effective_at,
        "provenance": WHO,
        "tenant": "default",
        "environment": "prod",
        "customer_id": "ada",
        "number": number,
    }


class Loaded:
    """Aggregates with these coupons, a plan `pro` with a charge for `tokens`, and the customer `ada`."""

    def __init__(self, **coupons: dict[str, Any]) -> None:
        self.applied = CustomerCoupons(DEFAULT_SCOPE, "ada")
        self._seal = CustomerSeal(InMemoryPersonalKeys(), CountedRandomness(), DEFAULT_SCOPE, "ada")
        self.customer = Customer(DEFAULT_SCOPE, "ada", self._seal)
        plan = Plan(DEFAULT_SCOPE, "pro")
        charge = {"code": "tokens", "meter": "tokens", "price": {"model": "standard", "amount": "1"}}
        plan.create({"interval": "monthly", "currency": "USD", "charges": [charge]}, context(EARLIER))
        self._known: dict[str, Aggregate] = {one.id: one for one in (self.applied, self.customer, plan)}
        for code, fields in coupons.items():
            self.coupon(code).create(fields, context(EARLIER))

    @property
    def seal_of(self) -> SealOf:
        return lambda scope, customer_id: self._seal

    def load(self, blank: Any) -> Any:
        return self._known.setdefault(blank.id, blank)

    def coupon(self, code: str) -> Coupon:
        one: Coupon = self.load(Coupon(DEFAULT_SCOPE, code))
        return one

    def execute(self, command: CustomerCouponsCommand) -> None:
        command.execute(self, command.context(NOW))

    def apply(self, code: str, **more: Any) -> None:
        self.execute(ApplyCoupon(DEFAULT_SCOPE, WHO, "ada", code=code, **more))

    def refusal(self, code: str, **more: Any) -> tuple[str, str, str]:
        with pytest.raises(InvalidInput) as refused:
            self.apply(code, **more)
        return refused.value.field, refused.value.rule, refused.value.code


def test_what_is_applied_has_the_terms_and_limits_of_the_coupon_and_a_number() -> None:
    loaded = Loaded(five={**FIVE, "name": "Five", "plans": ["pro"]}, tenth=TENTH)

    loaded.apply("five", effective_at=YESTERDAY)
    loaded.apply("tenth")
    loaded.execute(TerminateAppliedCoupon(DEFAULT_SCOPE, WHO, "ada", 1))

    assert loaded.applied.collect_events() == [
        CouponApplied(**about(1, 1, YESTERDAY), fields={"coupon": "five", **FIVE, "plans": ["pro"]}),
        CouponApplied(**about(2, 2), fields={"coupon": "tenth", **TENTH}),
        AppliedCouponTerminated(**about(3, 1)),
    ]
    assert loaded.applied.last_number == 2


@pytest.mark.parametrize(
    ("coupon", "terms", "applied"),
    [
        (FIVE, {"amount": "2.50"}, {**FIVE, "amount": "2.5"}),
        (FIVE, {"amount": "700", "currency": "jpy"}, {**FIVE, "amount": "700", "currency": "JPY"}),
        (TENTH, {"percentage": 20}, {**TENTH, "percentage": "20"}),
        (TENTH, {"frequency": "recurring", "periods": 3}, {**TENTH, "frequency": "recurring", "periods": 3}),
        ({**TENTH, "frequency": "recurring", "periods": 3}, {"frequency": "once"}, {**TENTH, "frequency": "once"}),
    ],
)
def test_own_terms_are_in_place_of_those_of_the_coupon(
    coupon: dict[str, Any], terms: dict[str, Any], applied: dict[str, Any]
) -> None:
    loaded = Loaded(one=coupon)
    loaded.apply("one", terms=terms)
    assert loaded.applied.collect_events() == [CouponApplied(**about(1, 1), fields={"coupon": "one", **applied})]


@pytest.mark.parametrize(
    ("coupon", "terms", "field"),
    [
        (FIVE, {"percentage": "10"}, "percentage"),
        (TENTH, {"amount": "1"}, "amount"),
        (TENTH, {"currency": "USD"}, "currency"),
        (FIVE, {"amount": "0"}, "amount"),
        (FIVE, {"currency": "JPY", "amount": "1.5"}, "amount"),
        (FIVE, {"frequency": "recurring"}, "periods"),
        (FIVE, {"periods": 2}, "periods"),
        (FIVE, {"plans": ["pro"]}, "plans"),
    ],
)
def test_own_terms_that_make_no_coupon_are_refused(coupon: dict[str, Any], terms: dict[str, Any], field: str) -> None:
    loaded = Loaded(one=coupon)
    assert loaded.refusal("one", terms=terms)[0] == field
    assert loaded.applied.collect_events() == []


def test_a_coupon_that_is_missing_deleted_or_expired_is_refused() -> None:
    loaded = Loaded(gone=FIVE, expired={**FIVE, "expires_at": YESTERDAY})
    loaded.coupon("gone").delete(context())

    assert [loaded.refusal(code)[::2] for code in ("never", "gone", "expired")] == [
        ("coupon", "invalid"),
        ("coupon", "invalid"),
        ("coupon", "coupon_expired"),
    ]
    loaded.apply("expired", effective_at=EARLIER)
    assert loaded.applied.last_number == 1


def test_a_coupon_is_applied_again_unless_it_is_not_reusable() -> None:
    loaded = Loaded(often=FIVE, once={**FIVE, "reusable": False})
    for code in ("often", "often", "once"):
        loaded.apply(code)
    loaded.execute(TerminateAppliedCoupon(DEFAULT_SCOPE, WHO, "ada", 3))

    assert loaded.refusal("once") == ("coupon", "must be reusable to be applied again", "coupon_not_reusable")


def test_the_next_life_of_a_customer_may_apply_what_the_last_one_had() -> None:
    loaded = Loaded(once={**FIVE, "reusable": False})
    loaded.apply("once", effective_at=YESTERDAY)
    loaded.customer.create({}, context(EARLIER))
    loaded.customer.delete(context(NOW - timedelta(hours=1)))

    loaded.apply("once")

    assert loaded.applied.last_number == 2


@pytest.mark.parametrize(
    ("standing", "asked", "overlaps"),
    [
        ({"plans": ["pro"]}, {"plans": ["team", "pro"]}, True),
        ({"plans": ["pro"]}, {"plans": ["team"]}, False),
        ({"meters": ["tokens"]}, {"meters": ["tokens"]}, True),
        ({"plans": ["pro"]}, {"meters": ["tokens"]}, True),
        ({"meters": ["tokens"]}, {"plans": ["pro"]}, True),
        ({"meters": ["images"]}, {"plans": ["pro"]}, False),
        ({}, {"plans": ["pro"]}, False),
        ({"plans": ["pro"]}, {}, False),
    ],
)
def test_a_limited_coupon_overlaps_with_one_that_may_take_off_the_same_charges(
    standing: dict[str, Any], asked: dict[str, Any], overlaps: bool
) -> None:
    loaded = Loaded(first={**FIVE, **standing}, second={**TENTH, **asked})
    loaded.apply("first")
    if overlaps:
        refusal = loaded.refusal("second", used_up=())
        assert refusal == ("coupon", "must not overlap with applied coupon 1", "coupon_overlaps")
        loaded.apply("second", used_up=(1,))
        loaded.apply("second")
    else:
        loaded.apply("second", used_up=())
    assert loaded.applied.last_number == (3 if overlaps else 2)


def test_what_has_ended_does_not_overlap() -> None:
    loaded = Loaded(
        first={**FIVE, "plans": ["pro"]}, second={**FIVE, "plans": ["pro"]}, third={**TENTH, "plans": ["pro"]}
    )
    loaded.apply("first")
    loaded.apply("second")
    loaded.execute(TerminateAppliedCoupon(DEFAULT_SCOPE, WHO, "ada", 1))
    loaded.coupon("second").delete(context())

    loaded.apply("third", used_up=())

    assert loaded.applied.last_number == 3


def test_a_termination_is_repeated_without_effect_and_may_move_the_end_back() -> None:
    loaded = Loaded(five=FIVE)
    loaded.apply("five", effective_at=EARLIER)
    loaded.applied.collect_events()
    for effective_at in (YESTERDAY, None, EARLIER + timedelta(days=1)):
        loaded.execute(TerminateAppliedCoupon(DEFAULT_SCOPE, WHO, "ada", 1, effective_at=effective_at))

    assert loaded.applied.collect_events() == [
        AppliedCouponTerminated(**about(2, 1, YESTERDAY)),
        AppliedCouponTerminated(**about(3, 1, EARLIER + timedelta(days=1))),
    ]


def test_what_was_never_applied_is_not_terminated_and_nothing_is_in_the_future() -> None:
    loaded = Loaded(five=FIVE)
    loaded.apply("five")

    with pytest.raises(NotFound, match="customer 'ada' has no applied coupon 2"):
        loaded.execute(TerminateAppliedCoupon(DEFAULT_SCOPE, WHO, "ada", 2))
    with pytest.raises(InvalidInput, match="must not be in the future"):
        loaded.execute(TerminateAppliedCoupon(DEFAULT_SCOPE, WHO, "ada", 1, effective_at=NOW + timedelta(days=1)))


def test_the_coupons_of_a_customer_are_bounded() -> None:
    loaded = Loaded(five=FIVE)
    for _ in range(APPLIED_MAX):
        loaded.applied.add({"coupon": "five", **FIVE}, context())

    assert loaded.refusal("five") == ("customer", "must not apply more than 1000 coupons", "invalid")
