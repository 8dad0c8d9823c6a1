"""Any read store returns the same single events: counted, not counted, voided and restored."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from domain.corrections.commands import RestoreUsage, VoidUsage
from domain.scope import DEFAULT_SCOPE, Scope
from domain.usage.locators import locator_of
from domain.usage.outcomes import EventOutcome, OutcomeCounts
from projections.queries.events import CorrectionRecord, EventFilter, RowSpan
from projections.queries.log import SourceCounts
from tests.projections.folded_log import BY_TEST, START, usage
from tests.projections.queries.store_under_test import StoreUnderTest

OTHER = Scope("other", "prod")


def test_an_event_is_returned_as_it_was_sent(store_under_test: StoreUnderTest) -> None:
    store = store_under_test
    sent = usage("1", cost_usd="0.1", tags=["x"], latency_ms=1.5, region="eu", weights=[0.1, 12345678901234567890.5])
    position = store.deliver([sent])
    store.fold()
    with store.reads.snapshot() as snapshot:
        event = snapshot.event(DEFAULT_SCOPE, "gateway", "1")
        assert event is not None
        assert snapshot.event_at(locator_of(position, 0)) == event
        assert snapshot.event(OTHER, "gateway", "1") is None
    assert (event.customer_id, event.time, event.type, event.provider, event.model, event.status) == (
        "acme", START, "llm.request", "nowhere", "m-1", "succeeded",
    )  # fmt: skip
    assert (event.input_tokens, event.output_tokens, event.cost_usd, event.cost_origin) == (
        1000, 100, Decimal("0.1"), "producer",
    )  # fmt: skip
    assert (event.tags, event.latency_us, event.voided) == (("x",), 1500, False)
    assert event.properties["region"] == "eu"
    assert event.properties["weights"][0] == 0.1


def test_events_come_newest_first_in_pages(store_under_test: StoreUnderTest) -> None:
    store = store_under_test
    store.deliver([usage(str(number), at=START - timedelta(minutes=number // 2)) for number in range(7)])
    store.fold()
    found, after = [], None
    with store.reads.snapshot() as snapshot:
        while page := snapshot.events(DEFAULT_SCOPE, EventFilter(), after, 3):
            found += [event.id for event in page]
            after = page[-1].time, page[-1].locator
    assert found == ["1", "0", "3", "2", "5", "4", "6"]


def test_all_conditions_of_a_filter_hold_together(store_under_test: StoreUnderTest) -> None:
    store = store_under_test
    store.deliver(
        [
            usage("1", tags=["x", "y"]), usage("2", model="m-2", tags=["x"]), usage("3", "beta"),
            usage("4", status="failed"),
            usage("5", at=START - timedelta(hours=1)),
        ]
    )  # fmt: skip
    store.fold()
    asked = {
        "tag": EventFilter(tag="x"),
        "model": EventFilter(model="m-2"),
        "tag and model": EventFilter(tag="x", model="m-1"),
        "customer": EventFilter(customer_id="beta"),
        "nobody": EventFilter(customer_id="nobody"),
        "status": EventFilter(status="failed"),
        "type": EventFilter(type="page.view"),
        "time": EventFilter(start=START - timedelta(hours=1), end=START),
    }
    with store.reads.snapshot() as snapshot:
        found = {
            name: sorted(event.id for event in snapshot.events(DEFAULT_SCOPE, where, None, 9))
            for name, where in asked.items()
        }
    assert found == {
        "tag": ["1", "2"], "model": ["2"], "tag and model": ["1"], "customer": ["3"], "nobody": [], "status": ["4"],
        "type": [], "time": ["5"],
    }  # fmt: skip


def test_a_voided_event_is_returned_only_on_request_and_once(store_under_test: StoreUnderTest) -> None:
    store = store_under_test
    store.deliver([usage("1"), usage("2")])
    for _ in range(2):
        store.commands.handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "1"))
        store.fold()
        with store.reads.snapshot() as snapshot:
            shown = [event.id for event in snapshot.events(DEFAULT_SCOPE, EventFilter(), None, 9)]
            everything = snapshot.events(DEFAULT_SCOPE, EventFilter(include_voided=True), None, 9)
            one = snapshot.event(DEFAULT_SCOPE, "gateway", "1")
        assert shown == ["2"]
        assert [(event.id, event.voided) for event in everything] == [("2", False), ("1", True)]
        assert one is not None
        assert one.voided
        store.commands.handle(RestoreUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "1"))
        store.fold()
    with store.reads.snapshot() as snapshot:
        assert [event.voided for event in snapshot.events(DEFAULT_SCOPE, EventFilter(), None, 9)] == [False, False]
        kinds = [correction.kind for correction in snapshot.corrections(DEFAULT_SCOPE, "gateway", "1")]
    assert kinds == ["usage.voided", "usage.restored"] * 2


def test_a_correction_tells_who_when_and_why(store_under_test: StoreUnderTest) -> None:
    store = store_under_test
    position = store.commands.handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "to-come")).position
    assert position is not None
    store.fold()
    with store.reads.snapshot() as snapshot:
        assert snapshot.corrections(DEFAULT_SCOPE, "gateway", "to-come") == [
            CorrectionRecord("usage.voided", position, START, "test", None)
        ]
        assert snapshot.event(DEFAULT_SCOPE, "gateway", "to-come") is None


def test_a_receipt_tells_what_became_of_a_request(store_under_test: StoreUnderTest) -> None:
    store = store_under_test
    first = store.deliver([usage("1"), usage("2")])
    second = store.deliver([usage("3"), usage("1"), usage("2", input_tokens=7), b"{nonsense"])
    store.fold()
    with store.reads.snapshot() as snapshot:
        receipt = snapshot.receipt([RowSpan(first, 0, 2), RowSpan(second, 0, 4)])
        only_first_two = snapshot.receipt([RowSpan(second, 0, 2)])
        sources = snapshot.source_counts(DEFAULT_SCOPE)
        totals, later = snapshot.totals(), snapshot.totals(first)
        rejections = snapshot.rejections(), snapshot.rejections(first), snapshot.rejections(second)
    counts = receipt.counts
    assert counts == OutcomeCounts(counted=3, duplicate=1, conflict=1, rejected=1)
    assert [(one.id, one.outcome, one.reason) for one in receipt.outcomes()] == [
        ("1", "duplicate", None),
        ("2", "conflict", None),
        (None, "rejected", "not_json"),
    ]
    assert only_first_two.counts == OutcomeCounts(1, 1)
    assert only_first_two.outcomes() == [EventOutcome("gateway", "1", "duplicate")]
    assert sources == [SourceCounts("usage/http/test", counts)]
    assert totals == counts
    assert later == OutcomeCounts(counted=1, duplicate=1, conflict=1, rejected=1)
    assert rejections == ({"not_json": 1}, {"not_json": 1}, {})


def test_a_receipt_of_many_spans_tells_of_no_event_between_them(store_under_test: StoreUnderTest) -> None:
    store = store_under_test
    store.deliver([usage(str(number)) for number in range(4)])
    first = store.deliver([usage("0"), usage("1"), usage("2"), usage("3"), usage("4")])
    second = store.deliver([usage("5"), usage("0", input_tokens=7), usage("1"), usage('"\u00e9\n')])
    third = store.deliver([usage('"\u00e9\n'), usage("2")])
    store.fold()
    spans = [RowSpan(first, 0, 1), RowSpan(first, 3, 5), RowSpan(second, 0, 2), RowSpan(third, 0, 1)]
    with store.reads.snapshot() as snapshot:
        whole, cut, none = snapshot.receipt(spans), snapshot.receipt(spans, 2), snapshot.receipt(spans[2:], 0)
    outcomes = [
        EventOutcome("gateway", "0", "duplicate"),
        EventOutcome("gateway", "3", "duplicate"),
        EventOutcome("gateway", "0", "conflict"),
        EventOutcome("gateway", '"\u00e9\n', "duplicate"),
    ]
    assert (whole.outcomes(), whole.is_truncated) == (outcomes, False)
    assert (cut.outcomes(), cut.is_truncated) == (outcomes[:2], True)
    assert whole.counts == cut.counts == OutcomeCounts(counted=2, duplicate=3, conflict=1)
    assert (none.counts, none.shown, none.outcomes()) == (OutcomeCounts(1, 1, 1), 0, [])


def test_all_counted_agrees_with_receipts(store_under_test: StoreUnderTest) -> None:
    store = store_under_test
    first = store.deliver([usage("1"), usage("2")])
    second = store.deliver([usage("3"), usage("1"), usage("4"), b"{nonsense"])
    store.fold()
    spans = [RowSpan(first, 0, 2), *(RowSpan(second, row, row + 1) for row in range(4))]
    with store.reads.snapshot() as snapshot:
        told = [not snapshot.receipt([span]).shown for span in spans]
    assert told == [True, True, False, True, False]
    assert [store.reads.all_counted([span]) for span in spans] == told
    assert store.reads.all_counted([spans[0], spans[1], spans[3]])
    assert not store.reads.all_counted(spans)


def test_refused_events_are_found_by_identity_and_by_outcome(store_under_test: StoreUnderTest) -> None:
    store = store_under_test
    first = store.deliver([usage("1"), usage("1"), b"not json"])
    second = store.deliver([usage("1", input_tokens=9)])
    store.fold()
    with store.reads.snapshot() as snapshot:
        of_one = list(snapshot.identity_history(DEFAULT_SCOPE, "gateway", "1", 9).refusals)
        newest = snapshot.outcomes(DEFAULT_SCOPE, ("rejected", "conflict"), None, 1)
        older = snapshot.outcomes(DEFAULT_SCOPE, ("rejected", "conflict"), newest[-1].locator, 9)
        by_reason = snapshot.outcomes(DEFAULT_SCOPE, ("rejected",), None, 9, reason="time_out_of_range")
    assert [(row.outcome, row.locator, row.first_locator) for row in of_one] == [
        ("duplicate", locator_of(first, 1), locator_of(first, 0)),
        ("conflict", locator_of(second, 0), locator_of(first, 0)),
    ]
    assert [row.outcome for row in newest] == ["conflict"]
    assert [(row.outcome, row.reason, row.raw) for row in older] == [("rejected", "not_json", b"not json")]
    assert by_reason == []
