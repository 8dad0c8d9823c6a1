"""The oracle itself, against cases small enough to add up in the head."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tests.oracle.plain_meter import PlainMeter, Sums
from tests.oracle.plain_usage import Refused
from tests.oracle.trace_entries import (
    BudgetWasCreated,
    CustomerWasChanged,
    CustomerWasCreated,
    CustomerWasDeleted,
    Delivered,
    DiscountWasGiven,
    JsonObject,
    Prices,
    PriceWasGiven,
    TraceEntry,
    UsageWasRestored,
    UsageWasVoided,
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def request(event_id: str, time: str, **data: Any) -> JsonObject:
    plain = {"provider": "acme", "model": "swift", "input_tokens": 1_000_000, "output_tokens": 500_000}
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": "gate",
        "type": "llm.request",
        "subject": "ann",
        "time": at(time).isoformat(),
        "data": {**plain, **data},
    }


def prices(recorded: str, input_usd: str, effective: str | None = None) -> PriceWasGiven:
    since = None if effective is None else at(effective)
    return PriceWasGiven(at(recorded), "acme", "swift", since, Prices(Decimal(input_usd), Decimal(4)))


def meter(*entries: TraceEntry) -> PlainMeter:
    return PlainMeter(entries)


def whole(plain: PlainMeter, known: int | None = None) -> Sums:
    known = len(plain.entries) if known is None else known
    return plain.sums("ann", at("2020-01-01"), at("2030-01-01"), known)


def test_a_request_costs_its_tokens_at_the_price_of_its_time() -> None:
    plain = meter(
        prices("2025-01-01", "2"),
        prices("2025-01-02", "3", effective="2025-02-01"),
        Delivered(at("2025-02-02"), (request("a", "2025-01-31T23:59"), request("b", "2025-02-01T00:00"))),
    )
    assert whole(plain).cost == Decimal(2) + 2 + Decimal(3) + 2


def test_parts_have_their_own_prices_and_long_requests_their_own_tier() -> None:
    own = Prices(Decimal(2), Decimal(4), Decimal("0.5"), Decimal("2.5"), Decimal(8), Decimal("0.01"))
    given = PriceWasGiven(at("2025-01-01"), "acme", "swift", None, own, ((1_500_000, Prices(Decimal(1), Decimal(1))),))
    parts = {"cached_input_tokens": 200_000, "cache_write_tokens": 100_000, "reasoning_tokens": 250_000}
    short = request("a", "2025-01-02", **parts)
    plain = meter(given, Delivered(at("2025-01-03"), (short,)))
    assert whole(plain).cost == Decimal("1.4") + Decimal("0.1") + Decimal("0.25") + 1 + 2 + Decimal("0.01")
    long = meter(given, Delivered(at("2025-01-03"), (request("a", "2025-01-02", input_tokens=1_500_001),)))
    assert whole(long).cost == Decimal("2.000001")


def test_a_price_given_later_fills_unknown_costs_and_changes_no_known_one() -> None:
    plain = meter(
        Delivered(at("2025-01-02"), (request("a", "2025-01-01"),)),
        prices("2025-01-03", "2"),
        prices("2025-01-04", "9"),
        Delivered(at("2025-01-05"), (request("b", "2025-01-04"),)),
    )
    assert (whole(plain, 1).cost, whole(plain, 1).unknown) == (Decimal(0), 1)
    assert (whole(plain, 3).cost, whole(plain, 3).unknown) == (Decimal(4), 0)
    assert whole(plain).cost == Decimal(4) + Decimal(11)


def test_the_cost_of_the_producer_wins_and_no_model_means_no_cost() -> None:
    nothing = request("b", "2025-01-01")
    nothing["data"] = {"input_tokens": 5}
    given = request("a", "2025-01-01", cost_usd="0.1234")
    plain = meter(prices("2025-01-01", "2"), Delivered(at("2025-01-02"), (given, nothing)))
    assert (whole(plain).cost, whole(plain).unknown, whole(plain).requests) == (Decimal("0.1234"), 0, 2)


def test_a_request_that_another_one_made_adds_money_but_no_request() -> None:
    child = request("child", "2025-01-01", cost_usd="2", parent_request="nobody knows it")
    plain = meter(Delivered(at("2025-01-02"), (request("root", "2025-01-01", cost_usd="1"), child)))
    assert (whole(plain).requests, whole(plain).cost, whole(plain).tokens[0]) == (1, Decimal(3), 2_000_000)


def test_an_identity_counts_once_and_the_first_content_stands() -> None:
    plain = meter(
        Delivered(at("2025-01-02"), (request("a", "2025-01-01"), request("a", "2025-01-01"))),
        Delivered(at("2025-01-03"), (request("a", "2025-01-01", input_tokens=7), request("", "2025-01-01"))),
    )
    assert plain.usage.deliveries[0].counts() == {"counted": 1, "duplicate": 1, "conflict": 0, "rejected": 0}
    assert plain.usage.deliveries[1].refused == [Refused("gate", "a", "conflict"), Refused("gate", "", "rejected")]
    assert whole(plain).tokens[0] == 1_000_000


def test_a_void_takes_an_event_away_until_it_is_restored() -> None:
    plain = meter(
        UsageWasVoided(at("2025-01-01"), "gate", "a"),
        Delivered(at("2025-01-02"), (request("a", "2025-01-01"),)),
        UsageWasRestored(at("2025-01-03"), "gate", "a"),
    )
    assert (whole(plain, 2).requests, whole(plain, 3).requests) == (0, 1)


def test_markup_counts_by_event_time_also_when_it_is_backdated() -> None:
    plain = meter(
        CustomerWasCreated(at("2025-01-01"), "ann", {"markup_percentage": "10"}),
        Delivered(
            at("2025-02-02"), (request("a", "2025-01-31", cost_usd="1"), request("b", "2025-02-01", cost_usd="1"))
        ),
        CustomerWasChanged(at("2025-03-01"), "ann", {"markup_percentage": "12.5"}, at("2025-02-01")),
    )
    assert (whole(plain, 2).reported, whole(plain).reported) == (Decimal("2.2"), Decimal("2.225"))


def test_a_late_event_shows_as_the_difference_to_the_closing() -> None:
    plain = meter(
        CustomerWasCreated(at("2025-01-05"), "ann", {}),
        Delivered(at("2025-02-01T00:59"), (request("a", "2025-01-31", cost_usd="1"),)),
        Delivered(at("2025-02-01T01:00"), (request("b", "2025-01-31", cost_usd="2"),)),
    )
    assert [
        (period["start"], period["closed"], period["at_closing"]["cost_usd"], period["difference"]["cost_usd"])
        for period in plain.past_usage("ann", at("2025-02-10"), 3, 6)
    ] == [("2025-01-01T00:00:00.000000Z", True, "1", "2")]
    assert plain.past_usage("ann", at("2025-02-01T00:30"), 1, 6)[0]["at_closing"] is None


def test_a_new_life_starts_with_nothing_and_a_late_event_stays_in_the_old_one() -> None:
    plain = meter(
        CustomerWasCreated(at("2025-01-05"), "ann", {"markup_percentage": "50"}),
        Delivered(at("2025-01-06"), (request("a", "2025-01-06", cost_usd="1"),)),
        CustomerWasDeleted(at("2025-01-10"), "ann"),
        Delivered(at("2025-01-11"), (request("late", "2025-01-09", cost_usd="2"),)),
        Delivered(at("2025-01-12"), (request("new", "2025-01-12", cost_usd="4"),)),
    )
    assert not plain.exists("ann", at("2025-01-11"), 4)
    now = at("2025-01-13")
    assert plain.current_usage("ann", now, 5)["usage"]["reported_cost_usd"] == "4"
    assert whole(plain).reported == Decimal("1.5") + 3 + 4


def test_a_budget_counts_its_period_its_life_and_the_opening_spend() -> None:
    plain = meter(
        BudgetWasCreated(at("2025-01-01"), "tier", {"budget_duration": "1mo", "period_limit_usd": "5"}),
        CustomerWasCreated(at("2025-01-05"), "ann", {"budget_id": "tier", "opening_spend_usd": "3"}),
        Delivered(
            at("2025-02-02"), (request("a", "2025-01-31", cost_usd="1"), request("b", "2025-02-01", cost_usd="2"))
        ),
    )
    january, february = at("2025-01-31"), at("2025-02-03")
    assert plain.spent("ann", plain.budget_period("ann", january, 3), january, 3) == Decimal(4)
    assert plain.spent("ann", plain.budget_period("ann", february, 3), february, 3) == Decimal(2)
    assert plain.spent("ann", None, february, 3) == Decimal(6)
    assert plain.limits("ann", february, 3)["period_limit_usd"] == "5"


def test_windows_follow_the_local_day() -> None:
    plain = meter(Delivered(at("2025-01-03"), (request("a", "2025-01-01T23:00"), request("b", "2025-01-02T01:00"))))
    found = plain.per_window("ann", at("2025-01-01"), at("2025-01-04"), "day", "America/New_York", 1)
    assert [(window["window_start"], window["usage"]["requests"]) for window in found] == [(at("2025-01-01T05:00"), 2)]


def test_a_customers_price_or_discount_comes_before_the_tenants_price_until_the_customer_is_deleted() -> None:
    own = PriceWasGiven(at("2025-01-02"), "acme", "swift", None, Prices(Decimal(1), Decimal(0)), (), "ann")
    plain = meter(
        prices("2025-01-01", "2"),
        own,
        DiscountWasGiven(at("2025-01-03"), "ann", None, None, Decimal(50)),
        Delivered(at("2025-01-04"), (request("a", "2025-01-03"),)),
        DiscountWasGiven(at("2025-01-05"), "ann", "acme", "swift", Decimal(25), at("2025-01-04")),
        Delivered(at("2025-01-06"), (request("b", "2025-01-04"),)),
        CustomerWasDeleted(at("2025-01-07"), "ann"),
        Delivered(at("2025-01-08"), (request("c", "2025-01-06"), request("d", "2025-01-07"))),
    )
    costs = {event.id: plain.usage.costs[event.source, event.id].cost for event in plain.usage.counted}
    assert costs == {"a": Decimal(1), "b": Decimal(3), "c": Decimal(3), "d": Decimal(4)}
