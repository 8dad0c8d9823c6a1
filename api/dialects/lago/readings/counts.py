"""How much metrics and plans are used, which clients of before 2024 require to be told."""

from __future__ import annotations

from collections import Counter
from typing import Any

from api.http.reading import Reading
from domain.facts.in_effect import existing_at
from domain.scope import Scope
from projections.queries.snapshot import PAGE_ROWS_MAX
from projections.views.charging.subscriptions import shown_lives


class Counts:
    """Active subscriptions by plan, and plans by the metrics that they charge for.

    Where there are 1,000 subscriptions or more they are not counted, and the member is left out: newer clients do not
    read it. There are no invoices.
    """

    def __init__(self, asked: Reading, scope: Scope) -> None:
        self._asked = asked
        self._scope = scope
        self._active = self._active_by_plan()

    def of_plan(self, code: str) -> dict[str, Any]:
        """The members of a plan."""
        return {"draft_invoices_count": 0} | self._active_of([code])

    def of_metrics(self) -> dict[str, dict[str, Any]]:
        """The members of each metric that a plan charges for, by code; see `of_no_plan` for the others."""
        plans: dict[str, list[str]] = {}
        for code, facts in self._asked.snapshot.all_facts(self._scope, "plan"):
            state = existing_at(facts, self._asked.now)
            for meter in {one["meter"] for one in state.fields.get("charges", ())} if state is not None else ():
                plans.setdefault(meter, []).append(code)
        return {meter: self._of_metric(codes) for meter, codes in plans.items()}

    def of_no_plan(self) -> dict[str, Any]:
        """The members of a metric that no plan charges for."""
        return self._of_metric([])

    def _of_metric(self, plans: list[str]) -> dict[str, Any]:
        return {"plans_count": len(plans), "draft_invoices_count": 0} | self._active_of(plans)

    def _active_of(self, plans: list[str]) -> dict[str, int]:
        if self._active is None:
            return {}
        return {"active_subscriptions_count": sum(self._active[code] for code in plans)}

    def _active_by_plan(self) -> Counter[str] | None:
        snapshot, now = self._asked.snapshot, self._asked.now
        ids = snapshot.ids(self._scope, "subscription", None, PAGE_ROWS_MAX)
        if len(ids) == PAGE_ROWS_MAX:
            return None
        terms = (life.term_at(now) for life in shown_lives(snapshot, self._scope, ids, now))
        return Counter(term.plan for term in terms if term is not None)
