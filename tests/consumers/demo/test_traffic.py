"""The traffic of the demonstration is a function of the day: sent again, it is the same."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

from consumers.demo.traffic import CUSTOMERS, DAYS, customer_ids, days_until, events_of, named_customers

DAY = date(2026, 3, 2)
AFTER = datetime(2026, 3, 3, tzinfo=UTC)


def test_a_day_is_always_the_same() -> None:
    assert events_of(DAY, AFTER) == events_of(DAY, AFTER)


def test_a_day_that_is_not_over_is_the_beginning_of_the_same_day() -> None:
    whole, until = events_of(DAY, AFTER), datetime(2026, 3, 2, 12, tzinfo=UTC)
    part = events_of(DAY, until)
    assert part == whole[: len(part)]
    assert 0 < len(part) < len(whole)
    assert max(datetime.fromisoformat(json.loads(line)["time"]) for line in part) < until


def test_a_month_ends_today() -> None:
    days = days_until(datetime(2026, 3, 3, 23, tzinfo=UTC))
    assert (days[0], days[-1], len(days)) == (date(2026, 2, 1), date(2026, 3, 3), DAYS)
    assert all(later - earlier == timedelta(days=1) for earlier, later in pairwise(days))


def test_ids_are_unique_and_all_customers_are_known() -> None:
    events = [json.loads(line) for line in events_of(DAY, AFTER)]
    assert len({event["id"] for event in events}) == len(events)
    assert {event["subject"] for event in events} <= set(customer_ids())
    assert len(set(customer_ids())) == CUSTOMERS


def test_named_customers_are_the_largest() -> None:
    named = [customer["id"] for customer in named_customers(AFTER)]
    assert named == customer_ids()[: len(named)]
