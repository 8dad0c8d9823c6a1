"""Every sum of what customers spent counts the same events of unknown cost, whichever view it is read by."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from domain.budgets.access_decision import PERIOD, TOTAL
from domain.customers.commands import CreateCustomer, DeleteCustomer
from domain.scope import DEFAULT_SCOPE, Scope
from projections.queries.customer_list import CustomerListQuestion
from projections.queries.snapshot import Snapshot
from projections.views.accounts.account import account
from projections.views.accounts.account_list import listed_accounts
from projections.views.budget_list import any_cost_unknown, budgeted_customer, budgeted_customers
from projections.views.budget_state import budget_state
from projections.views.customers import customer_history
from projections.views.rolling.rolling_usage import rolling_usage, rolling_usage_of_page, window_ending
from tests.projections.folded_log import BY_TEST, START, usage
from tests.projections.queries.store_under_test import DuckDBUnderTest

NOW = START + timedelta(days=20)
DAY = timedelta(days=1)
MONTHLY = {"period_limit_usd": "9", "budget_duration": "1mo", "markup_percentage": "50"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckDBUnderTest]:
    store = DuckDBUnderTest(tmp_path / "store")
    yield store
    store.close()


def counts(snapshot: Snapshot, customer: str) -> tuple[int, int]:
    """The events of unknown cost in the budget's period, if it has one, and in the life, as every view counts them."""
    state = budget_state(snapshot, DEFAULT_SCOPE, customer, NOW)
    record = snapshot.customer(DEFAULT_SCOPE, customer)
    one = budgeted_customer(snapshot, DEFAULT_SCOPE, customer, NOW)
    shown = account(snapshot, DEFAULT_SCOPE, customer, NOW)
    assert state is not None
    assert record is not None
    assert one is not None
    assert shown is not None
    (of_page,) = budgeted_customers(snapshot, DEFAULT_SCOPE, [record], NOW)
    listed = listed_accounts(snapshot, DEFAULT_SCOPE, CustomerListQuestion(NOW), 0, 9)
    (of_list,) = [found for found in listed if found.view.customer_id == customer]
    history = customer_history(record, NOW)
    all_time = window_ending(NOW, timedelta(days=999_999))
    rolling = rolling_usage(snapshot, DEFAULT_SCOPE, history, all_time)
    assert rolling_usage_of_page(snapshot, DEFAULT_SCOPE, [history], all_time) == [rolling]
    in_life = state.spending.cost_unknown_events(TOTAL)
    assert {shown.cost_unknown_events, of_list.cost_unknown_events, rolling.cost_unknown_events} == {in_life}
    in_period = state.spending.cost_unknown_events(PERIOD) if state.period is not None else in_life
    assert one.cost_unknown_events == of_page.cost_unknown_events == in_period
    return in_period, in_life


def test_events_of_unknown_cost_are_counted_alike_by_every_view(store: DuckDBUnderTest) -> None:
    store.commands.handle(CreateCustomer(DEFAULT_SCOPE, BY_TEST, "budgeted", MONTHLY))
    store.pass_time(days=6)
    events = [
        usage(f"{customer}-{days}-{cost}", customer, START + timedelta(days=days, hours=7), cost_usd=cost)
        for customer in ("budgeted", "plain")
        for days in (-40, -1, 0, 5)
        for cost in (None, "1.5")
    ]
    store.deliver([*events, usage("known", "known", cost_usd="2")])
    store.fold()
    with store.reads.snapshot() as snapshot:
        assert counts(snapshot, "budgeted") == (2, 4)
        assert counts(snapshot, "plain") == (4, 4)
        assert counts(snapshot, "known") == (0, 0)


def test_those_of_an_ended_life_are_in_no_later_one(store: DuckDBUnderTest) -> None:
    store.deliver([usage("1")])
    store.pass_time(hours=1)
    store.commands.handle(DeleteCustomer(DEFAULT_SCOPE, BY_TEST, "acme", seen_at=START))
    store.deliver([usage("2", at=store.now), usage("3", at=store.now)])
    store.fold()
    with store.reads.snapshot() as snapshot:
        assert counts(snapshot, "acme") == (2, 2)


def test_whether_any_cost_is_unknown_is_asked_of_one_scope(store: DuckDBUnderTest) -> None:
    store.deliver([usage("1", cost_usd="1")])
    store.fold()
    with store.reads.snapshot() as snapshot:
        assert not any_cost_unknown(snapshot, DEFAULT_SCOPE)
    store.deliver([usage("2", at=START - 400 * DAY)])
    store.fold()
    with store.reads.snapshot() as snapshot:
        assert any_cost_unknown(snapshot, DEFAULT_SCOPE)
        assert not any_cost_unknown(snapshot, Scope("others", "prod"))
