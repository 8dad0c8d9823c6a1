"""An account has a period whether or not a budget needs one, and the spending that the budget's state has."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from domain.customers.commands import CreateCustomer, DeleteCustomer, UpdateCustomer
from domain.scope import DEFAULT_SCOPE
from domain.values.periods import Interval
from projections.queries.customer_list import CustomerListQuestion
from projections.views.accounts.account import Account, account
from projections.views.accounts.account_list import ListedAccount, listed_accounts
from projections.views.budget_state import budget_state
from tests.projections.folded_log import BY_TEST, START, usage
from tests.projections.queries.store_under_test import DuckDBUnderTest

MARCH = Interval(START, datetime(2026, 4, 1, tzinfo=UTC))
NOW = START + timedelta(days=20)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckDBUnderTest]:
    store = DuckDBUnderTest(tmp_path / "store")
    yield store
    store.close()


def found(store: DuckDBUnderTest, customer: str = "acme") -> Account | None:
    store.fold()
    with store.reads.snapshot() as snapshot:
        return account(snapshot, DEFAULT_SCOPE, customer, NOW)


def shown(store: DuckDBUnderTest) -> Account:
    one = found(store)
    assert one is not None
    return one


def test_without_a_budget_the_period_is_that_of_usage(store: DuckDBUnderTest) -> None:
    store.deliver([usage("1", cost_usd="3"), usage("2", at=START - timedelta(days=1), model=None, cost_usd="2")])
    one = shown(store)
    assert (one.period, one.period_usd, one.total_usd) == (MARCH, Decimal(3), Decimal(5))
    assert {name: sums.root_requests for name, sums in one.models.items()} == {"m-1": 1, None: 1}
    requests = sum(sums.root_requests for sums in one.models.values())
    assert (requests, one.totals.requests, one.updated_at) == (2, 2, START - timedelta(days=1))


def test_spending_is_that_of_the_budget_with_opening_spend_and_markup(store: DuckDBUnderTest) -> None:
    fields = {"opening_spend_usd": "4", "markup_percentage": "50", "period_limit_usd": "9", "budget_duration": "1mo"}
    store.deliver([usage("1", at=START - timedelta(hours=1), cost_usd="2")])
    store.commands.handle(CreateCustomer(DEFAULT_SCOPE, BY_TEST, "acme", fields))
    store.deliver([usage("2", at=START + timedelta(hours=1), cost_usd="3")])
    one = shown(store)
    with store.reads.snapshot() as snapshot:
        state = budget_state(snapshot, DEFAULT_SCOPE, "acme", NOW)
    assert state is not None
    assert (one.period, one.limits) == (state.period, state.limits)
    assert (one.period_usd, one.total_usd) == (state.spending.period_usd, state.spending.total_usd)
    assert (one.period_usd, one.total_usd) == (Decimal("8.5"), Decimal("10.5"))


def test_a_change_updates_it_and_a_deletion_ends_it(store: DuckDBUnderTest) -> None:
    store.deliver([usage("1", cost_usd="3")])
    store.pass_time(hours=2)
    store.commands.handle(UpdateCustomer(DEFAULT_SCOPE, BY_TEST, "acme", {"name": "Acme"}, seen_at=START))
    assert shown(store).updated_at == START + timedelta(hours=2)
    store.pass_time(hours=1)
    store.commands.handle(DeleteCustomer(DEFAULT_SCOPE, BY_TEST, "acme"))
    assert (found(store), found(store, "nobody")) == (None, None)


def test_a_listed_account_has_the_cost_of_its_present_life(store: DuckDBUnderTest) -> None:
    store.deliver([usage("1", cost_usd="3"), usage("2", "other", cost_usd="1")])
    store.commands.handle(CreateCustomer(DEFAULT_SCOPE, BY_TEST, "acme", {"markup_percentage": "50"}))
    store.commands.handle(CreateCustomer(DEFAULT_SCOPE, BY_TEST, "new", {"total_limit_usd": "5"}))
    store.fold()
    question = CustomerListQuestion(NOW, (), "reported_cost_usd", descending=True)
    with store.reads.snapshot() as snapshot:
        listed: list[ListedAccount] = listed_accounts(snapshot, DEFAULT_SCOPE, question, 0, 9)
    assert [(one.view.customer_id, one.cost_usd, one.usage.requests) for one in listed] == [
        ("acme", Decimal("4.5"), 1),
        ("other", Decimal(1), 1),
        ("new", Decimal(0), 0),
    ]
    assert (listed[2].limits.total_limit_usd, listed[2].first_seen_at) == (Decimal(5), START)
