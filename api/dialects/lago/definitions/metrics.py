"""Billable metrics, which are meters, as a reading knows them: a tenant's own and the built-in ones."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

import msgspec

from api.dialects.lago.lago_ids import lago_id
from domain.facts.in_effect import existing_at
from domain.scope import Scope
from domain.values.instants import EPOCH
from projections.queries.facts import Fact, Subject
from projections.queries.snapshot import PAGE_ROWS_MAX, Snapshot
from projections.views.meters import BUILT_IN_METERS, UNIT_METERS, MeterView, measured_by, meter_view


class Metric(msgspec.Struct, frozen=True):
    """A meter; `own` None: a built-in one, which is as old as the engine."""

    code: str
    lago_id: str
    own: MeterView | None

    @property
    def name(self) -> str:
        """Its name, else its code."""
        return self.code if self.own is None or self.own.name is None else self.own.name

    @property
    def created_at(self) -> datetime:
        """When it was created."""
        return EPOCH if self.own is None else self.own.created_at


def metrics_by_code(snapshot: Snapshot, scope: Scope, codes: Iterable[str], now: datetime) -> dict[str, Metric]:
    """The metrics with these codes; those that do not exist are left out."""
    known = KnownMetrics(snapshot, scope, codes)
    metrics = ((code, known.at(code, now)) for code in known.codes)
    return {code: metric for code, metric in metrics if metric is not None}


class KnownMetrics:
    """All that is known of the metrics with some codes, from which they can be taken at any time."""

    def __init__(self, snapshot: Snapshot, scope: Scope, codes: Iterable[str]) -> None:
        self.codes = tuple(dict.fromkeys(codes))
        self._scope = scope
        self._facts: dict[str, tuple[Fact, ...]] = {}
        for first in range(0, len(self.codes), PAGE_ROWS_MAX):
            self._facts |= snapshot.facts_named(scope, "meter", self.codes[first : first + PAGE_ROWS_MAX])

    def at(self, code: str, instant: datetime, *, reaching_back: bool = False) -> Metric | None:
        """The metric at an instant; None when it does not exist then. `reaching_back`: as it is created later."""
        own = meter_view(code, self._facts.get(code, ()), instant, reaching_back=reaching_back)
        return _metric(self._scope, code, own)


def metrics_by_lago_id(snapshot: Snapshot, scope: Scope, wanted: Collection[str], now: datetime) -> dict[str, Metric]:
    """The metrics with these ids; unknown ids are left out. One pass over all meters, which ids are derived from."""
    built_in = (_metric(scope, code, None) for code in (*BUILT_IN_METERS, *UNIT_METERS))
    found = {one.lago_id: one for one in built_in if one is not None and one.lago_id in wanted}
    if found.keys() >= set(wanted):
        return found
    for code, facts in snapshot.all_facts(scope, "meter"):
        metric = _metric(scope, code, meter_view(code, facts, now))
        if metric is not None and metric.lago_id in wanted:
            found[metric.lago_id] = metric
    return found


def newest_first(snapshot: Snapshot, scope: Scope, subject: Subject, now: datetime) -> list[str]:
    """The ids of all meters or plans that exist, the last created first."""
    found = ((existing_at(facts, now), identifier) for identifier, facts in snapshot.all_facts(scope, subject))
    existing = [(state.created_at, identifier) for state, identifier in found if state is not None]
    existing.sort(key=lambda one: one[1])
    existing.sort(key=lambda one: one[0], reverse=True)
    return [identifier for _, identifier in existing]


def metric_codes(snapshot: Snapshot, scope: Scope, now: datetime) -> Sequence[str]:
    """The codes of all metrics, the last created first, and the built-in ones after them. Units are not listed."""
    own = (code for code in newest_first(snapshot, scope, "meter", now) if code not in BUILT_IN_METERS)
    return [*own, *sorted(BUILT_IN_METERS)]


def _metric(scope: Scope, code: str, own: MeterView | None) -> Metric | None:
    if measured_by(code, own) is not None:
        return Metric(code, lago_id(scope, "billable_metric", code), None)
    return None if own is None else Metric(code, lago_id(scope, "billable_metric", code, own.created_at), own)
