"""A snapshot at an earlier log position, for the queries that usage views make."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

import msgspec

from domain.scope import Scope
from projections.queries.customers import CustomerRecord, CustomerWithBudgets
from projections.queries.facts import Fact
from projections.queries.log import LogPoint
from projections.queries.snapshot import Snapshot
from projections.queries.usage import MeterQuestion, MeterValue, UsageQuestion, UsageSum
from projections.views.customers import record_as_of


def snapshot_as_of(snapshot: Snapshot, position: int | None) -> Snapshot:
    """`snapshot` restricted to what was known at `position`; `snapshot` itself for None or a position not before it.

    Customers, budgets, meters and usage are those known then. All other queries return what is known now.
    """
    if position is None or position >= snapshot.point().position:
        return snapshot
    return cast(Snapshot, _SnapshotAsOf(snapshot, position))


class _SnapshotAsOf:
    def __init__(self, snapshot: Snapshot, position: int) -> None:
        self._snapshot = snapshot
        self._position = position

    def __getattr__(self, name: str) -> Any:
        return getattr(self._snapshot, name)

    def point(self) -> LogPoint:
        return LogPoint(self._position, None)

    def position_at(self, instant: datetime) -> int:
        return min(self._snapshot.position_at(instant), self._position)

    def customer(self, scope: Scope, customer_id: str) -> CustomerRecord | None:
        record = self._snapshot.customer(scope, customer_id)
        if record is None or record.first_position > self._position:
            return None
        return record_as_of(record, self._position)

    def customer_with_budgets(self, scope: Scope, customer_id: str) -> CustomerWithBudgets | None:
        found = self._snapshot.customer_with_budgets(scope, customer_id)
        if found is None or found.record.first_position > self._position:
            return None
        budgets = {budget_id: self._known(facts) for budget_id, facts in found.budgets.items()}
        return CustomerWithBudgets(self._position, record_as_of(found.record, self._position), budgets)

    def budget_facts(self, scope: Scope, budget_id: str) -> tuple[Fact, ...]:
        return self._known(self._snapshot.budget_facts(scope, budget_id))

    def meter_facts(self, scope: Scope, code: str) -> tuple[Fact, ...]:
        return self._known(self._snapshot.meter_facts(scope, code))

    def usage(self, scope: Scope, question: UsageQuestion) -> list[UsageSum]:
        return self._snapshot.usage(scope, msgspec.structs.replace(question, as_of=self._earlier(question.as_of)))

    def meter(self, scope: Scope, question: MeterQuestion) -> list[MeterValue]:
        return self._snapshot.meter(scope, msgspec.structs.replace(question, as_of=self._earlier(question.as_of)))

    def _known(self, facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
        return tuple(fact for fact in facts if fact.position <= self._position)

    def _earlier(self, as_of: int | None) -> int:
        return self._position if as_of is None else min(as_of, self._position)
