"""A snapshot as of an earlier position answers every query as the store answered it at that position."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, settings

from domain.correction_runs.event_filter import CorrectedEvents
from domain.correction_runs.set_members import SetMembers
from domain.corrections.commands import VoidUsage
from domain.repricings.repricing_range import RepricingRange
from domain.scope import DEFAULT_SCOPE, Scope
from domain.usage.outcomes import OUTCOMES
from projections.queries.corrections import CorrectionQuestion
from projections.queries.customer_list import CustomerCondition, CustomerListQuestion
from projections.queries.customers import CustomerSpan
from projections.queries.diff import ChangesQuestion
from projections.queries.events import EventFilter, EventQuestion
from projections.queries.meters import MeterQuestion
from projections.queries.snapshot import Snapshot
from projections.queries.usage import Segment, UsageQuestion
from projections.views.corrections.amendments import amendment_preview
from projections.views.corrections.preview import correction_preview
from projections.views.repricing import repricing_preview
from tests.projections.folded_log import BY_TEST, START, usage
from tests.projections.generated_logs import Entry, generated_logs, write_entries
from tests.projections.queries.store_under_test import DuckDBUnderTest

SCOPES: Final = (DEFAULT_SCOPE, Scope("other", "test"))
CUSTOMERS: Final = ("c-0", "c-1", "c-2", "acme", "nobody")
LATER: Final = START + timedelta(days=2)
DAYS: Final = tuple(Segment(START - timedelta(days=day), START - timedelta(days=day - 1)) for day in range(3, -1, -1))
EVERYTHING: Final = (Segment(START - timedelta(days=30), START + timedelta(days=30)),)
SPANS: Final = tuple(CustomerSpan(name, DAYS[0].start + timedelta(hours=5), LATER) for name in CUSTOMERS)

WITHOUT: Final = (CustomerCondition("metadata:a", "is_null"),)
LISTS: Final = (
    CustomerListQuestion(LATER, WITHOUT, "reported_cost_usd", descending=True),
    CustomerListQuestion(LATER, WITHOUT, "first_seen_at"),
    CustomerListQuestion(LATER, WITHOUT, "average_latency"),
    CustomerListQuestion(LATER, WITHOUT, "created_position"),
)

#: Every query that names a scope.
QUERIES: Final[dict[str, Callable[[Snapshot, Scope], Any]]] = {
    "customer": lambda store, scope: [store.customer(scope, name) for name in CUSTOMERS],
    "first event ever": lambda store, scope: [store.first_event_ever(scope, name) for name in CUSTOMERS],
    "customer with budgets": lambda store, scope: [store.customer_with_budgets(scope, name) for name in CUSTOMERS],
    "customers": lambda store, scope: store.customers(scope, None, 9),
    "customers by prefix": lambda store, scope: store.customers(scope, "c-0", 9, "c-"),
    "ever deactivated": lambda store, scope: store.customers_ever_deactivated(scope),
    "deletions": lambda store, scope: [store.customer_deletions(scope, one) for one in (None, CUSTOMERS)],
    "customer page": lambda store, scope: store.customer_page(scope, LATER, 0, 9),
    "customer search": lambda store, scope: store.customer_page(scope, LATER, 0, 9, "a"),
    "customer list": lambda store, scope: [store.customer_list(scope, one, 0, 9) for one in LISTS],
    "customer count": lambda store, scope: [store.customer_count(scope, one) for one in LISTS],
    "usage totals": lambda store, scope: store.usage_totals(scope, CUSTOMERS),
    "blocked": lambda store, scope: store.customers_blocked(scope, LATER, 9),
    "costs": lambda store, scope: store.costs_of(scope, SPANS),
    "usage of spans": lambda store, scope: store.usage_of_spans(scope, SPANS),
    "usage": lambda store, scope: [
        store.usage(scope, UsageQuestion(segments, customer, ("model",), split_markup=True))
        for segments in (DAYS, EVERYTHING)
        for customer in (None, *CUSTOMERS)
    ],
    "usage by customer": lambda store, scope: store.usage(scope, UsageQuestion(DAYS, None, ("customer",))),
    "meter": lambda store, scope: store.meter(
        scope, MeterQuestion(DAYS, "llm.request", "max", "input_tokens", None, ("customer",))
    ),
    "events": lambda store, scope: store.events(scope, EventFilter(), None, 99),
    "voided events": lambda store, scope: store.events(scope, EventFilter(include_voided=True), None, 99),
    "marked events": lambda store, scope: store.marked_events(scope, EventFilter(roots_only=True), None, 99),
    "event page": lambda store, scope: store.event_page(scope, EventQuestion(EventFilter()), 0, 99),
    "event": lambda store, scope: [store.event(scope, "gateway", f"e-{number}") for number in range(8)],
    "refusals": lambda store, scope: [store.identity_history(scope, "gateway", f"e-{n}", 9) for n in range(8)],
    "outcomes": lambda store, scope: store.outcomes(scope, OUTCOMES, None, 99),
    "corrections": lambda store, scope: [store.corrections(scope, "gateway", f"e-{n}") for n in range(8)],
    "budget ids": lambda store, scope: store.ids(scope, "budget", None, 9),
    "budgets": lambda store, scope: list(store.all_facts(scope, "budget")),
    "meter codes": lambda store, scope: store.ids(scope, "meter", None, 9),
    "plans": lambda store, scope: list(store.all_facts(scope, "plan")),
    "subscriptions": lambda store, scope: list(store.all_facts(scope, "subscription")),
    "subscribers": lambda store, scope: store.facts(scope, "subscriber", "c-1"),
    "meters": lambda store, scope: [store.facts(scope, "meter", code) for code in store.ids(scope, "meter", None, 9)],
    "prices": lambda store, scope: store.prices(scope, None, None, None, 99),
    "correction runs": lambda store, scope: store.correction_runs(scope, None, 99),
    "corrections by runs": lambda store, scope: [
        store.run_corrections(scope, one.locator)
        for one in store.events(scope, EventFilter(include_voided=True), None, 99)
    ],
    "events of corrections": lambda store, scope: [
        correction_preview(
            store, scope, CorrectionQuestion(action, CorrectedEvents(types=("llm.request",))), LATER, None, 99
        )
        for action in ("void", "restore")
    ],
    "events to amend": lambda store, scope: amendment_preview(
        store,
        scope,
        CorrectionQuestion("amend", CorrectedEvents(types=("llm.request",)), SetMembers("m-1", "acme", "c-3", ("b",))),
        LATER,
        None,
        99,
    ),
    "re-pricings": lambda store, scope: store.repricings(scope, None, 99),
    "rows to re-price": lambda store, scope: repricing_preview(
        store, scope, RepricingRange(given_costs="zeros"), LATER, None, 99
    ),
    "changes": lambda store, scope: [
        [store.change_sums(scope, asked), store.event_changes(scope, asked, None, 99)]
        for asked in (ChangesQuestion(3, EVERYTHING[0]), ChangesQuestion(1, DAYS[1], "c-1", START - timedelta(hours=9)))
    ],
    "facts about markups": lambda store, scope: store.markup_facts(scope, ChangesQuestion(2, EVERYTHING[0]), None, 99),
    "backfills": lambda store, scope: store.backfills(scope, None, 99),
    "source counts": lambda store, scope: store.source_counts(scope),
}


def answers(store: Snapshot) -> dict[str, Any]:
    found = {name: [query(store, scope) for scope in SCOPES] for name, query in QUERIES.items()}
    return found | {
        "point": store.point(),
        "totals": store.totals(),
        "rejections": store.rejections(),
        "position": store.position_at(LATER),
    }


@settings(deadline=None, max_examples=3, phases=[Phase.generate], suppress_health_check=[HealthCheck.too_slow])
@given(generated_logs(8))
def test_a_snapshot_as_of_a_position_answers_as_the_store_did_then(entries: list[Entry]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = DuckDBUnderTest(Path(folder))
        then = []
        for entry in entries:
            write_entries(store, [entry])
            store.fold()
            with store.reads.snapshot() as snapshot:
                then.append(answers(snapshot))
        store.compact()
        with store.reads.snapshot() as snapshot:
            for found in then:
                assert answers(snapshot.as_of(found["point"].position)) == found
        store.close()


def test_a_snapshot_as_of_a_position_is_asked_as_of_an_earlier_one(tmp_path: Path) -> None:
    store = DuckDBUnderTest(tmp_path)
    positions = [store.deliver([usage(str(number), f"customer {number}")]) for number in range(3)]
    store.fold()
    with store.reads.snapshot() as snapshot:
        earlier = snapshot.as_of(positions[1]).as_of(positions[0])
        found = earlier.point().position, [one.customer_id for one in earlier.customers(DEFAULT_SCOPE, None, 9)]
    store.close()
    assert found == (positions[0], ["customer 0"])


def test_a_customer_whose_usage_was_all_voided_is_on_no_page_as_of_then(tmp_path: Path) -> None:
    store = DuckDBUnderTest(tmp_path)
    store.deliver([usage("1", "gone"), usage("2", "there")])
    counted = store.deliver([usage("3", "there")])
    voided = store.commands.handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "1")).position
    assert voided is not None
    store.deliver([usage("4", "later")])
    store.fold()
    with store.reads.snapshot() as snapshot:
        shown = [
            [one.customer_id for one in snapshot.as_of(position).customer_page(DEFAULT_SCOPE, LATER, 0, 9)]
            for position in (counted, voided)
        ]
    store.close()
    assert shown == [["gone", "there"], ["there"]]
