"""What is shown with subscriptions, as a reading knows it: plans, customers, and the billing periods that are open."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from api.dialects.lago.definitions.terms import SubscriptionTerm, open_period
from api.dialects.lago.lago_ids import lago_id
from api.dialects.lago.views.customers import customer_lago_id
from api.dialects.lago.views.subscriptions import Around
from api.http.reading import Reading
from domain.scope import Scope
from domain.values.periods import zone_named
from projections.views.charging.plans import PlanView, plan_view
from projections.views.customers import TIME_ZONE_DEFAULT, CustomerHistory, customer_history


def around_terms(asked: Reading, scope: Scope, terms: Sequence[SubscriptionTerm]) -> list[Around]:
    """What stands around each of these terms: a query for all plans, and one for each customer."""
    codes = sorted({one.term.plan for one in terms})
    facts = asked.snapshot.facts_named(scope, "plan", codes)
    plans = {code: plan_view(code, facts.get(code, ()), asked.now, reaching_back=True) for code in codes}

    @cache
    def history_of(customer_id: str) -> CustomerHistory | None:
        found = asked.snapshot.customer_with_budgets(scope, customer_id, usage_times=False)
        return None if found is None else customer_history(found.record, asked.now)

    return [_around(asked, scope, one, plans[one.term.plan], history_of(one.life.customer_id)) for one in terms]


def _around(
    asked: Reading, scope: Scope, one: SubscriptionTerm, plan: PlanView | None, history: CustomerHistory | None
) -> Around:
    zone = TIME_ZONE_DEFAULT if history is None else history.profile.fields.get("time_zone", TIME_ZONE_DEFAULT)
    unknown = lago_id(scope, "customer", one.life.customer_id)
    owner = unknown if history is None else customer_lago_id(scope, history)
    period = None if plan is None else open_period(one, plan, history, asked.now)
    return Around(plan, owner, zone_named(zone), period)
