"""The page of a customer: its usage in one period, by plan or by model, its budgets, and its other periods."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from api.portal.limits_section import limits_shown
from api.portal.messages import CustomerGone, NoSuchSubscription, too_much
from api.portal.page_parts import Choice, LimitShown, PageAsked, Section
from api.portal.period_choice import query_of
from api.portal.plan_section import plan_section
from api.portal.texts import counted, moment_text, name_text, shown_name, shows_nothing
from api.portal.usage_section import usage_section
from domain.subscriptions.lives import SubscriptionLife
from domain.values.periods import zone_named
from projections.queries.snapshot import Snapshot
from projections.views.charging.subscriptions import SUBSCRIPTIONS_MAX, shown_lives, subscription_ids
from projections.views.customers import CustomerHistory, CustomerView, customer_history


class PortalPage(msgspec.Struct, frozen=True):
    """Everything that the page shows, as text. `choices`: what else it can show, if there is more than one."""

    name: str
    id_text: str
    zone: str
    shown_at: str
    section: Section
    limits: tuple[LimitShown, ...]
    notices: tuple[str, ...]
    choices: tuple[Choice, ...]


#: Subscriptions that the page offers to show, those that are active first.
PLANS_MAX: Final = 20


def portal_page(snapshot: Snapshot, asked: PageAsked, closing_grace_seconds: int) -> PortalPage:
    """Make the page from one snapshot. `Problem` for an unknown customer, and for an address that names nothing.

    Without a `plan` in the address it shows the first active subscription, else usage by model.
    """
    record = snapshot.customer(asked.scope, asked.customer_id)
    if record is None:
        raise CustomerGone
    history = customer_history(record, asked.now)
    view = history.view()
    zone = zone_named(view.time_zone, "time_zone")
    ids = subscription_ids(snapshot, asked.scope, asked.customer_id, None, SUBSCRIPTIONS_MAX + 1)
    if len(ids) > SUBSCRIPTIONS_MAX:  # no answer about charges has so many
        raise too_much()
    plans = _shown_plans(snapshot, asked, history, ids)
    limits, notices = limits_shown(snapshot, asked, zone)
    if len(plans) > PLANS_MAX:
        notices.append(f"{counted(len(plans) - PLANS_MAX, 'more plan is', 'more plans are')} not shown.")
    offered = plans[:PLANS_MAX]
    plan = _chosen_plan(asked, offered)
    if plan is None:
        section = usage_section(snapshot, asked, history, zone, closing_grace_seconds)
    else:
        section = plan_section(snapshot, asked, record, plan, zone, closing_grace_seconds)
    named = _name(view)
    return PortalPage(
        name_text(named or view.customer_id),
        name_text(view.customer_id) if named else "",
        zone.key,
        moment_text(asked.now, zone),
        section,
        limits,
        tuple(notices),
        _choices(offered, plan, asked.now),
    )


def _shown_plans(
    snapshot: Snapshot, asked: PageAsked, history: CustomerHistory, ids: Sequence[str]
) -> list[SubscriptionLife]:
    """The subscriptions of the customer's present life that have begun, active ones first, then by id."""
    lives = shown_lives(snapshot, asked.scope, ids, asked.now)
    own = [
        one
        for one in lives
        if one.customer_id == asked.customer_id
        and one.status(asked.now) != "pending"
        and one.span.end > history.span.start
    ]
    return sorted(own, key=lambda one: one.status(asked.now) != "active")


def _chosen_plan(asked: PageAsked, offered: Sequence[SubscriptionLife]) -> SubscriptionLife | None:
    """The subscription that the address names, else the first one if it is active."""
    if asked.plan is None:
        return next((one for one in offered if one.status(asked.now) == "active"), None)
    found = next((one for one in offered if one.subscription_id == asked.plan), None)
    if found is None:
        raise NoSuchSubscription
    return found


def _choices(offered: Sequence[SubscriptionLife], chosen: SubscriptionLife | None, now: datetime) -> tuple[Choice, ...]:
    """What the page can show, where there is more than one thing: each subscription, and usage where none is active."""
    choices = [
        Choice(
            shown_name(one.name, one.subscription_id) + ("" if one.status(now) == "active" else " (ended)"),
            query_of(plan=one.subscription_id),
            one is chosen,
        )
        for one in offered
    ]
    if not any(one.status(now) == "active" for one in offered):
        choices.insert(0, Choice("Usage", query_of(), chosen is None))
    return tuple(choices) if len(choices) > 1 else ()


def _name(view: CustomerView) -> str | None:
    name: Any = view.fields.get("name")
    return name if isinstance(name, str) and not shows_nothing(name) else None
