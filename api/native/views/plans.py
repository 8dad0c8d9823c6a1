"""Plans, subscriptions and charges as the native API shows them."""

from __future__ import annotations

from datetime import datetime

from api.native.models.charging import plans as plan_models
from api.native.models.charging import subscriptions as models
from domain.charges.models import model_name, stored_charge_model
from domain.scope import Scope
from domain.subscriptions.lives import SubscriptionLife
from domain.values.periods import USAGE_TIME_LIMIT
from projections.queries.snapshot import Snapshot
from projections.views.charging.charge_amounts import ChargeAmount, FilterAmount
from projections.views.charging.charges import CouponOff, CustomerCharges, SubscriptionCharges
from projections.views.charging.plans import ChargeFilter, PlanCharge, plan_view


def plan_of(snapshot: Snapshot, scope: Scope, code: str, now: datetime) -> plan_models.PlanView | None:
    """The plan as it is now; None when there is none with this code."""
    plan = plan_view(code, snapshot.facts(scope, "plan", code), now)
    if plan is None:
        return None
    return plan_models.PlanView(
        position=snapshot.point().position,
        now=now,
        code=plan.code,
        name=plan.name,
        description=plan.description,
        interval=plan.interval,
        currency=plan.currency,
        amount=plan.amount,
        charges=[_charge(one) for one in plan.charges],
        created_at=plan.created_at,
        updated_at=plan.updated_at,
    )


def _charge(charge: PlanCharge) -> plan_models.ChargeView:
    return plan_models.ChargeView(
        code=charge.code,
        meter=charge.meter,
        price=stored_charge_model(charge.price),
        name=charge.name,
        group_by=list(charge.group_by),
        minimum_amount=charge.minimum_amount,
        filters=[_filter(one) for one in charge.filters],
    )


def _filter(one: ChargeFilter) -> plan_models.ChargeFilterView:
    return plan_models.ChargeFilterView(
        values={path: list(texts) for path, texts in one.values.items()},
        price=stored_charge_model(one.price),
        name=one.name,
    )


def subscription_document(life: SubscriptionLife, position: int, now: datetime) -> models.SubscriptionView:
    """Convert a life of a subscription to its response."""
    status = life.status(now)
    shown = life.term_at(now) or (life.terms[0] if status == "pending" else life.terms[-1])
    return models.SubscriptionView(
        position=position,
        now=now,
        id=life.subscription_id,
        customer=life.customer_id,
        name=life.name,
        plan=shown.plan,
        billing=life.billing,
        status=status,
        start=life.start,
        end=life.end,
        terms=[models.TermView(plan=term.plan, start=term.start, end=term.end) for term in life.terms],
    )


def charges_document(found: CustomerCharges, now: datetime, time_zone: str) -> models.ChargesView:
    """Convert the charges of a customer to their response."""
    return models.ChargesView(
        position=found.position,
        now=now,
        customer=found.customer_id,
        time_zone=time_zone,
        data=[_of_subscription(one) for one in found.subscriptions],
    )


def _of_subscription(one: SubscriptionCharges) -> models.SubscriptionChargesView:
    return models.SubscriptionChargesView(
        subscription=one.subscription.subscription_id,
        name=one.subscription.name,
        plan=one.term.plan,
        interval=None if one.plan is None else one.plan.interval,
        billing=one.subscription.billing,
        currency=None if one.plan is None else one.plan.currency,
        start=one.period.start,
        end=None if one.period.end == USAGE_TIME_LIMIT else one.period.end,
        ended=one.ended,
        charges=[_charged(charge) for charge in one.charges],
        amount=one.amount,
        coupons=[_coupon_off(off) for off in one.coupons],
        amount_off=one.off,
        amount_after_coupons=one.amount_after_coupons,
        closed=one.at_closing is not None,
        amount_at_closing=None if one.at_closing is None else one.at_closing.amount,
        restated=one.restated,
    )


def _coupon_off(off: CouponOff) -> models.CouponOffView:
    return models.CouponOffView(
        number=off.number,
        coupon=off.coupon,
        amount_off=off.amount,
        charges=[models.ChargeOff(code=code, amount_off=part) for code, part in off.charges],
        amount_remaining=off.left.amount,
        periods_remaining=off.left.periods,
    )


def _charged(one: ChargeAmount) -> models.ChargedView:
    return models.ChargedView(
        code=one.charge.code,
        name=one.charge.name,
        meter=one.charge.meter,
        model=model_name(one.charge.price),
        units=one.units,
        total_units=one.total_units,
        events=one.events,
        groups=[
            models.ChargeGroup(
                group=dict(zip(one.charge.group_by, group.group, strict=True)),
                units=group.units,
                total_units=group.total_units,
                events=group.events,
                exact_amount=group.exact_amount,
                amount=group.amount,
                cost_unknown_events=group.cost_unknown_events,
                filters=[_filter_amount(one.charge, amount) for amount in group.filters if one.charge.group_by],
            )
            for group in one.groups
        ],
        filters=[_filter_amount(one.charge, amount) for amount in one.filters],
        minimum_amount=one.charge.minimum_amount,
        added_to_minimum=one.added_to_minimum,
        amount=one.amount,
        cost_unknown_events=one.cost_unknown_events,
        unknown_because=one.unknown_because,
    )


def _filter_amount(charge: PlanCharge, one: FilterAmount) -> models.ChargeFilterAmount:
    own = None if one.number is None else charge.filters[one.number]
    return models.ChargeFilterAmount(
        values={} if own is None else {path: list(texts) for path, texts in own.values.items()},
        name=None if own is None else own.name,
        model=model_name(charge.price if own is None else own.price),
        units=one.units,
        total_units=one.total_units,
        events=one.events,
        exact_amount=one.exact_amount,
        amount=one.amount,
        cost_unknown_events=one.cost_unknown_events,
    )
