"""A snapshot at an earlier log position, for the queries that usage views make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

import msgspec

from domain.scope import Scope
from projections.queries.customers import CustomerRecord, CustomerWithBudgets
from projections.queries.facts import Fact
from projections.queries.log import LogPoint
from projections.queries.snapshot import Snapshot
from projections.queries.usage import MeterQuestion, MeterValue, UsageQuestion, UsageSum
from projections.views.customers import lives, record_as_of


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
        return self._known_record(scope, self._snapshot.customer(scope, customer_id))

    def customers_ever_deactivated(self, scope: Scope) -> list[CustomerRecord]:
        return [record_as_of(one, self._position) for one in self._snapshot.customers_ever_deactivated(scope)]

    def customer_with_budgets(self, scope: Scope, customer_id: str) -> CustomerWithBudgets | None:
        found = self._snapshot.customer_with_budgets(scope, customer_id)
        record = None if found is None else self._known_record(scope, found.record)
        if found is None or record is None:
            return None
        return CustomerWithBudgets(self._position, record, self._known_by_id(found.budgets))

    def budget_facts(self, scope: Scope, budget_id: str) -> tuple[Fact, ...]:
        return self._known(self._snapshot.budget_facts(scope, budget_id))

    def budgets_named(self, scope: Scope, budget_ids: Sequence[str]) -> dict[str, tuple[Fact, ...]]:
        return self._known_by_id(self._snapshot.budgets_named(scope, budget_ids))

    def meter_facts(self, scope: Scope, code: str) -> tuple[Fact, ...]:
        return self._known(self._snapshot.meter_facts(scope, code))

    def usage(self, scope: Scope, question: UsageQuestion) -> list[UsageSum]:
        return self._snapshot.usage(scope, msgspec.structs.replace(question, as_of=self._earlier(question.as_of)))

    def meter(self, scope: Scope, question: MeterQuestion) -> list[MeterValue]:
        return self._snapshot.meter(scope, msgspec.structs.replace(question, as_of=self._earlier(question.as_of)))

    def _known_record(self, scope: Scope, record: CustomerRecord | None) -> CustomerRecord | None:
        if record is None or record.first_position > self._position:
            return None
        first, last = self._snapshot.usage_times(scope, record.customer_id, self._position)
        known = record_as_of(record, self._position)
        of_life = None
        if record.life_first_event_at is not None and (died_at := lives(known)[-1].start) is not None:
            of_life, _ = self._snapshot.usage_times(scope, record.customer_id, self._position, died_at)
        return msgspec.structs.replace(known, first_event_at=first, last_event_at=last, life_first_event_at=of_life)

    def _known_by_id(self, facts: Mapping[str, tuple[Fact, ...]]) -> dict[str, tuple[Fact, ...]]:
        return {owner: self._known(of_owner) for owner, of_owner in facts.items()}

    def _known(self, facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
        return tuple(fact for fact in facts if fact.position <= self._position)

    def _earlier(self, as_of: int | None) -> int:
        return self._position if as_of is None else min(as_of, self._position)
