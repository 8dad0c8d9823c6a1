"""A customer and the budget it names change together or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from consumers.commands.handler import CommandHandler
from domain.budgets.budgeted_customers import (
    BudgetedChange,
    BudgetOf,
    CreateBudgetedCustomer,
    Decide,
    NoSuchCustomer,
    UpdateBudgetedCustomer,
)
from domain.budgets.commands import CreateBudget, UpdateBudget
from domain.customers.commands import NOT_LOOKED_UP, BlockCustomer, CreateCustomer, DeleteCustomer, UpdateCustomer
from domain.errors import AlreadyExists, InvalidInput, NotFound
from domain.event import Provenance
from domain.scope import DEFAULT_SCOPE
from tests.fakes.event_log import InMemoryEventLog
from tests.fakes.personal_keys import InMemoryPersonalKeys
from tests.fakes.randomness import CountedRandomness

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
WHO = Provenance("key_1", "litellm")
SEEN_AT = NOW - timedelta(hours=1)
OWN = BudgetedChange({"budget_id": "own"}, budget_id="own", budget_changes={"total_limit_usd": "5"}, budget_is_new=True)


@pytest.fixture
def log() -> InMemoryEventLog:
    return InMemoryEventLog()


@pytest.fixture
def commands(log: InMemoryEventLog) -> CommandHandler:
    return CommandHandler(log, InMemoryPersonalKeys(), lambda: NOW, CountedRandomness())


def always(change: BudgetedChange) -> Decide:
    return lambda customer, budget_of: change


def topics(log: InMemoryEventLog) -> list[str]:
    return [record.topic for record in log.read(0, 1_000)]


def test_a_customer_and_its_own_budget_are_made_in_one_append(commands: CommandHandler, log: InMemoryEventLog) -> None:
    created = commands.handle(CreateBudgetedCustomer(DEFAULT_SCOPE, WHO, "acme", always(OWN)))
    assert topics(log) == ["budget.created", "customer.created"]
    assert (created.position, created.state.timeline.latest()) == (2, {"budget_id": "own"})


def test_a_refused_change_writes_nothing(commands: CommandHandler, log: InMemoryEventLog) -> None:
    commands.handle(CreateCustomer(DEFAULT_SCOPE, WHO, "acme"))
    unknown = BudgetedChange({"budget_id": "none"}, budget_id="none")
    wrong = BudgetedChange({"budget_id": "own", "time_zone": "Mars"}, None, "own", {}, budget_is_new=True)
    for customer, change, refusal in (
        ("acme", OWN, AlreadyExists),
        ("other", unknown, NotFound),
        ("other", wrong, InvalidInput),
    ):
        with pytest.raises(refusal):
            commands.handle(CreateBudgetedCustomer(DEFAULT_SCOPE, WHO, customer, always(change)))
    assert topics(log) == ["customer.created"]


def test_a_change_is_decided_by_the_current_state_of_both(commands: CommandHandler, log: InMemoryEventLog) -> None:
    commands.handle(CreateBudgetedCustomer(DEFAULT_SCOPE, WHO, "acme", always(OWN)))
    seen: list[Any] = []

    def decide(customer: Mapping[str, Any], budget_of: BudgetOf) -> BudgetedChange:
        seen.append((dict(customer), budget_of(customer["budget_id"]), budget_of(None), budget_of("other")))
        return BudgetedChange({"currency": "EUR"}, True, "own", {"total_limit_usd": "6"})

    commands.handle(UpdateBudgetedCustomer(DEFAULT_SCOPE, WHO, "acme", decide))
    assert seen[-1] == ({"budget_id": "own"}, {"total_limit_usd": "5"}, None, None)
    assert topics(log)[2:] == ["budget.updated", "customer.updated", "customer.blocked"]


def test_an_unknown_customer_is_not_changed_and_one_known_by_usage_is(
    commands: CommandHandler, log: InMemoryEventLog
) -> None:
    decide = always(BudgetedChange({"currency": "EUR"}))
    with pytest.raises(NoSuchCustomer):
        commands.handle(UpdateBudgetedCustomer(DEFAULT_SCOPE, WHO, "seen", decide))
    assert topics(log) == []
    commands.handle(UpdateBudgetedCustomer(DEFAULT_SCOPE, WHO, "seen", decide, SEEN_AT))
    assert topics(log) == ["customer.updated"]


def test_a_customer_deleted_after_its_last_usage_is_not_changed(
    commands: CommandHandler, log: InMemoryEventLog
) -> None:
    decide = always(BudgetedChange({"currency": "EUR"}))
    commands.handle(UpdateBudgetedCustomer(DEFAULT_SCOPE, WHO, "seen", decide, SEEN_AT))
    commands.handle(DeleteCustomer(DEFAULT_SCOPE, WHO, "seen"))
    with pytest.raises(NoSuchCustomer):
        commands.handle(UpdateBudgetedCustomer(DEFAULT_SCOPE, WHO, "seen", decide, SEEN_AT))
    assert topics(log)[-1] == "customer.deleted"


def test_a_change_is_decided_again_when_a_budget_that_it_looked_up_has_changed(commands: CommandHandler) -> None:
    commands.handle(CreateBudget(DEFAULT_SCOPE, WHO, "tier", {"budget_duration": "1d"}))
    seen: list[Any] = []

    def decide(customer: Mapping[str, Any], budget_of: BudgetOf) -> BudgetedChange:
        seen.append(budget_of("tier"))
        if len(seen) == 1:  # somebody else comes between the first look and the decision
            commands.handle(UpdateBudget(DEFAULT_SCOPE, WHO, "tier", {"budget_duration": "1w"}))
        return BudgetedChange({"budget_id": "tier"}, budget_id="tier")

    commands.handle(CreateBudgetedCustomer(DEFAULT_SCOPE, WHO, "acme", decide))
    assert seen == [{"budget_duration": "1d"}, {"budget_duration": "1w"}]


def test_a_block_makes_a_customer_explicit_once(commands: CommandHandler, log: InMemoryEventLog) -> None:
    for _ in range(2):
        blocked = commands.handle(BlockCustomer(DEFAULT_SCOPE, WHO, "loud", seen_at=NOT_LOOKED_UP)).state
        assert (blocked.alive, blocked.timeline.latest()) == (True, {"blocked": True})
    assert topics(log) == ["customer.blocked"]


def test_a_customer_is_created_with_a_budget_after_what_was_said_of_it(
    commands: CommandHandler, log: InMemoryEventLog
) -> None:
    commands.handle(BlockCustomer(DEFAULT_SCOPE, WHO, "acme", seen_at=NOT_LOOKED_UP))
    seen: list[Any] = []

    def decide(customer: Mapping[str, Any], budget_of: BudgetOf) -> BudgetedChange:
        seen.append(dict(customer))
        return OWN

    created = commands.handle(CreateBudgetedCustomer(DEFAULT_SCOPE, WHO, "acme", decide))
    assert seen[-1] == {"blocked": True}
    assert created.state.timeline.latest() == {"blocked": True, "budget_id": "own"}
    assert topics(log) == ["customer.blocked", "budget.created", "customer.created"]


def test_a_change_is_decided_by_what_holds_now_and_not_by_what_holds_later(commands: CommandHandler) -> None:
    commands.handle(CreateBudgetedCustomer(DEFAULT_SCOPE, WHO, "acme", always(OWN)))
    later = NOW + timedelta(days=1)
    commands.handle(UpdateCustomer(DEFAULT_SCOPE, WHO, "acme", {"currency": "EUR"}, effective_at=later))
    commands.handle(UpdateBudget(DEFAULT_SCOPE, WHO, "own", {"total_limit_usd": "9"}, effective_at=later))
    seen: list[Any] = []

    def decide(customer: Mapping[str, Any], budget_of: BudgetOf) -> BudgetedChange:
        seen.append((dict(customer), budget_of("own")))
        return BudgetedChange()

    commands.handle(UpdateBudgetedCustomer(DEFAULT_SCOPE, WHO, "acme", decide))
    assert seen[-1] == ({"budget_id": "own"}, {"total_limit_usd": "5"})


def test_many_concurrent_changes_of_one_budget_are_all_made(commands: CommandHandler, log: InMemoryEventLog) -> None:
    commands.handle(CreateBudget(DEFAULT_SCOPE, WHO, "tier", {"requests_per_minute": 0}))
    names = [f"customer-{number}" for number in range(40)]
    for name in names:
        on_tier = BudgetedChange({"budget_id": "tier"}, budget_id="tier")
        commands.handle(CreateBudgetedCustomer(DEFAULT_SCOPE, WHO, name, always(on_tier)))

    def add_one(name: str) -> None:
        def decide(customer: Mapping[str, Any], budget_of: BudgetOf) -> BudgetedChange:
            limit = (budget_of("tier") or {})["requests_per_minute"]
            return BudgetedChange(budget_id="tier", budget_changes={"requests_per_minute": limit + 1})

        commands.handle(UpdateBudgetedCustomer(DEFAULT_SCOPE, WHO, name, decide))

    with ThreadPoolExecutor(16) as crowd:
        list(crowd.map(add_one, names))
    assert topics(log).count("budget.updated") == len(names)
    last = commands.handle(UpdateBudget(DEFAULT_SCOPE, WHO, "tier"))
    assert last.state.timeline.latest() == {"requests_per_minute": 40}
