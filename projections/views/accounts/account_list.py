"""Many accounts at once: a page of a list of customers, with limits, usage and cost of the present life."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal

import msgspec

from domain.budgets.limits import BudgetLimits
from domain.scope import Scope
from domain.values.money import MONEY, marked_up
from projections.queries.customer_list import CustomerListQuestion, UsageTotals
from projections.queries.customers import CustomerSpan
from projections.queries.snapshot import Snapshot
from projections.views.budget_state import NOTHING
from projections.views.budgets import budget_limits, named_budgets, tiers_of
from projections.views.customers import CustomerHistory, CustomerView, customer_history, marked_spans


class ListedAccount(msgspec.Struct, frozen=True):
    """A customer in a list. `first_seen_at`: its first usage, else its first fact. `cost_usd`: reported cost.

    `cost_unknown_events`: events of unknown cost, which are not in it.
    """

    view: CustomerView
    limits: BudgetLimits
    usage: UsageTotals
    first_seen_at: datetime
    cost_usd: Decimal
    cost_unknown_events: int = 0


def listed_accounts(
    snapshot: Snapshot, scope: Scope, question: CustomerListQuestion, offset: int, limit: int
) -> list[ListedAccount]:
    """A page of the accounts that a question asks for, from row `offset` on."""
    records = snapshot.customer_list(scope, question, offset, limit)
    histories = [customer_history(record, question.now) for record in records]
    named = sorted({budget_id for history in histories for budget_id in named_budgets(history)})
    tiers = tiers_of(snapshot.facts_named(scope, "budget", named))
    usage = snapshot.usage_totals(scope, [record.customer_id for record in records])
    costs = _costs(snapshot, scope, histories)
    return [
        ListedAccount(
            history.view(),
            budget_limits(history.profile, tiers, question.now),
            totals,
            totals.first_at or history.begin or question.now,
            cost_usd,
            unknown,
        )
        for history, totals, (cost_usd, unknown) in zip(histories, usage, costs, strict=True)
    ]


def _costs(snapshot: Snapshot, scope: Scope, histories: Sequence[CustomerHistory]) -> Iterator[tuple[Decimal, int]]:
    """The reported cost of each present life, and its events of unknown cost, from one query."""
    of_each = [list(marked_spans(history.record, history.span)) for history in histories]
    spans: list[CustomerSpan] = [span for marked in of_each for span, _ in marked]
    raw = iter(snapshot.costs_of(scope, spans))
    for marked in of_each:
        total, unknown = NOTHING, 0
        for _, percentage in marked:
            cost = next(raw)
            total = MONEY.add(total, marked_up(cost.cost_usd, percentage))
            unknown += cost.cost_unknown_events
        yield total, unknown
