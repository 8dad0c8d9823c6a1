"""Aggregates of effective-dated facts: what is written, what is refused, and what a life keeps."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.aggregate import CommandContext
from domain.budgets.events import BudgetUpdated
from domain.budgets.shared_budget import SharedBudget
from domain.customers.customer import Customer
from domain.customers.personal_data import CustomerSeal
from domain.errors import AlreadyExists, InvalidInput
from domain.event import Provenance
from domain.facts.aggregate import EffectiveDatedAggregate
from domain.meters.meter import Meter
from domain.scope import DEFAULT_SCOPE
from tests.fakes.personal_keys import InMemoryPersonalKeys
from tests.fakes.randomness import CountedRandomness

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
WHO = Provenance("key_1", "native")
INSTANT = timedelta(microseconds=1)


def at(hours: float) -> datetime:
    return NOW + timedelta(hours=hours)


def context(hours: float = 0, effective_at: datetime | None = None) -> CommandContext:
    return CommandContext(at(hours), WHO, effective_at)


def arrived(hours: float, arrived_at: datetime) -> CommandContext:
    """A command that was recorded some time after it arrived."""
    return CommandContext(at(hours), WHO, None, arrived_at)


def customer() -> Customer:
    seal = CustomerSeal(InMemoryPersonalKeys(), CountedRandomness(), DEFAULT_SCOPE, "acme")
    return Customer(DEFAULT_SCOPE, "acme", seal)


def budget() -> SharedBudget:
    return SharedBudget(DEFAULT_SCOPE, "gold")


def meter() -> Meter:
    return Meter(DEFAULT_SCOPE, "images")


def create(one: EffectiveDatedAggregate, given: CommandContext, **fields: Any) -> None:
    match one:
        case Customer() | SharedBudget():
            one.create(fields, given)
        case Meter():
            one.create({"event_type": "image.made", "aggregation": "count", **fields}, given)


def update(one: EffectiveDatedAggregate, given: CommandContext, **changes: Any) -> None:
    assert isinstance(one, Customer | SharedBudget | Meter)
    one.update(changes, given)


def delete(one: EffectiveDatedAggregate, given: CommandContext) -> None:
    assert isinstance(one, Customer | SharedBudget | Meter)
    one.delete(given)


Make = Callable[[], EffectiveDatedAggregate]
of_each_kind = pytest.mark.parametrize("make", [customer, budget, meter])


@of_each_kind
def test_a_command_that_changes_nothing_is_written_only_if_it_names_its_instant(make: Make) -> None:
    one = make()
    create(one, context(), name="Ada")
    one.collect_events()

    update(one, context(1), name="Ada")
    update(one, context(1))
    update(one, arrived(2, at(1)), name="Ada")
    assert one.collect_events() == []

    update(one, context(2, at(1)), name="Ada")
    update(one, context(2, at(1)))
    written = [(event.version, event.recorded_at, event.effective_at) for event in one.collect_events()]
    assert written == [(2, at(2), at(1)), (3, at(2), at(1))]


@of_each_kind
def test_whether_a_command_changes_something_is_told_at_its_own_instant(make: Make) -> None:
    one = make()
    create(one, context(), name="Ada")
    update(one, context(1, at(10)), name="Bob")
    one.collect_events()

    update(one, context(2), name="Bob")
    update(one, context(3), name="Bob")
    update(one, arrived(4, at(1)), name="Bob")
    update(one, context(5), name="Ada")

    assert [event.effective_at for event in one.collect_events()] == [at(2), at(1), at(5)]
    assert [one.timeline.at(at(hour))["name"] for hour in (0, 1, 2, 5, 10)] == ["Ada", "Bob", "Bob", "Ada", "Bob"]


@of_each_kind
def test_a_fact_of_the_future_is_in_the_states_from_its_instant_on(make: Make) -> None:
    one = make()
    create(one, context(), name="Ada")
    before = one.timeline.latest()

    update(one, context(1, at(10)), name=None)

    assert one.state_for(context(10, at(10) - INSTANT)) == before
    assert one.state_for(context(10)) == {name: value for name, value in before.items() if name != "name"}
    assert one.state_for(context(0, at(0) - INSTANT)) == {}


@of_each_kind
def test_a_deletion_may_be_back_dated_but_not_lie_in_the_future(make: Make) -> None:
    one = make()
    create(one, context())
    one.collect_events()

    with pytest.raises(InvalidInput, match="must not be in the future") as refused:
        delete(one, context(5, at(5) + INSTANT))
    assert (refused.value.field, one.collect_events(), one.alive) == ("effective_at", [], True)

    delete(one, context(5, at(3)))
    (deleted,) = one.collect_events()
    assert (deleted.recorded_at, deleted.effective_at) == (at(5), at(3))
    assert (one.life, one.began_at, one.alive, one.created_at, one.timeline.latest()) == (2, at(3), False, None, {})


@of_each_kind
def test_a_deletion_effective_when_it_is_recorded_does_not_lie_in_the_future(make: Make) -> None:
    one = make()
    create(one, context())

    delete(one, context(5, at(5)))

    assert (one.life, one.began_at) == (2, at(5))


@of_each_kind
def test_nothing_is_effective_before_the_previous_life_ended(make: Make) -> None:
    one = make()
    create(one, context())
    delete(one, context(5))
    one.collect_events()

    with pytest.raises(InvalidInput, match="must not be before") as refused:
        create(one, context(6, at(5) - INSTANT))
    assert refused.value.field == "effective_at"
    create(one, context(6, at(5)))
    for command in (update, delete):
        with pytest.raises(InvalidInput, match="must not be before"):
            command(one, context(7, at(5) - INSTANT))
    with pytest.raises(InvalidInput, match="must not be before"):
        one.state_for(context(7, at(5) - INSTANT))
    update(one, context(7, at(5)), name="Ada")

    assert [event.effective_at for event in one.collect_events()] == [at(5), at(5)]
    assert one.timeline.at(at(5))["name"] == "Ada"


@of_each_kind
def test_what_arrived_before_the_previous_life_ended_is_effective_from_then(make: Make) -> None:
    one = make()
    create(one, context())
    delete(one, context(5))
    one.collect_events()

    create(one, arrived(6, at(4)), name="Ada")
    update(one, arrived(6, at(4)), name="Bob")

    assert [event.effective_at for event in one.collect_events()] == [at(5), at(5)]
    assert one.timeline.latest()["name"] == "Bob"


@of_each_kind
def test_nothing_that_was_said_of_a_life_holds_in_the_next_one_even_from_a_later_instant(make: Make) -> None:
    one = make()
    create(one, context(), name="Ada")
    update(one, context(1, at(10)), name="Bob")

    delete(one, context(5))
    create(one, context(6))

    assert "name" not in one.timeline.at(at(10))
    assert (one.life, one.alive, one.began_at, one.created_at) == (2, True, at(5), at(6))


@of_each_kind
@pytest.mark.parametrize("effective_at", [None, at(-1), at(9)])
def test_a_second_creation_in_a_life_is_refused_whenever_it_would_be_effective(
    make: Make, effective_at: datetime | None
) -> None:
    one = make()
    create(one, context(), name="Ada")
    one.collect_events()

    with pytest.raises(AlreadyExists):
        create(one, context(1, effective_at), name="Bob")

    assert (one.collect_events(), one.created_at, one.timeline.latest()["name"]) == ([], NOW, "Ada")


def test_a_creation_after_other_facts_keeps_what_they_say_unless_it_says_otherwise() -> None:
    one = customer()
    one.update({"currency": "EUR", "metadata": {"a": 1}}, context(1))
    one.update({"currency": "CHF"}, context(2, at(10)))
    one.deactivate(context(3))

    one.create({"currency": "USD", "name": "Ada"}, context(4))

    said = {"metadata": {"a": 1}, "active": False}
    assert one.created_at == at(4)
    assert list(one.timeline.states()) == [
        (at(1), {"currency": "EUR", "metadata": {"a": 1}}),
        (at(3), {"currency": "EUR", **said}),
        (at(4), {"currency": "USD", "name": "Ada", **said}),
        (at(10), {"currency": "CHF", "name": "Ada", **said}),
    ]
    with pytest.raises(AlreadyExists):
        one.create({}, context(5))


def test_a_creation_dated_back_before_other_facts_is_changed_by_them() -> None:
    one = customer()
    one.update({"currency": "EUR", "metadata": {"a": 1, "b": None}}, context(1))

    one.create({"currency": "USD", "metadata": {"b": 2}}, context(2, at(-1)))

    assert list(one.timeline.states()) == [
        (at(-1), {"currency": "USD", "metadata": {"b": 2}}),
        (at(1), {"currency": "EUR", "metadata": {"a": 1}}),
    ]


def test_of_commands_of_one_instant_the_last_one_wins() -> None:
    one = budget()
    one.create({"name": "Gold"}, context())
    one.update({"name": "Silver"}, context())
    one.update({"name": "Bronze"}, context(1, NOW))

    assert [event.fields for event in one.collect_events() if isinstance(event, BudgetUpdated)] == [
        {"name": "Silver"},
        {"name": "Bronze"},
    ]
    assert list(one.timeline.states()) == [(NOW, {"name": "Bronze"})]
