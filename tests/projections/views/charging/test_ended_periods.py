"""Ended billing periods: which there are, newest first, and what they cost a page at a time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from domain.plans.commands import DeletePlan
from domain.scope import DEFAULT_SCOPE
from domain.subscriptions.commands import TerminateSubscription, UpdateSubscription
from projections.views.charging.charges import EndedCharges, ended_charges
from tests.projections.folded_log import usage
from tests.projections.queries.store_under_test import DuckDBUnderTest
from tests.projections.views.charging.test_charges import PER_TOKEN, WHO, plan, subscribe

START = datetime(2026, 3, 1, tzinfo=UTC)
TOKENS_CENTS = {**PER_TOKEN, "price": {"model": "standard", "amount": "0.01"}}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckDBUnderTest]:
    store = DuckDBUnderTest(tmp_path / "store")
    for code, interval in (("basic", "monthly"), ("weekly", "weekly")):
        store.commands.handle(plan(code, TOKENS_CENTS, interval=interval))
    store.pass_time(days=200)
    yield store
    store.close()


def ended(store: DuckDBUnderTest, now: datetime, offset: int = 0, limit: int = 100, name: str = "sub") -> EndedCharges:
    store.fold()
    with store.reads.snapshot() as snapshot:
        return ended_charges(snapshot, DEFAULT_SCOPE, "acme", name, now, offset, limit)


def days(found: EndedCharges) -> list[tuple[str, str]]:
    return [(f"{one.period.start:%m-%d}", f"{one.period.end:%m-%d}") for one in found.periods]


def month(number: int) -> datetime:
    return datetime(2026, number, 1, tzinfo=UTC)


def test_a_period_is_there_the_moment_it_ends(store: DuckDBUnderTest) -> None:
    subscribe(store, start=datetime(2026, 3, 20, tzinfo=UTC))
    assert days(ended(store, month(4) - timedelta(microseconds=1))) == []
    assert days(ended(store, month(4))) == [("03-20", "04-01")]
    assert days(ended(store, month(6))) == [("05-01", "06-01"), ("04-01", "05-01"), ("03-20", "04-01")]


def test_only_a_page_is_measured_and_all_are_counted(store: DuckDBUnderTest) -> None:
    subscribe(store, start=month(1))
    store.deliver([usage("one", at=datetime(2026, 2, 2, tzinfo=UTC), input_tokens=5, output_tokens=0)])
    page = ended(store, month(6), offset=3, limit=1)
    assert (page.total, days(page)) == (5, [("02-01", "03-01")])
    assert page.periods[0].amount == Decimal("0.05")
    assert ended(store, month(6), offset=5) == EndedCharges(5, ())


def test_each_term_has_the_periods_of_its_plan(store: DuckDBUnderTest) -> None:
    subscribe(store, start=START)
    change = UpdateSubscription(*WHO, "sub", {"plan": "weekly"}, effective_at=datetime(2026, 4, 8, tzinfo=UTC))
    store.commands.handle(change)
    store.commands.handle(TerminateSubscription(*WHO, "sub", effective_at=datetime(2026, 4, 15, tzinfo=UTC)))
    assert days(ended(store, month(6))) == [
        ("04-13", "04-15"),
        ("04-08", "04-13"),
        ("04-01", "04-08"),
        ("03-01", "04-01"),
    ]


def test_a_second_life_of_an_id_has_its_periods_first(store: DuckDBUnderTest) -> None:
    subscribe(store, start=START)
    store.commands.handle(TerminateSubscription(*WHO, "sub", effective_at=datetime(2026, 3, 10, tzinfo=UTC)))
    subscribe(store, start=datetime(2026, 4, 20, tzinfo=UTC))
    assert days(ended(store, month(5))) == [("04-20", "05-01"), ("03-01", "03-10")]


def test_there_is_no_period_at_whose_end_its_plan_is_deleted(store: DuckDBUnderTest) -> None:
    subscribe(store, start=month(1))
    store.commands.handle(DeletePlan(*WHO, "basic", effective_at=datetime(2026, 3, 10, tzinfo=UTC)))
    assert days(ended(store, month(6))) == [("02-01", "03-01"), ("01-01", "02-01")]
    assert ended(store, month(6), name="nothing") == EndedCharges(0, ())


def test_ten_years_of_weeks_are_counted_without_measuring_them(store: DuckDBUnderTest) -> None:
    subscribe(store, plan="weekly", start=datetime(2016, 6, 6, tzinfo=UTC))
    found = ended(store, datetime(2026, 6, 1, tzinfo=UTC), limit=1)
    assert (found.total, days(found)) == (521, [("05-25", "06-01")])
