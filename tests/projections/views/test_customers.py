"""Lives, profiles and periods follow from facts and usage times alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from domain.facts.in_effect import State, states
from domain.values.periods import USAGE_TIME_LIMIT, USAGE_TIME_MIN, Interval
from projections.queries.customers import CustomerRecord
from projections.queries.facts import Fact
from projections.views.budgets import budget_timeline, named_budgets, tiers_of
from projections.views.customers import (
    Life,
    MarkupChange,
    customer_history,
    customer_view,
    known_by,
    lasting_lives,
    life_at,
    lives,
    markup_at,
    markup_changes,
)
from projections.views.periods import usage_timeline

POSITIONS = count(1)


def on(day: int, month: int = 3, hour: int = 0) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


def fact(kind: str, at: datetime, position: int | None = None, **fields: Any) -> Fact:
    position = next(POSITIONS) if position is None else position
    return Fact(position, at, at, kind, fields, "test", "native", None)


def record(*facts: Fact, seen: tuple[datetime, datetime] | None = None, first_position: int = 1) -> CustomerRecord:
    first, last = seen or (None, None)
    return CustomerRecord("acme", first_position, first, last, facts)


def test_a_customer_known_only_by_usage_exists_with_a_default_profile() -> None:
    view = customer_view(record(seen=(on(2), on(9))), on(10))
    assert (view.exists, view.origin, view.created_at, view.first_seen_at) == (True, "usage", None, on(2))
    assert (view.currency, view.time_zone, view.life) == ("USD", "UTC", Life(1, None, None))
    assert view.markup_percentage == 0


def test_a_fact_effective_later_is_not_yet_in_the_profile() -> None:
    told = record(fact("customer.created", on(1), name="A"), fact("customer.updated", on(20), name="B"))
    assert customer_view(told, on(19)).fields == {"name": "A"}
    assert customer_view(told, on(20)).fields == {"name": "B"}
    assert not customer_view(told, on(1, month=2)).exists


def test_of_facts_at_one_instant_the_higher_position_wins() -> None:
    told = record(fact("customer.created", on(1), 1), fact("customer.updated", on(1), 3, name="late"),
                  fact("customer.updated", on(1), 2, name="early"))  # fmt: skip
    assert customer_view(told, on(2)).fields == {"name": "late"}


def test_a_deletion_ends_a_life_and_nothing_of_it_carries_over() -> None:
    told = record(
        fact("customer.created", on(1), name="A", markup_percentage="5"), fact("customer.blocked", on(2)),
        fact("customer.deactivated", on(3)), fact("customer.deleted", on(4)),
    )  # fmt: skip
    assert lives(told) == (Life(1, None, on(4)), Life(2, on(4), None))
    view = customer_view(told, on(5))
    assert (view.exists, view.blocked, view.active, view.fields, view.life.number) == (False, False, True, {}, 2)
    before = customer_view(told, on(3, hour=12))
    assert (before.exists, before.blocked, before.active) == (True, True, False)


def test_nothing_falls_into_the_life_between_two_deletions_at_one_instant() -> None:
    told = record(fact("customer.deleted", on(4)), fact("customer.deleted", on(4)))
    assert lives(told) == (Life(1, None, on(4)), Life(2, on(4), on(4)), Life(3, on(4), None))
    assert [(one.number, one.span) for one in lasting_lives(told)] == [
        (1, Interval(USAGE_TIME_MIN, on(4))),
        (3, Interval(on(4), USAGE_TIME_LIMIT)),
    ]


def test_a_late_event_of_an_earlier_life_revives_nobody_and_a_new_one_does() -> None:
    deleted = fact("customer.created", on(1)), fact("customer.deleted", on(4))
    assert not customer_view(record(*deleted, seen=(on(2), on(3, hour=23))), on(9)).exists
    revived = customer_view(record(*deleted, seen=(on(2), on(4))), on(9))
    assert (revived.exists, revived.origin, revived.life) == (True, "usage", Life(2, on(4), None))


@given(st.lists(st.integers(1, 28), max_size=5, unique=True), st.integers(1, 28))
def test_every_instant_falls_into_exactly_one_life(deletions: list[int], day: int) -> None:
    told = record(*(fact("customer.deleted", on(deletion)) for deletion in deletions))
    holding = [life for life in lives(told) if life.contains(on(day))]
    assert holding == [life_at(told, on(day))]


def test_markup_changes_at_facts_and_falls_to_zero_with_a_life() -> None:
    told = [
        fact("customer.created", on(1), markup_percentage="10"), fact("customer.updated", on(3), name="x"),
        fact("customer.updated", on(5), markup_percentage="12.5"), fact("customer.deleted", on(7)),
        fact("customer.updated", on(2), markup_percentage="10"),
    ]  # fmt: skip
    changes = markup_changes(told)
    assert changes == (
        MarkupChange(on(1), Decimal(10)),
        MarkupChange(on(5), Decimal("12.5")),
        MarkupChange(on(7), Decimal(0)),
    )
    assert [markup_at(changes, on(day)) for day in (1, 4, 5, 8)] == [10, 10, Decimal("12.5"), 0]
    assert markup_at(changes, on(28, month=2)) == 0
    assert markup_changes([fact("customer.created", on(1), name="x")]) == ()


def test_usage_periods_are_months_of_the_customers_zone_until_its_policy_changes() -> None:
    told = record(
        fact("customer.created", on(1, month=1), time_zone="Europe/Berlin"),
        fact("customer.updated", on(10), usage_duration="1w"),
    )  # fmt: skip
    timeline = usage_timeline(customer_history(told, on(20)))
    assert timeline.containing(on(15, month=2)) == Interval(on(31, month=1, hour=23), on(28, month=2, hour=23))
    assert timeline.containing(on(10)) == Interval(on(8, hour=23), on(15, hour=23))
    assert timeline.containing(on(5)) == Interval(on(28, month=2, hour=23), on(8, hour=23))


def test_the_policy_of_a_creation_holds_for_usage_before_it_too() -> None:
    told = record(
        fact("customer.created", on(10), usage_duration="30d", usage_alignment="anchored"),
        seen=(on(5, month=1), on(11)),
    )  # fmt: skip
    timeline = usage_timeline(customer_history(told, on(20)))
    assert timeline.containing(on(9)) == Interval(on(10) - timedelta(days=30), on(10))
    assert timeline.containing(on(10)) == Interval(on(10), on(10) + timedelta(days=30))


def test_a_zone_of_a_creation_holds_for_imported_months() -> None:
    told = record(fact("customer.created", on(10), time_zone="America/New_York"), seen=(on(5, month=1), on(11)))
    timeline = usage_timeline(customer_history(told, on(20)))
    assert timeline.containing(on(9)) == Interval(on(1, hour=5), on(1, month=4, hour=4))
    assert timeline.containing(on(9, month=2)) == Interval(on(1, month=2, hour=5), on(1, hour=5))


def test_a_policy_first_set_by_an_update_leaves_months_that_had_ended() -> None:
    told = record(fact("customer.updated", on(10), usage_duration="1y"), seen=(on(5), on(11)))
    timeline = usage_timeline(customer_history(told, on(20)))
    assert timeline.containing(on(9)) == Interval(on(1), datetime(2027, 1, 1, tzinfo=UTC))
    assert timeline.containing(on(9, month=2)) == Interval(on(1, month=2), on(1))


@given(st.integers(1, 28), st.integers(1, 28))
def test_usage_moves_no_bound(first: int, last: int) -> None:
    told = (
        fact("customer.updated", on(10), usage_duration="1w", time_zone="Asia/Tokyo"),
        fact("customer.updated", on(15), budget_duration="1mo", budget_alignment="anchored"),
    )
    quiet = customer_history(record(*told), on(20))
    used = customer_history(record(*told, seen=(on(first, month=1), on(last))), on(20))
    for day in (on(9), on(14), on(20)):
        assert usage_timeline(used).containing(day) == usage_timeline(quiet).containing(day)
        budgets = [budget_timeline(history, {}) for history in (used, quiet)]
        assert [budget is not None and budget.containing(day) for budget in budgets] == [
            budgets[0] is not None and budgets[0].containing(day)
        ] * 2


def test_a_budget_without_duration_has_no_periods_of_its_own() -> None:
    told = record(fact("customer.created", on(1), total_limit_usd="5"))
    assert budget_timeline(customer_history(told, on(2)), {}) is None


def test_a_tier_gives_periods_to_those_that_name_it_and_own_fields_go_before_it() -> None:
    told = record(
        fact("customer.created", on(1), budget_id="gold"), fact("customer.updated", on(20), budget_duration="1d")
    )  # fmt: skip
    tiers = {"gold": (fact("budget.created", on(1), budget_duration="1w"),)}
    told_by_then = customer_history(told, on(25))
    assert named_budgets(told_by_then) == ("gold",)
    timeline = budget_timeline(told_by_then, tiers_of(tiers))
    assert timeline is not None
    assert timeline.containing(on(11)) == Interval(on(9), on(16))
    assert timeline.containing(on(25)) == Interval(on(25), on(26))


class OnlyNamedBudgets(Mapping[str, Sequence[State]]):
    """Budgets by name, which must not be iterated: that would take time for every budget there is."""

    def __init__(self, **budgets: Sequence[State]) -> None:
        self._budgets = budgets

    def __getitem__(self, name: str) -> Sequence[State]:
        return self._budgets[name]

    def __len__(self) -> int:
        return len(self._budgets)

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("looked through the budgets of others")


def test_the_budgets_of_others_are_not_looked_at() -> None:
    told = record(fact("customer.created", on(1), budget_id="gold"))
    gold, silver = (states([fact("budget.created", on(day), budget_duration="1w")]) for day in (1, 3))
    tiers = OnlyNamedBudgets(gold=gold, silver=silver)
    assert budget_timeline(customer_history(told, on(25)), tiers) is not None


def test_scheduled_facts_of_a_life_end_with_it() -> None:
    scheduled = fact("customer.updated", on(20), position=2, markup_percentage="50")
    ended = record(
        fact("customer.created", on(1), position=1),
        scheduled,
        fact("customer.deleted", on(5), position=3),
    )
    view = customer_view(ended, on(21))
    assert (view.exists, view.life.number, view.fields) == (False, 2, {})
    assert markup_changes(ended.facts) == ()


def test_a_life_does_not_take_over_what_the_one_before_had_scheduled() -> None:
    facts = (
        fact("customer.created", on(1), position=1),
        fact("customer.updated", on(20), position=2, markup_percentage="50"),
        fact("customer.deleted", on(5), position=3),
        fact("customer.created", on(6), position=4, markup_percentage="5"),
        fact("customer.updated", on(25), position=5, markup_percentage="7"),
    )
    assert markup_changes(facts) == (MarkupChange(on(6), Decimal(5)), MarkupChange(on(25), Decimal(7)))
    assert customer_view(record(*facts), on(21)).fields == {"markup_percentage": "5"}


def test_a_scheduled_creation_is_dropped_by_a_deletion() -> None:
    ended = record(
        fact("customer.created", on(20), position=1), fact("customer.deleted", on(5), position=2), seen=(on(1), on(2))
    )
    assert not customer_view(ended, on(21)).exists


def test_facts_of_usage_tell_that_a_customer_exists_also_without_the_usage() -> None:
    described = fact("customer.described", on(2), name="Ada")
    told = record(described)
    assert [customer_view(told, on(day)).exists for day in (1, 2)] == [False, True]
    assert customer_view(told, on(2)).origin == "explicit"
    assert [known_by(told, on(day)) for day in (1, 2)] == [None, on(2)]
    assert known_by(record(described, seen=(on(3), on(9))), on(10)) == on(9)
    assert known_by(record(described, seen=(on(1), on(1))), on(10)) == on(2)


def test_facts_of_usage_that_a_deletion_cut_off_tell_nothing() -> None:
    cut_off = record(fact("customer.described", on(5), 1, name="Ada"), fact("customer.deleted", on(3), 2))
    assert known_by(cut_off, on(9)) is None
    since = record(fact("customer.deleted", on(3), 2), fact("customer.described", on(5), 3, name="Ada"))
    assert known_by(since, on(9)) == on(5)
