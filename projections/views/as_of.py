"""A snapshot as it would have answered at an earlier log position, for everything that usage views ask."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

import msgspec

from domain.scope import Scope
from projections.queries.customers import CustomerRecord, Fact
from projections.queries.log import LogPoint
from projections.queries.snapshot import Snapshot
from projections.queries.usage import MeterQuestion, MeterValue, UsageQuestion, UsageSum
from projections.views.customers import known_at


def known_then(snapshot: Snapshot, position: int | None) -> Snapshot:
    """`snapshot` as of `position`: rows and facts known by then. None, or a position not before it: `snapshot` itself.

    Customers, budgets, meters and usage are those of then; what else a snapshot can tell is told as of now.
    """
    if position is None or position >= snapshot.point().position:
        return snapshot
    return cast(Snapshot, _KnownThen(snapshot, position))


class _KnownThen:
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
        return known_at(record, self._position)

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
