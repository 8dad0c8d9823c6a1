"""Snapshots that share a cache answer as each would alone, even while older ones are open."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from domain.corrections.commands import RestoreUsage, VoidUsage
from domain.customers.commands import CreateCustomer, DeleteCustomer, UpdateCustomer
from domain.event import Provenance
from domain.scope import DEFAULT_SCOPE
from projections.duckdb.reading.snapshot import DuckDBReads, DuckDBSnapshot
from projections.queries.customers import CustomerSpan, SpanCost
from projections.queries.usage import Segment, UsageQuestion
from projections.views.budget_state import budget_state
from projections.views.current_usage import current_usage
from tests.projections.folded_log import FoldedLog, usage

AT = datetime(2026, 2, 20, 12, tzinfo=UTC)
NAMES = ("acme", "globex", "nobody")


def answers(snapshot: DuckDBSnapshot) -> list[Any]:
    """Every answer about every customer that may come from the cache."""
    of_months = Segment(datetime(2026, 2, 1, tzinfo=UTC), AT + timedelta(days=40))
    found: list[Any] = [snapshot.point(), snapshot.usage_totals(DEFAULT_SCOPE, NAMES)]
    for name in NAMES:
        found.append(snapshot.customer(DEFAULT_SCOPE, name))
        found.append(current_usage(snapshot, DEFAULT_SCOPE, name, AT))
        found.append(budget_state(snapshot, DEFAULT_SCOPE, name, AT))
        found.append(snapshot.usage(DEFAULT_SCOPE, UsageQuestion((of_months,), name, ("type",))))
    return found


def test_cached_answers_equal_uncached_ones_after_every_kind_of_change(
    tmp_path: Path,
) -> None:
    folded = FoldedLog(tmp_path)
    provenance = Provenance("tester")
    commands = folded.commands
    changes: tuple[Callable[[], Any], ...] = (
        lambda: folded.deliver([usage("e1", "acme", AT, cost_usd="1.5")]),
        lambda: folded.deliver([usage("e2", "acme", AT - timedelta(days=40), model="new-model")]),
        lambda: commands.handle(CreateCustomer(DEFAULT_SCOPE, provenance, "acme", {"period_limit_usd": "9"})),
        lambda: folded.deliver([usage("e3", "globex", AT, cost_usd="2")]),
        lambda: commands.handle(VoidUsage(DEFAULT_SCOPE, provenance, "gateway", "e1")),
        lambda: commands.handle(UpdateCustomer(DEFAULT_SCOPE, provenance, "acme", {"markup_percentage": "10"})),
        lambda: commands.handle(RestoreUsage(DEFAULT_SCOPE, provenance, "gateway", "e1")),
        lambda: commands.handle(DeleteCustomer(DEFAULT_SCOPE, provenance, "acme")),
        lambda: folded.compact(),
        lambda: folded.deliver([usage("e4", "globex", AT + timedelta(days=1), cost_usd="3")]),
    )
    cached = DuckDBReads(folded.database.cursor, folded.store.changes)
    with ExitStack() as open_snapshots:
        held = []
        for change in changes:
            change()
            folded.fold()
            fresh = open_snapshots.enter_context(DuckDBReads(folded.database.cursor).snapshot())
            kept = open_snapshots.enter_context(cached.snapshot())
            late = open_snapshots.enter_context(cached.snapshot())
            expected = answers(fresh)
            late.point()
            assert answers(kept) == expected
            held.append((late, expected))
        for late, expected in reversed(held):  # the newest has been asked last: older ones must not take its answers
            assert answers(late) == expected


def test_a_snapshot_that_has_met_a_customer_takes_nothing_that_a_newer_one_cached(tmp_path: Path) -> None:
    folded = FoldedLog(tmp_path)
    provenance = Provenance("tester")
    folded.commands.handle(CreateCustomer(DEFAULT_SCOPE, provenance, "acme", {"period_limit_usd": "9"}))
    folded.deliver([usage("e1", "acme", AT, cost_usd="1.5")])
    folded.fold()
    cached = DuckDBReads(folded.database.cursor, folded.store.changes)
    with cached.snapshot() as older, DuckDBReads(folded.database.cursor).snapshot() as uncached:
        span = CustomerSpan("acme", AT, AT + timedelta(days=1))
        assert (
            older.costs_of(DEFAULT_SCOPE, [span])
            == uncached.costs_of(DEFAULT_SCOPE, [span])
            == [SpanCost(Decimal("1.5"))]
        )
        folded.commands.handle(UpdateCustomer(DEFAULT_SCOPE, provenance, "acme", {"period_limit_usd": "7"}))
        folded.deliver([usage("e2", "acme", AT, cost_usd="2")])
        folded.fold()
        with cached.snapshot() as newer:
            assert answers(newer) != answers(uncached)
        assert answers(older) == answers(uncached)
