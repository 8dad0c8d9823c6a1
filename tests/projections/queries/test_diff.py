"""Any read store tells what changed events since an earlier position, and by which record."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from domain.corrections.commands import RestoreUsage, VoidUsage
from domain.customers.commands import CreateCustomer, UpdateCustomer
from domain.event import Provenance
from domain.prices.commands import SetPrice
from domain.prices.own_price import OwnPrice
from domain.prices.schedule import UnitPrices
from domain.repricings.commands import CommitRepricing, OpenRepricing, RevertRepricing
from domain.repricings.repricing_range import RepricingRange
from domain.scope import DEFAULT_SCOPE, Scope
from projections.queries.diff import ChangeCursor, ChangePart, ChangesQuestion, ChangeSum, EventChange
from projections.queries.usage import Segment, UsageSums
from tests.projections.folded_log import BY_TEST, START, usage
from tests.projections.queries.store_under_test import StoreUnderTest

DAY: Final = Segment(START, START + timedelta(days=1))
WHY: Final = Provenance("support", reason="asked for")


def question(since: int, customer: str | None = None, late_before: Any = None) -> ChangesQuestion:
    return ChangesQuestion(since, DAY, customer, late_before)


def sums(events: int, cost: str = "0", unknown: int = 0) -> UsageSums:
    """The sums of so many equal events; a negative number of them was taken away."""
    return UsageSums(events, 1000 * events, 0, 0, 100 * events, 0, Decimal(cost), unknown, events)


def test_events_counted_since_are_new_or_late(store_under_test: StoreUnderTest) -> None:
    store = store_under_test
    since = store.deliver([usage("1", cost_usd="1")])
    store.deliver([usage("2", cost_usd="2"), usage("3", at=START + timedelta(hours=2), cost_usd="4")])
    store.deliver([usage("4", at=START - timedelta(days=1)), usage("5", "beta", cost_usd="8")])
    store.fold()
    with store.reads.snapshot() as snapshot:
        late_before = START + timedelta(hours=1)
        assert snapshot.change_sums(DEFAULT_SCOPE, question(since, "acme", late_before)) == [
            ChangeSum("late", None, 1, (ChangePart(sums(1, "2")),)),
            ChangeSum("new", None, 1, (ChangePart(sums(1, "4")),)),
        ]
        everyone = snapshot.change_sums(DEFAULT_SCOPE, question(since, None, late_before))
        assert [(one.kind, one.events) for one in everyone] == [("late", 2), ("new", 1)]
        assert snapshot.change_sums(Scope("other", "prod"), question(since)) == []
        assert snapshot.change_sums(DEFAULT_SCOPE, question(since, "nobody")) == []


def test_a_change_names_its_event_and_who_made_it_and_why(store_under_test: StoreUnderTest) -> None:
    store = store_under_test
    since = store.deliver([usage("1", cost_usd="1")])
    store.pass_time(hours=2)
    voided = store.commands.handle(VoidUsage(DEFAULT_SCOPE, WHY, "gateway", "1")).position
    restored = store.commands.handle(RestoreUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "1")).position
    assert voided is not None
    assert restored is not None
    store.fold()
    with store.reads.snapshot() as snapshot:
        found = snapshot.event_changes(DEFAULT_SCOPE, question(since), None, 9)
        rest = snapshot.event_changes(DEFAULT_SCOPE, question(since), ChangeCursor(voided, 2**62, ""), 9)
        recorded_at, locator = START + timedelta(hours=2), found[0].locator
        about = ("acme", "gateway", "1", locator, START)
        assert found == [
            EventChange(voided, recorded_at, "voided", *about, (ChangePart(sums(-1, "-1")),), "support", "asked for"),
            EventChange(restored, recorded_at, "restored", *about, (ChangePart(sums(1, "1")),), "test", None),
        ]
        assert rest == found[1:]


def test_prices_and_runs_are_told_apart_with_the_markup_known_before(store_under_test: StoreUnderTest) -> None:
    store = store_under_test
    fields = {"markup_percentage": "10"}
    store.commands.handle(
        CreateCustomer(DEFAULT_SCOPE, BY_TEST, "acme", fields, effective_at=START - timedelta(days=1))
    )
    since = store.deliver([usage("1")])
    raised = {"markup_percentage": "20"}
    store.commands.handle(UpdateCustomer(DEFAULT_SCOPE, BY_TEST, "acme", raised, effective_at=START))
    set_price(store, "1000")
    set_price(store, "2000")
    previewed_at = store.commands.handle(OpenRepricing(DEFAULT_SCOPE, BY_TEST, "run", RepricingRange())).position
    assert previewed_at is not None
    store.fold()
    store.commands.handle(CommitRepricing(DEFAULT_SCOPE, WHY, "run", previewed_at))
    store.commands.handle(RevertRepricing(DEFAULT_SCOPE, BY_TEST, "run"))
    store.fold()
    with store.reads.snapshot() as snapshot:
        found = snapshot.change_sums(DEFAULT_SCOPE, question(since, "acme"))
        changes = snapshot.event_changes(DEFAULT_SCOPE, question(since, "acme"), None, 9)
        facts = snapshot.markup_facts(DEFAULT_SCOPE, question(since), None, 9)
    ten = Decimal(10)
    assert [(one.kind, one.run, one.events) for one in found] == [
        ("priced", None, 1),
        ("repriced", "run", 1),
        ("reverted", "run", 1),
    ]
    assert [part for one in found for part in one.parts] == [
        ChangePart(UsageSums(cost_usd=Decimal(1), cost_unknown_events=-1), ten),
        ChangePart(UsageSums(cost_usd=Decimal(1)), ten),
        ChangePart(UsageSums(cost_usd=Decimal(-1)), ten),
    ]
    assert [(one.kind, one.run, one.actor, one.reason) for one in changes] == [
        ("priced", None, "test", None),
        ("repriced", "run", "support", "asked for"),
        ("reverted", "run", "test", None),
    ]
    assert [(one.customer_id, one.fact.fields) for one in facts] == [("acme", {"markup_percentage": "20"})]
    assert [fact.kind for fact in facts[0].facts] == ["customer.created", "customer.updated"]


def test_units_of_events_that_are_taken_away_are_negative(store_under_test: StoreUnderTest) -> None:
    store = store_under_test
    since = store.deliver(
        [usage("1", cost_usd="1", units={"audio_seconds": 3}), usage("2", at=START - timedelta(days=1), cost_usd="2")]
    )
    for number in ("1", "2"):  # the second one lies outside of the span
        store.commands.handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", number))
    store.fold()
    with store.reads.snapshot() as snapshot:
        found = snapshot.change_sums(DEFAULT_SCOPE, question(since))
        changes = snapshot.event_changes(DEFAULT_SCOPE, question(since), None, 9)
        then = snapshot.as_of(since).change_sums(DEFAULT_SCOPE, question(since))
    taken = UsageSums(-1, -1000, 0, 0, -100, 0, Decimal(-1), 0, -1, {"audio_seconds": Decimal(-3)})
    assert found == [ChangeSum("voided", None, 1, (ChangePart(taken),))]
    assert [one.parts for one in changes] == [(ChangePart(taken),)]
    assert then == []


def set_price(store: StoreUnderTest, per_million: str) -> None:
    price = OwnPrice(None, UnitPrices(Decimal(per_million), Decimal(0)))
    store.commands.handle(SetPrice(DEFAULT_SCOPE, BY_TEST, "nowhere", "m-1", price))
