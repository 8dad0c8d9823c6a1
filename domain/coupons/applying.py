"""Commands about the coupons of a customer: apply one, end an applied one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from domain.aggregate import CommandContext
from domain.command import Aggregates, EffectiveDatedCommand, Executed, SealOf
from domain.coupons.coupon import Coupon
from domain.coupons.customer_coupons import Application, CustomerCoupons
from domain.coupons.fields import LIMITS, RECURRING, TERM_RULES, TERMS, check_together, coupon_code
from domain.customers.customer import Customer
from domain.errors import InvalidInput
from domain.plans.plan import Plan
from domain.values.field_rules import checked

#: Codes of `InvalidInput` for a coupon that exists and cannot be applied.
NOT_REUSABLE: Final = "coupon_not_reusable"
OVERLAPS: Final = "coupon_overlaps"


class CustomerCouponsCommand(EffectiveDatedCommand[CustomerCoupons], frozen=True):
    """A command about the coupons that one customer has applied."""

    customer_id: str

    def blank(self, seal_of: SealOf) -> CustomerCoupons:
        """Return the coupons of the customer without any events."""
        return CustomerCoupons(self.scope, self.customer_id)


class ApplyCoupon(CustomerCouponsCommand, frozen=True, kw_only=True):
    """Apply a coupon for a customer, known or not; the state's `last_number` is its number then.

    `terms` are in place of those of the coupon. `InvalidInput` without such a coupon, when it has expired, or when it
    is not reusable and this life of the customer has applied it before. With `used_up`, the numbers of those that have
    nothing left to take off, also when another limited one may take something off the same charges.
    """

    code: str
    terms: Mapping[str, Any] = {}
    used_up: Collection[int] | None = None

    def execute(self, aggregates: Aggregates, context: CommandContext) -> Executed[CustomerCoupons]:
        """Look at the coupon and at what the customer has applied, and apply it."""
        coupon, at = aggregates.load(Coupon(self.scope, coupon_code(self.code, "coupon"))), context.effective()
        if not coupon.alive:
            raise InvalidInput("coupon", f"must be the code of a coupon; there is no coupon {self.code!r}")
        coupon.effective(context)  # refuses an instant before its life
        state = coupon.applied_at(at)
        fields = {"coupon": self.code, **_terms(state, self.terms), **_limits(state)}
        applied = aggregates.load(self.blank(aggregates.seal_of))
        standing = list(self._standing(aggregates, applied))
        if self.used_up is not None:
            self._check_alone(aggregates, fields, [one for one in standing if one.number not in self.used_up], at)
        if not state.get("reusable", True) and any(one.coupon == self.code for one in standing):
            raise InvalidInput("coupon", "must be reusable to be applied again", code=NOT_REUSABLE)
        applied.add(fields, context)
        return Executed(applied, (applied,))

    def _standing(self, aggregates: Aggregates, applied: CustomerCoupons) -> Iterator[Application]:
        """What the present life of the customer has applied, ended ones among them."""
        customer = Customer(self.scope, self.customer_id, aggregates.seal_of(self.scope, self.customer_id))
        began_at = aggregates.load(customer).began_at
        return (one for one in applied.applied() if began_at is None or one.since >= began_at)

    def _check_alone(
        self, aggregates: Aggregates, fields: Mapping[str, Any], others: Collection[Application], at: datetime
    ) -> None:
        def meters_of(plans: Collection[str]) -> set[str]:
            every = (aggregates.load(Plan(self.scope, code)) for code in plans)
            return {charge["meter"] for plan in every for charge in plan.timeline.latest().get("charges", ())}

        for one in others:
            coupon = aggregates.load(Coupon(self.scope, one.coupon))
            has_ended = not coupon.alive or (coupon.began_at is not None and one.since < coupon.began_at)
            has_ended = has_ended or (one.ended_at is not None and one.ended_at <= at)
            if not has_ended and _overlap(fields, one.fields, meters_of):
                raise InvalidInput("coupon", f"must not overlap with applied coupon {one.number}", code=OVERLAPS)


class TerminateAppliedCoupon(CustomerCouponsCommand, frozen=True):
    """End an applied coupon. `NotFound` when the customer has none with this number."""

    number: int

    def apply(self, aggregate: CustomerCoupons, context: CommandContext) -> None:
        """End it; what it took off stays."""
        aggregate.terminate(self.number, context)


def _terms(coupon: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The terms of a coupon with others in their place, in stored form."""
    others = {name: value for name, value in checked(TERM_RULES, given).items() if value is not None}
    kind = ("percentage",) if "percentage" in coupon else ("amount", "currency")
    for name in ("amount", "currency", "percentage"):
        if name in others and name not in kind:
            raise InvalidInput(name, f"must not be given for a coupon with {kind[0]}")
    terms = {name: coupon[name] for name in TERMS if name in coupon} | others
    if terms.get("frequency") != RECURRING and "periods" not in others:
        terms.pop("periods", None)
    check_together(terms)
    return terms


def _limits(coupon: Mapping[str, Any]) -> dict[str, Any]:
    return {name: coupon[name] for name in LIMITS if coupon.get(name)}


def _overlap(
    one: Mapping[str, Any], other: Mapping[str, Any], meters_of: Callable[[Collection[str]], set[str]]
) -> bool:
    """Whether two coupons are limited to one plan or meter, or one to a plan that charges for a meter of the other."""
    plans, others_plans = (set(fields.get("plans", ())) for fields in (one, other))
    meters, others_meters = (set(fields.get("meters", ())) for fields in (one, other))
    if plans & others_plans or meters & others_meters:
        return True
    return bool(
        (others_meters and others_meters & meters_of(sorted(plans)))
        or (meters and meters & meters_of(sorted(others_plans)))
    )
