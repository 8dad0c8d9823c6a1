"""Plans: their events and effective instants."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.aggregate import CommandContext
from domain.errors import AlreadyExists, ChangedMeanwhile, InvalidInput, NotFound
from domain.event import Provenance
from domain.plans.commands import CreatePlan, DeletePlan, PlanCommand, UpdatePlan
from domain.plans.events import PlanCreated, PlanDeleted, PlanUpdated
from domain.plans.plan import Plan
from domain.scope import DEFAULT_SCOPE

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
EARLIER, LATER = NOW - timedelta(days=30), NOW + timedelta(days=30)
WHO = Provenance("key_1", "native", "asked")
MONTHLY = {"interval": "monthly", "currency": "USD"}
CHARGE = {"code": "tokens", "meter": "total_tokens", "price": {"model": "standard", "amount": "0.5"}}


def context(effective_at: datetime | None = None) -> CommandContext:
    return CommandContext(NOW, WHO, effective_at)


def plan(**fields: Any) -> Plan:
    made = Plan(DEFAULT_SCOPE, "startup")
    made.create({**MONTHLY, **fields}, context(EARLIER))
    made.collect_events()
    return made


def about(version: int, effective_at: datetime) -> dict[str, Any]:
    return {
        "stream": "plan/default/prod/startup",
        "version": version,
        "recorded_at": NOW,
        "effective_at": effective_at,
        "provenance": WHO,
        "tenant": "default",
        "environment": "prod",
        "code": "startup",
    }


def test_each_command_is_effective_from_its_effective_at() -> None:
    one = Plan(DEFAULT_SCOPE, "startup")
    who = (DEFAULT_SCOPE, WHO, "startup")
    commands: list[PlanCommand] = [
        CreatePlan(*who, {"interval": "monthly", "currency": "usd", "name": None}, effective_at=EARLIER),
        UpdatePlan(*who, {"charges": [CHARGE]}, effective_at=LATER),
        UpdatePlan(*who, {"charges": None}, effective_at=EARLIER),
        DeletePlan(*who, effective_at=NOW - timedelta(days=1)),
    ]
    for command in commands:
        command.apply(one, command.context(NOW))

    assert one.collect_events() == [
        PlanCreated(**about(1, EARLIER), fields=MONTHLY),
        PlanUpdated(**about(2, LATER), fields={"charges": [CHARGE]}),
        PlanUpdated(**about(3, EARLIER), fields={"charges": None}),
        PlanDeleted(**about(4, NOW - timedelta(days=1))),
    ]
    assert (one.life, one.alive, one.began_at) == (2, False, NOW - timedelta(days=1))


@pytest.mark.parametrize("missing", ["interval", "currency"])
def test_a_plan_has_an_interval_and_a_currency(missing: str) -> None:
    one = Plan(DEFAULT_SCOPE, "startup")

    with pytest.raises(InvalidInput, match="is required") as refused:
        one.create({**MONTHLY, missing: None}, context())

    assert ([refused.value.field], one.collect_events()) == ([missing], [])


@pytest.mark.parametrize("changes", [{"interval": "weekly"}, {"currency": "USD"}])
def test_what_makes_the_periods_and_money_of_subscriptions_is_never_changed(changes: dict[str, Any]) -> None:
    one = plan()

    with pytest.raises(InvalidInput, match="must not be changed; create another plan") as refused:
        one.update(changes, context(EARLIER))

    assert ([refused.value.field], one.collect_events()) == ([*changes], [])


def test_a_change_that_changes_nothing_is_not_written_unless_it_names_its_instant() -> None:
    one = plan(charges=[CHARGE])

    one.update({"charges": [{**CHARGE, "name": None}]}, context())
    assert one.collect_events() == []

    one.update({"charges": [CHARGE]}, context(NOW))
    assert one.collect_events() == [PlanUpdated(**about(2, NOW), fields={"charges": [CHARGE]})]


def test_a_code_in_use_is_refused() -> None:
    with pytest.raises(AlreadyExists, match="plan 'startup' exists already"):
        plan().create(MONTHLY, context())


@pytest.mark.parametrize(
    "command", [lambda one: one.update({"name": "x"}, context()), lambda one: one.delete(context())]
)
def test_commands_on_a_missing_plan_are_refused(command: Callable[[Plan], None]) -> None:
    gone = plan()
    gone.delete(context())
    gone.collect_events()

    for one in (Plan(DEFAULT_SCOPE, "startup"), gone):
        with pytest.raises(NotFound, match="plan 'startup' does not exist"):
            command(one)
        assert one.collect_events() == []


def test_a_plan_is_not_deleted_in_the_future() -> None:
    with pytest.raises(InvalidInput, match="must not be in the future"):
        plan().delete(context(LATER))


def test_a_change_that_was_made_of_what_another_has_replaced_is_refused() -> None:
    changed = plan(name="Startup", charges=[CHARGE])
    other = {**CHARGE, "code": "other"}

    def change(changes: dict[str, Any], read: dict[str, Any]) -> None:
        UpdatePlan(DEFAULT_SCOPE, WHO, "startup", changes, read).apply(changed, context())

    change({"charges": [CHARGE, other]}, {"charges": [CHARGE]})
    with pytest.raises(ChangedMeanwhile, match=r"^charges of plan 'startup' was changed meanwhile$"):
        change({"charges": []}, {"charges": [CHARGE]})
    change({"description": "For all"}, {"name": "Startup", "description": None})

    assert changed.timeline.at(NOW) == {
        **MONTHLY, "name": "Startup", "description": "For all", "charges": [CHARGE, other]
    }  # fmt: skip
