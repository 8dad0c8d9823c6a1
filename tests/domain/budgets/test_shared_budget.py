"""Shared budgets: their events, effective instants, and patches of their maps."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.aggregate import CommandContext
from domain.budgets.commands import BudgetCommand, CreateBudget, DeleteBudget, UpdateBudget, UpdateBudgetBy
from domain.budgets.events import BudgetCreated, BudgetDeleted, BudgetUpdated
from domain.budgets.shared_budget import SharedBudget
from domain.customers.fields import MODEL_LIMITS_MAX
from domain.errors import InvalidInput, NotFound
from domain.event import Provenance
from domain.scope import DEFAULT_SCOPE

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
EARLIER, LATER = NOW - timedelta(days=30), NOW + timedelta(days=30)
WHO = Provenance("key_1", "native", "asked")
CLAUDE = {"claude": {"limit_usd": "9", "duration": None}}
GPT = {"gpt-4o": {"limit_usd": "0", "duration": "1d"}}


def context(effective_at: datetime | None = None) -> CommandContext:
    return CommandContext(NOW, WHO, effective_at)


def budget(effective_at: datetime | None = None, **fields: Any) -> SharedBudget:
    made = SharedBudget(DEFAULT_SCOPE, "gold")
    made.create(fields, context(effective_at))
    made.collect_events()
    return made


def about(version: int, effective_at: datetime) -> dict[str, Any]:
    return {
        "stream": "budget/default/prod/gold",
        "version": version,
        "recorded_at": NOW,
        "effective_at": effective_at,
        "provenance": WHO,
        "tenant": "default",
        "environment": "prod",
        "budget_id": "gold",
    }


def test_each_command_is_effective_from_its_effective_at() -> None:
    one = SharedBudget(DEFAULT_SCOPE, "gold")
    who = (DEFAULT_SCOPE, WHO, "gold")
    commands: list[BudgetCommand] = [
        CreateBudget(*who, {"name": "Gold", "period_limit_usd": None}, effective_at=EARLIER),
        UpdateBudget(*who, {"period_limit_usd": 5}, effective_at=LATER),
        UpdateBudgetBy(*who, lambda fields: {"name": f"{fields['name']} plan"}, effective_at=EARLIER),
        DeleteBudget(*who, effective_at=NOW - timedelta(days=1)),
    ]
    for command in commands:
        command.apply(one, command.context(NOW))

    assert one.collect_events() == [
        BudgetCreated(**about(1, EARLIER), fields={"name": "Gold"}),
        BudgetUpdated(**about(2, LATER), fields={"period_limit_usd": "5"}),
        BudgetUpdated(**about(3, EARLIER), fields={"name": "Gold plan"}),
        BudgetDeleted(**about(4, NOW - timedelta(days=1))),
    ]
    assert (one.life, one.alive, one.began_at) == (2, False, NOW - timedelta(days=1))


def test_commands_without_an_instant_are_effective_from_their_recording() -> None:
    one = budget()
    one.update({"name": "Gold"}, context())
    one.delete(context())

    assert [event.effective_at for event in one.collect_events()] == [NOW, NOW]


def test_a_change_of_its_value_is_decided_by_the_state_at_the_instant_of_the_command() -> None:
    one = budget(EARLIER, requests_per_minute=1)
    one.update({"requests_per_minute": 5}, context(LATER))
    seen: list[dict[str, Any]] = []

    def one_more(fields: Any) -> dict[str, Any]:
        seen.append(dict(fields))
        return {"requests_per_minute": fields["requests_per_minute"] + 1}

    for effective_at in (None, EARLIER, LATER):
        command = UpdateBudgetBy(DEFAULT_SCOPE, WHO, "gold", one_more, effective_at=effective_at)
        command.apply(one, command.context(NOW))

    assert seen == [{"requests_per_minute": 1}, {"requests_per_minute": 1}, {"requests_per_minute": 5}]
    assert list(one.timeline.states()) == [
        (EARLIER, {"requests_per_minute": 2}),
        (NOW, {"requests_per_minute": 2}),
        (LATER, {"requests_per_minute": 6}),
    ]


@pytest.mark.parametrize(
    "command",
    [
        lambda one: one.update({"name": "x"}, context()),
        lambda one: one.update({}, context(EARLIER)),
        lambda one: one.delete(context()),
        lambda one: one.delete(context(LATER)),
    ],
)
def test_commands_on_a_missing_budget_are_refused(command: Callable[[SharedBudget], None]) -> None:
    gone = budget()
    gone.delete(context())
    gone.collect_events()

    for one in (SharedBudget(DEFAULT_SCOPE, "gold"), gone):
        with pytest.raises(NotFound, match="budget 'gold' does not exist"):
            command(one)
        assert one.collect_events() == []


def test_patches_of_model_limits_add_up_though_the_earlier_one_arrives_later() -> None:
    one = budget(EARLIER, name="Gold")
    one.update({"model_limits": CLAUDE}, context(LATER))
    one.update({"model_limits": GPT}, context())

    assert one.collect_events() == [
        BudgetUpdated(**about(2, LATER), fields={"model_limits": CLAUDE}, patched=("model_limits",)),
        BudgetUpdated(**about(3, NOW), fields={"model_limits": GPT}, patched=("model_limits",)),
    ]
    assert list(one.timeline.states()) == [
        (EARLIER, {"name": "Gold"}),
        (NOW, {"name": "Gold", "model_limits": GPT}),
        (LATER, {"name": "Gold", "model_limits": CLAUDE | GPT}),
    ]


def test_model_limits_are_removed_by_null_and_replaced_when_so_asked() -> None:
    one = budget(model_limits={**CLAUDE, "none": None})
    assert one.timeline.latest() == {"model_limits": CLAUDE}

    one.update({"model_limits": {"claude": None, **GPT}}, context())
    assert one.timeline.latest() == {"model_limits": GPT}
    one.update({"model_limits": CLAUDE}, context(), frozenset({"model_limits"}))
    assert one.timeline.latest() == {"model_limits": CLAUDE}
    one.update({"model_limits": None}, context())

    assert one.timeline.latest() == {}
    assert one.collect_events() == [
        BudgetUpdated(**about(2, NOW), fields={"model_limits": {"claude": None, **GPT}}, patched=("model_limits",)),
        BudgetUpdated(**about(3, NOW), fields={"model_limits": CLAUDE}),
        BudgetUpdated(**about(4, NOW), fields={"model_limits": None}),
    ]


def test_fields_of_dialects_are_patched_by_dialect_and_member() -> None:
    one = budget(dialect_fields={"litellm": {"a": {"b": 1}, "c": 2}})

    one.update({"dialect_fields": {"litellm": {"a": {"d": 3}, "c": None}, "lago": {"e": 4}}}, context())

    assert one.timeline.latest() == {"dialect_fields": {"litellm": {"a": {"d": 3}}, "lago": {"e": 4}}}


def test_a_limit_of_a_model_is_not_changed_in_part() -> None:
    one = budget(model_limits=GPT)

    with pytest.raises(InvalidInput, match="must be an object of limit_usd") as refused:
        one.update({"model_limits": {"gpt-4o": {"duration": "1w"}}}, context())

    assert (refused.value.field, one.collect_events()) == ("model_limits.gpt-4o", [])


def test_model_limits_that_would_become_too_many_only_at_a_later_instant_are_refused() -> None:
    one = budget()
    full = {f"m{number}": {"limit_usd": 1} for number in range(MODEL_LIMITS_MAX)}
    one.update({"model_limits": full}, context(LATER))
    one.collect_events()

    with pytest.raises(InvalidInput, match="at most 100 models"):
        one.update({"model_limits": CLAUDE}, context())
    assert one.collect_events() == []
    one.update({"model_limits": {"m0": {"limit_usd": 2}}}, context())

    assert one.timeline.at(NOW) == {"model_limits": {"m0": {"limit_usd": "2", "duration": None}}}
    assert len(one.timeline.latest()["model_limits"]) == MODEL_LIMITS_MAX


@pytest.mark.parametrize("field", ["period_start", "email", "metadata", "limits_as_one"])
def test_what_is_a_customers_own_is_refused(field: str) -> None:
    with pytest.raises(InvalidInput, match="not a field that can be set here") as refused:
        budget().update({field: True}, context())

    assert refused.value.field == field


def test_a_patch_of_what_is_a_customers_own_is_refused() -> None:
    with pytest.raises(InvalidInput, match="not a field that can be set here") as refused:
        budget().update({"metadata": {"plan": "pro"}}, context())

    assert refused.value.field == "metadata"
