"""Current and past usage, budgets, access, reports and explanations, over a log that was folded."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from domain.budgets.access_decision import Limit
from domain.budgets.commands import CreateBudget, UpdateBudget
from domain.corrections.commands import VoidUsage
from domain.customers.commands import (
    BlockCustomer,
    CreateCustomer,
    DeactivateCustomer,
    DeleteCustomer,
    ReactivateCustomer,
)
from domain.errors import InvalidInput, NotFound
from domain.meters.commands import CreateMeter
from domain.prices.commands import SetDiscount, SetPrice
from domain.prices.own_price import OwnPrice, checked_price_list
from domain.prices.price_list import UnitRate, applied_price
from domain.prices.schedule import PriceTier, UnitPrices
from domain.scope import DEFAULT_SCOPE
from domain.values.periods import Interval
from projections.queries.prices import DiscountRecord
from projections.queries.snapshot import Snapshot
from projections.queries.usage import WINDOWS_MAX
from projections.views.budget_state import access, budget_state
from projections.views.current_usage import ModelUsage, current_usage
from projections.views.event_explanation import CostExplanation, EventTotals, explain_event
from projections.views.measures import Measures
from projections.views.past_usage import PAST_PERIODS_MAX, PastPeriod, PastUsage, past_usage
from projections.views.usage_report import UsageReportQuestion, UsageReportRow, usage_report
from tests.projections.folded_log import BY_TEST, START, usage
from tests.projections.queries.store_under_test import DuckDBUnderTest

GRACE_SECONDS = 3600
MARCH = Interval(START, datetime(2026, 4, 1, tzinfo=UTC))
FEBRUARY = Interval(datetime(2026, 2, 1, tzinfo=UTC), START)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckDBUnderTest]:
    store = DuckDBUnderTest(tmp_path / "store")
    yield store
    store.close()


def measured(requests: int, cost: str = "0", reported: str | None = None, unknown: int = 0) -> Measures:
    """The measures of events as `usage` makes them: 1000 input and 100 output tokens each."""
    raw, shown = Decimal(cost), Decimal(cost if reported is None else reported)
    return Measures(requests, 1000 * requests, 0, 0, 100 * requests, 0, raw, shown, unknown)


def test_current_usage_is_the_open_period_of_the_current_life_by_model(store: DuckDBUnderTest) -> None:
    store.commands.handle(CreateCustomer(DEFAULT_SCOPE, BY_TEST, "acme", {"markup_percentage": "10"}))
    store.deliver(
        [usage("1", cost_usd="1"), usage("2", model=None), usage("3"), usage("4", at=START - timedelta(days=1))]
    )
    store.fold()
    with store.reads.snapshot() as snapshot:
        found = current_usage(snapshot, DEFAULT_SCOPE, "acme", store.now)
        assert found is not None
        assert (found.position, found.period, found.usage) == (
            snapshot.point().position, MARCH, measured(3, "1", "1.1", unknown=1),
        )  # fmt: skip
        assert found.by_model == (
            ModelUsage("nowhere", None, measured(1)),
            ModelUsage("nowhere", "m-1", measured(2, "1", "1.1", unknown=1)),
        )
        assert current_usage(snapshot, DEFAULT_SCOPE, "nobody", store.now) is None


def test_a_new_life_begins_with_nothing(store: DuckDBUnderTest) -> None:
    store.deliver([usage("1", cost_usd="1")])
    store.pass_time(hours=1)
    store.commands.handle(DeleteCustomer(DEFAULT_SCOPE, BY_TEST, "acme", seen_at=START))
    store.fold()
    with store.reads.snapshot() as snapshot:
        assert current_usage(snapshot, DEFAULT_SCOPE, "acme", store.now) is None
        assert access(snapshot, DEFAULT_SCOPE, "acme", store.now).decision.reason == "new_customer"
    store.deliver([usage("2", at=START + timedelta(minutes=5)), usage("3", at=store.now, cost_usd="2")])
    store.fold()
    with store.reads.snapshot() as snapshot:
        found = current_usage(snapshot, DEFAULT_SCOPE, "acme", store.now)
    assert found is not None
    assert found.usage == measured(1, "2")


def test_a_late_event_restates_a_closed_period(store: DuckDBUnderTest) -> None:
    store.deliver([usage("1", at=START - timedelta(days=2), cost_usd="1")])
    store.pass_time(minutes=59, seconds=59)
    store.deliver([usage("2", at=START - timedelta(hours=1), cost_usd="2")])
    store.pass_time(seconds=1)
    store.deliver([usage("3", at=START - timedelta(minutes=1), cost_usd="4")])
    store.commands.handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "1"))
    store.fold()
    with store.reads.snapshot() as snapshot:
        in_grace = past_usage(snapshot, DEFAULT_SCOPE, "acme", store.now - timedelta(seconds=1), 6, GRACE_SECONDS)
        closed = past_usage(snapshot, DEFAULT_SCOPE, "acme", store.now, 6, GRACE_SECONDS)
    assert in_grace is not None
    assert in_grace.periods == (PastPeriod(FEBRUARY, False, None, measured(2, "6"), None),)
    assert closed is not None
    restated = PastPeriod(FEBRUARY, True, measured(2, "3"), measured(2, "6"), measured(0, "3"), FEBRUARY)
    assert (closed.periods, restated.restated) == ((restated,), True)


def test_a_closed_period_before_what_is_known_now_stays_and_is_restated(store: DuckDBUnderTest) -> None:
    """The only event of February is voided after it closed. March never had any; that of January came after its end."""
    february = usage("1", at=START - timedelta(days=1), cost_usd="1")
    store.deliver([usage("0", at=START - timedelta(days=40)), february])
    store.commands.handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "0"))
    store.pass_time(days=40)
    position = store.deliver([usage("2", at=store.now, cost_usd="2")])
    as_sent = past_periods(store)
    store.commands.handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "1"))
    one, march = measured(1, "1"), PastPeriod(MARCH, True, Measures(), Measures(), Measures(), MARCH)
    kept = PastPeriod(FEBRUARY, True, one, one, Measures(), FEBRUARY)
    voided = PastPeriod(FEBRUARY, True, one, Measures(), Measures().minus(one), FEBRUARY)
    assert (as_sent, past_periods(store), voided.restated) == ([march, kept], [march, voided], True)
    assert (past_periods(store, position), past_periods(store, periods=1)) == ([march, kept], [march])


def past_periods(store: DuckDBUnderTest, as_of: int | None = None, periods: int = PAST_PERIODS_MAX) -> list[PastPeriod]:
    store.fold()
    with store.reads.snapshot() as latest:
        snapshot = latest if as_of is None else latest.as_of(as_of)
        found = past_usage(snapshot, DEFAULT_SCOPE, "acme", store.now, periods, GRACE_SECONDS)
    assert found is not None
    return list(found.periods)


def test_past_usage_ends_where_the_life_began_and_has_a_bound(store: DuckDBUnderTest) -> None:
    store.deliver([usage("1", at=START - timedelta(days=40))])
    store.fold()
    with store.reads.snapshot() as snapshot:
        found = past_usage(snapshot, DEFAULT_SCOPE, "acme", store.now, PAST_PERIODS_MAX, GRACE_SECONDS)
        assert found is not None
        assert [past.period.start.month for past in found.periods] == [2, 1]
        with pytest.raises(InvalidInput, match="periods"):
            past_usage(snapshot, DEFAULT_SCOPE, "acme", store.now, PAST_PERIODS_MAX + 1, GRACE_SECONDS)


def test_a_budget_counts_reported_cost_and_the_opening_spend_in_its_period(store: DuckDBUnderTest) -> None:
    limits = {
        "markup_percentage": "100", "period_limit_usd": "10", "budget_duration": "1d", "total_limit_usd": "8",
        "soft_limit_usd": "2", "opening_spend_usd": "1", "model_limits": {"m-2": {"limit_usd": "3", "duration": "1w"}},
    }  # fmt: skip
    store.commands.handle(CreateCustomer(DEFAULT_SCOPE, BY_TEST, "acme", limits))
    store.deliver([usage("1", cost_usd="0.5")])
    store.pass_time(days=1)
    store.deliver([usage("2", at=store.now, cost_usd="1.25"), usage("3", at=store.now, cost_usd="2", model="m-2")])
    store.fold()
    with store.reads.snapshot() as snapshot:
        first_day = budget_state(snapshot, DEFAULT_SCOPE, "acme", START)
        state = budget_state(snapshot, DEFAULT_SCOPE, "acme", store.now)
        decided = access(snapshot, DEFAULT_SCOPE, "acme", store.now, model="m-2").decision
        other_model = access(snapshot, DEFAULT_SCOPE, "acme", store.now, model="m-1").decision
    assert first_day is not None
    assert (first_day.spending.period_usd, first_day.spending.total_usd) == (Decimal(2), Decimal("8.5"))
    assert state is not None
    assert state.period == Interval(store.now, store.now + timedelta(days=1))
    assert (state.spending.period_usd, state.soft_limit_reached) == (Decimal("6.5"), True)
    tomorrow, next_monday = store.now + timedelta(days=1), datetime(2026, 3, 9, tzinfo=UTC)
    hard_limits = (
        Limit("period", Decimal(10), Decimal("6.5"), Decimal("3.5"), tomorrow),
        Limit("total", Decimal(8), Decimal("8.5"), Decimal(0), None),
        Limit("soft", Decimal(2), Decimal("6.5"), Decimal(0), tomorrow),
    )
    assert (decided.allowed, decided.reason) == (False, "total_limit")
    assert decided.limits == (*hard_limits, Limit("model:m-2", Decimal(3), Decimal(4), Decimal(0), next_monday))
    assert other_model.limits == hard_limits


def test_a_period_limit_without_duration_looks_at_the_usage_period(store: DuckDBUnderTest) -> None:
    store.commands.handle(CreateCustomer(DEFAULT_SCOPE, BY_TEST, "acme", {"period_limit_usd": "0"}))
    store.commands.handle(CreateCustomer(DEFAULT_SCOPE, BY_TEST, "free"))
    store.fold()
    with store.reads.snapshot() as snapshot:
        state = budget_state(snapshot, DEFAULT_SCOPE, "acme", store.now)
        free = budget_state(snapshot, DEFAULT_SCOPE, "free", store.now)
        refused = access(snapshot, DEFAULT_SCOPE, "acme", store.now).decision
    assert state is not None
    assert free is not None
    assert (state.period, free.period) == (MARCH, None)
    assert (refused.allowed, refused.reason) == (False, "period_limit")


def test_a_shared_budget_limits_each_customer_by_its_own_spending(store: DuckDBUnderTest) -> None:
    store.commands.handle(CreateBudget(DEFAULT_SCOPE, BY_TEST, "gold", {"total_limit_usd": "5"}))
    store.commands.handle(CreateCustomer(DEFAULT_SCOPE, BY_TEST, "acme", {"budget_id": "gold"}))
    store.commands.handle(CreateCustomer(DEFAULT_SCOPE, BY_TEST, "beta", {"budget_id": "gold", "total_limit_usd": "9"}))
    store.deliver([usage("1", cost_usd="5"), usage("2", "beta", cost_usd="5")])
    store.commands.handle(CreateCustomer(DEFAULT_SCOPE, BY_TEST, "gone"))
    store.commands.handle(BlockCustomer(DEFAULT_SCOPE, BY_TEST, "gone"))
    store.fold()
    with store.reads.snapshot() as snapshot:
        reasons = [
            access(snapshot, DEFAULT_SCOPE, name, store.now).decision.reason for name in ("acme", "beta", "gone")
        ]
    assert reasons == ["total_limit", "ok", "blocked"]


def test_as_of_an_earlier_position_a_shared_budget_is_as_it_was_known_then(store: DuckDBUnderTest) -> None:
    weekly = {"period_limit_usd": "5", "budget_duration": "1w"}
    store.commands.handle(CreateBudget(DEFAULT_SCOPE, BY_TEST, "gold", weekly))
    store.commands.handle(CreateCustomer(DEFAULT_SCOPE, BY_TEST, "acme", {"budget_id": "gold"}))
    store.deliver([usage("1", cost_usd="1")])
    store.fold()
    with store.reads.snapshot() as then:
        position, at = then.point().position, store.now + timedelta(days=20)
        known = [budget_state(then, DEFAULT_SCOPE, "acme", at), past_budget_periods(then, at)]
    store.commands.handle(UpdateBudget(DEFAULT_SCOPE, BY_TEST, "gold", {"budget_duration": "1d"}))
    store.fold()
    with store.reads.snapshot() as now:
        earlier = now.as_of(position)
        assert [budget_state(earlier, DEFAULT_SCOPE, "acme", at), past_budget_periods(earlier, at)] == known
        assert past_budget_periods(now, at) != known[1]


def past_budget_periods(snapshot: Snapshot, at: datetime) -> PastUsage | None:
    return past_usage(snapshot, DEFAULT_SCOPE, "acme", at, 2, GRACE_SECONDS, of_budget=True)


def test_a_report_cuts_its_windows_in_the_zone_and_shows_them_whole(store: DuckDBUnderTest) -> None:
    store.commands.handle(CreateCustomer(DEFAULT_SCOPE, BY_TEST, "acme", {"time_zone": "Europe/Berlin"}))
    store.deliver([usage(str(hour), at=START + timedelta(hours=hour)) for hour in (0, 2, 22, 23)])
    store.fold()
    question = UsageReportQuestion(
        "acme", START + timedelta(hours=1), START + timedelta(days=2), "day", group_by=("model",)
    )
    with store.reads.snapshot() as snapshot:
        report = usage_report(snapshot, DEFAULT_SCOPE, question, store.now)
        assert usage_report(snapshot, DEFAULT_SCOPE, UsageReportQuestion("nobody"), store.now) is None
    assert report is not None
    assert report.zone == "Europe/Berlin"
    first = Interval(START - timedelta(hours=1), START + timedelta(hours=23))
    second = Interval(first.end, first.end + timedelta(days=1))
    assert report.rows == (
        UsageReportRow(first, ("m-1",), measured(2, unknown=2)),
        UsageReportRow(second, ("m-1",), measured(1, unknown=1)),
    )


def test_deactivated_customers_are_left_out_of_groups_by_customer_and_of_nothing_else(store: DuckDBUnderTest) -> None:
    store.deliver([usage("1", "on"), usage("2", "off"), usage("3", "back")])
    for name in ("off", "back"):
        store.commands.handle(DeactivateCustomer(DEFAULT_SCOPE, BY_TEST, name, seen_at=START))
    store.commands.handle(ReactivateCustomer(DEFAULT_SCOPE, BY_TEST, "back", seen_at=START))
    store.fold()
    whole = UsageReportQuestion(end=START + timedelta(days=1))
    by_customer = UsageReportQuestion(end=START + timedelta(days=1), group_by=("model", "customer"))
    with store.reads.snapshot() as snapshot:
        found = usage_report(snapshot, DEFAULT_SCOPE, by_customer, store.now)
        everyone = usage_report(snapshot, DEFAULT_SCOPE, whole, store.now)
        off = current_usage(snapshot, DEFAULT_SCOPE, "off", store.now)
    assert found is not None
    assert [row.group for row in found.rows] == [("m-1", "back"), ("m-1", "on")]
    assert everyone is not None
    assert [row.measures for row in everyone.rows] == [measured(3, unknown=3)]
    assert off is not None
    assert off.usage.requests == 1


def test_a_report_answers_built_in_and_custom_meters(store: DuckDBUnderTest) -> None:
    meter = {"event_type": "llm.request", "aggregation": "max", "value_property": "latency_ms"}
    store.commands.handle(CreateMeter(DEFAULT_SCOPE, BY_TEST, "slowest", meter))
    store.deliver([usage("1", latency_ms=7, cost_usd="0.5"), usage("2", latency_ms=3.5)])
    store.fold()

    def value(code: str, life: int | None = None) -> Decimal | None:
        question = UsageReportQuestion("acme", START, START + timedelta(days=1), meter=code, life=life)
        with store.reads.snapshot() as snapshot:
            report = usage_report(snapshot, DEFAULT_SCOPE, question, store.now)
        assert report is not None
        (row,) = report.rows
        assert row.measures is None
        return row.value

    assert [value(code) for code in ("requests", "total_tokens", "cost_usd", "slowest")] == [2, 2200, Decimal("0.5"), 7]
    assert value("slowest", life=1) == 7
    with pytest.raises(NotFound):
        value("unheard-of")
    with pytest.raises(InvalidInput, match="life"):
        value("requests", life=2)


@pytest.mark.parametrize("code", [None, "requests", "cost_usd", "slowest"])
def test_a_life_between_two_deletions_at_one_instant_has_no_usage(store: DuckDBUnderTest, code: str | None) -> None:
    meter = {"event_type": "llm.request", "aggregation": "max", "value_property": "latency_ms"}
    store.commands.handle(CreateMeter(DEFAULT_SCOPE, BY_TEST, "slowest", meter))
    store.deliver([usage("1", at=START - timedelta(hours=1))])
    store.pass_time(hours=1)
    for _ in range(2):
        store.commands.handle(CreateCustomer(DEFAULT_SCOPE, BY_TEST, "acme", effective_at=START))
        store.commands.handle(DeleteCustomer(DEFAULT_SCOPE, BY_TEST, "acme", effective_at=START))
    store.deliver([usage("2", at=START)])
    store.fold()
    day = Interval(START - timedelta(days=1), START + timedelta(days=1))
    with store.reads.snapshot() as snapshot:
        reports = [
            usage_report(
                snapshot,
                DEFAULT_SCOPE,
                UsageReportQuestion("acme", day.start, day.end, meter=code, life=life),
                store.now,
            )
            for life in (1, 2, 3)
        ]
        with pytest.raises(InvalidInput, match="life: must be 1 to 3"):
            usage_report(snapshot, DEFAULT_SCOPE, UsageReportQuestion("acme", life=4), store.now)
    assert [one is not None and (one.span, len(one.rows)) for one in reports] == [(day, 1), (day, 0), (day, 1)]


def test_a_report_with_too_many_windows_is_refused(store: DuckDBUnderTest) -> None:
    question = UsageReportQuestion(None, START, START + timedelta(minutes=WINDOWS_MAX + 1), "minute")
    with store.reads.snapshot() as snapshot, pytest.raises(InvalidInput, match="window"):
        usage_report(snapshot, DEFAULT_SCOPE, question, store.now)


def test_an_event_is_explained_by_its_price_and_its_totals(store: DuckDBUnderTest) -> None:
    dear, cheap = UnitPrices(Decimal(4), Decimal(8)), UnitPrices(Decimal(2), Decimal(8))
    version = OwnPrice(START - timedelta(days=1), cheap, (PriceTier(500, dear),))
    priced_at = store.commands.handle(SetPrice(DEFAULT_SCOPE, BY_TEST, "nowhere", "m-1", version)).position
    store.commands.handle(
        CreateCustomer(DEFAULT_SCOPE, BY_TEST, "acme", {"markup_percentage": "50", "budget_duration": "1d"})
    )
    store.deliver([usage("1"), usage("1"), b"?"])
    store.fold()
    with store.reads.snapshot() as snapshot:
        explained = explain_event(snapshot, store.received, DEFAULT_SCOPE, "gateway", "1", store.now)
        assert explain_event(snapshot, store.received, DEFAULT_SCOPE, "gateway", "2", store.now) is None
        assert priced_at is not None
        price = snapshot.price_at(DEFAULT_SCOPE, priced_at)
    assert explained is not None
    applied = applied_price(checked_price_list(version), START)
    assert explained.cost == CostExplanation(
        Decimal("0.0048"), Decimal(50), Decimal("0.0072"), price, (), applied, 1000
    )
    assert explained.totals == EventTotals(1, MARCH, Interval(START, START + timedelta(days=1)), START.date())
    assert (explained.outcome, [refusal.outcome for refusal in explained.refusals]) == ("counted", ["duplicate"])


def test_an_event_at_discounts_is_explained_by_them_and_by_what_they_leave_of_the_price(
    store: DuckDBUnderTest,
) -> None:
    price = OwnPrice(None, UnitPrices(Decimal(4), Decimal(8)))
    discount = SetDiscount(DEFAULT_SCOPE, BY_TEST, Decimal("12.5"), START, customer_id="acme")
    store.commands.handle(SetPrice(DEFAULT_SCOPE, BY_TEST, "nowhere", "m-1", price))
    set_at = store.commands.handle(discount).position
    store.deliver([usage("1"), usage("2", "other")])
    store.fold()
    with store.reads.snapshot() as snapshot:
        explained, of_other = (
            explain_event(snapshot, store.received, DEFAULT_SCOPE, "gateway", one, store.now) for one in "12"
        )
    assert explained is not None
    assert explained.cost is not None
    assert explained.cost.applied is not None
    assert set_at is not None
    assert explained.cost.discounts == (
        DiscountRecord(set_at, "acme", None, None, Decimal("12.5"), START, START, BY_TEST.actor),
    )
    assert explained.cost.applied.rates == {
        "input_tokens": UnitRate(Decimal("3.5")),
        "output_tokens": UnitRate(Decimal(7)),
    }
    assert explained.cost.cost_usd == Decimal("0.0042")
    assert of_other is not None
    assert of_other.cost is not None
    assert (of_other.cost.discounts, of_other.cost.cost_usd) == ((), Decimal("0.0048"))


def test_a_voided_event_is_in_no_total(store: DuckDBUnderTest) -> None:
    store.deliver([usage("1", cost_usd="1")])
    store.commands.handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "1"))
    store.fold()
    with store.reads.snapshot() as snapshot:
        explained = explain_event(snapshot, store.received, DEFAULT_SCOPE, "gateway", "1", store.now)
    assert explained is not None
    assert (explained.outcome, explained.totals) == ("counted", None)
    assert [correction.kind for correction in explained.corrections] == ["usage.voided"]
