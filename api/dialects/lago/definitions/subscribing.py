"""What a request to subscribe asks for: a new subscription, a change of plan, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from api.dialects.lago.customers_then import customer_then
from api.dialects.lago.definitions.changes_of_plan import is_upgrade
from api.dialects.lago.definitions.terms import ACTIVE, PENDING, SubscriptionTerm, last_life, open_period, terms_named
from api.dialects.lago.error_shapes import ALREADY_EXISTS, not_found, validation_refusal
from api.dialects.lago.keys import DIALECT
from api.dialects.lago.models.subscriptions import KEPT, SubscriptionInput, SubscriptionPatch
from api.http.reading import Reading
from domain.command import Command
from domain.event import Provenance
from domain.scope import Scope
from domain.subscriptions.commands import CreateSubscription, UpdateSubscription
from projections.views.charging.plans import PlanView, plan_view

#: Lago's names of the fields of subscriptions.
SHOWN_FIELDS: Final = {
    "customer": "external_customer_id",
    "plan": "plan_code",
    "id": "external_id",
    "ends_at": "ending_at",
    "billing": "billing_time",
    "effective_at": "subscription_at",
}
INVALID_DATE: Final = "invalid_date"


def commands_to_subscribe(
    asked: Reading, scope: Scope, provenance: Provenance, given: SubscriptionInput
) -> Sequence[Command[Any]]:
    """The commands that a request to subscribe asks for; none when the customer has that plan already."""
    plan = plan_view(given.plan_code, asked.snapshot.facts(scope, "plan", given.plan_code), asked.now)
    if plan is None:
        raise not_found("plan")
    check_end(given.ending_at, given.subscription_at, asked.now)
    life = last_life(terms_named(asked.snapshot, scope, given.external_id), asked.now)
    if not life:
        return [_creation(asked, scope, provenance, given)]
    if life[0].life.customer_id != given.external_customer_id:
        raise validation_refusal({"external_id": [ALREADY_EXISTS]})
    return _change(asked, scope, provenance, given, life, plan)


def check_end(ending_at: datetime | None, start: datetime | None, now: datetime) -> None:
    """Refuse an end that is not ahead, or not after the start."""
    if ending_at is not None and (ending_at <= now or (start is not None and ending_at <= start)):
        raise validation_refusal({"ending_at": [INVALID_DATE]})


def stored_fields(given: SubscriptionPatch, known: dict[str, Any] | None = None) -> dict[str, Any]:
    """The native fields that a request names, null ones too. `known`: what dialects keep of the subscription."""
    sent = given.sent
    fields = {native: sent[name] for name, native in (("name", "name"), ("ending_at", "ends_at")) if name in sent}
    kept = {name: sent[name] for name in KEPT if name in sent}
    if kept:
        dialects = known or {}
        own = {**dialects.get(DIALECT, {}), **kept}
        fields["dialect_fields"] = {**dialects, DIALECT: {name: one for name, one in own.items() if one is not None}}
    return fields


def _creation(asked: Reading, scope: Scope, provenance: Provenance, given: SubscriptionInput) -> Command[Any]:
    """A new subscription, whose customer is there or is created before it."""
    history = customer_then(asked, scope, given.external_customer_id)
    if history is not None and given.subscription_at is not None and given.subscription_at < history.span.start:
        raise validation_refusal({"subscription_at": [INVALID_DATE]})  # the deletion of the life before would end it
    fields = {
        "customer": given.external_customer_id,
        "plan": given.plan_code,
        "billing": given.billing_time,
        **stored_fields(given),
    }
    present = {name: value for name, value in fields.items() if value is not None}
    return CreateSubscription(scope, provenance, given.external_id, present, effective_at=given.subscription_at)


def _change(
    asked: Reading,
    scope: Scope,
    provenance: Provenance,
    given: SubscriptionInput,
    life: Sequence[SubscriptionTerm],
    plan: PlanView,
) -> Sequence[Command[Any]]:
    """The change of plan, which takes the place of every change that lies ahead."""
    number = next((one.number for one in life if one.status(asked.now) == ACTIVE), 0)
    current, ahead = life[number], life[number + 1 :]
    if current.term.plan == plan.code:
        return []
    before = plan_view(current.term.plan, asked.snapshot.facts(scope, "plan", current.term.plan), asked.now)
    if before is not None and before.currency != plan.currency:
        raise validation_refusal({"currency": ["currencies_does_not_match"]})
    at = _from(asked, scope, current, before, plan)
    fields = {"plan": plan.code, **{name: value for name, value in stored_fields(given).items() if value is not None}}

    def changed(names: dict[str, Any], effective_at: datetime | None) -> Command[Any]:
        return UpdateSubscription(scope, provenance, given.external_id, names, effective_at=effective_at)

    replaced = [one.term.start for one in ahead if one.term.start != at]
    later = [changed({"plan": plan.code if at is None or one > at else current.term.plan}, one) for one in replaced]
    return [*later, changed(fields, at)]


def _from(
    asked: Reading, scope: Scope, current: SubscriptionTerm, before: PlanView | None, plan: PlanView
) -> datetime | None:
    """From when a change holds; None: from now on. One of a subscription that has not begun holds from its start."""
    if current.status(asked.now) == PENDING:
        return current.term.start
    if before is None or is_upgrade(before, plan):
        return None
    history = customer_then(asked, scope, current.life.customer_id)
    period = open_period(current, before, history, asked.now)
    return None if period is None else period.end
