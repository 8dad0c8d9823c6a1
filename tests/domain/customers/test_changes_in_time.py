"""What is said of a customer takes effect in the order of its instants, whatever the order in which it arrives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from domain.aggregate import CommandContext
from domain.customers.customer import Customer
from domain.customers.events import CustomerCreated, CustomerUpdated
from domain.customers.fields import (
    DIALECT_BYTES_MAX,
    METADATA_BYTES_MAX,
    METADATA_MEMBERS_MAX,
    MODEL_LIMITS_MAX,
)
from domain.customers.personal_data import CustomerSeal
from domain.errors import InvalidInput
from domain.event import Provenance
from domain.scope import DEFAULT_SCOPE
from domain.values.instants import instant_text
from tests.fakes.personal_keys import InMemoryPersonalKeys
from tests.fakes.randomness import CountedRandomness

START = datetime(2026, 11, 1, tzinfo=UTC)
WHO = Provenance("key_1", "native")
#: The day on which commands arrive.
TODAY = 3


def on(day: int) -> datetime:
    return START + timedelta(days=day - 1)


def day(effective: int | None = None, today: int = TODAY) -> CommandContext:
    """A command that is effective on a day; None: on the day on which it arrives."""
    return CommandContext(on(today), WHO, None if effective is None else on(effective))


def customer() -> Customer:
    seal = CustomerSeal(InMemoryPersonalKeys(), CountedRandomness(), DEFAULT_SCOPE, "acme")
    return Customer(DEFAULT_SCOPE, "acme", seal)


def living(**fields: Any) -> Customer:
    """A customer created on the first day."""
    made = customer()
    made.create(fields, day(today=1))
    made.collect_events()
    return made


def fields_written(one: Customer) -> list[dict[str, Any]]:
    return [event.fields for event in one.collect_events() if isinstance(event, CustomerCreated | CustomerUpdated)]


def members(first: int, count: int, value: object = 1) -> dict[str, Any]:
    return {f"m{number}": value for number in range(first, first + count)}


# -- blocks


@pytest.mark.parametrize("arrival", list(permutations([("block", 5), ("block", 15), ("unblock", 10)])))
def test_a_block_between_two_instants_holds_whatever_arrives_later(arrival: list[tuple[str, int]]) -> None:
    one = living()
    for command, instant in arrival:
        getattr(one, command)(day(instant))

    assert [one.timeline.at(on(instant)) for instant in (4, 5, 9, 10, 12, 14, 15, 99)] == [
        {},
        {"blocked": True},
        {"blocked": True},
        {},
        {},
        {},
        {"blocked": True},
        {"blocked": True},
    ]


def test_a_deactivation_dated_back_before_a_reactivation_hides_until_then() -> None:
    one = living()
    one.reactivate(day(10))
    one.deactivate(day(5))

    assert [one.timeline.at(on(instant)) for instant in (4, 5, 10)] == [{}, {"active": False}, {}]


# -- maps

CLAUDE = {"claude": {"limit_usd": "9", "duration": None}}
GPT = {"gpt-4o": {"limit_usd": "0", "duration": "1d"}}


def test_patches_of_model_limits_add_up_though_the_earlier_one_arrives_later() -> None:
    one = living()
    one.update({"model_limits": CLAUDE}, day(10))
    one.update({"model_limits": GPT}, day(5))

    assert list(one.timeline.states()) == [
        (on(1), {}),
        (on(5), {"model_limits": GPT}),
        (on(10), {"model_limits": CLAUDE | GPT}),
    ]
    events = [event for event in one.collect_events() if isinstance(event, CustomerUpdated)]
    assert [(event.fields, event.patched) for event in events] == [
        ({"model_limits": CLAUDE}, ("model_limits",)),
        ({"model_limits": GPT}, ("model_limits",)),
    ]


def test_a_replacement_of_model_limits_discards_what_is_patched_before_it_takes_effect() -> None:
    one = living()
    one.update({"model_limits": CLAUDE}, day(10), replaced=frozenset({"model_limits"}))
    one.update({"model_limits": GPT}, day(5))
    one.update({"model_limits": {"claude": None}}, day(12))

    assert list(one.timeline.states()) == [
        (on(1), {}),
        (on(5), {"model_limits": GPT}),
        (on(10), {"model_limits": CLAUDE}),
        (on(12), {"model_limits": {}}),
    ]


def test_each_map_is_patched_by_its_own_rule() -> None:
    one = living(
        metadata={"a": {"b": 1, "c": 2}},
        model_limits={"claude": {"limit_usd": 5, "duration": "1d"}},
        dialect_fields={"litellm": {"a": {"b": 1}, "c": 2}},
    )

    one.update(
        {
            "metadata": {"a": {"b": None}},
            "model_limits": {"claude": {"limit_usd": 6}},
            "dialect_fields": {"litellm": {"a": {"d": 3}, "c": None}},
        },
        day(),
    )

    assert one.timeline.latest() == {
        "metadata": {"a": {"c": 2}},
        "model_limits": {"claude": {"limit_usd": "6", "duration": None}},
        "dialect_fields": {"litellm": {"a": {"d": 3}}},
    }


def test_a_limit_of_a_model_is_not_changed_in_part() -> None:
    one = living(model_limits=GPT)

    with pytest.raises(InvalidInput, match="must be an object of limit_usd") as refused:
        one.update({"model_limits": {"gpt-4o": {"duration": "1w"}}}, day())

    assert (refused.value.field, one.collect_events()) == ("model_limits.gpt-4o", [])


# -- limits


def test_a_limit_dated_back_separates_the_limits_until_they_are_made_one_again() -> None:
    one = living()
    one.update({"period_limit_usd": "5", "limits_as_one": True}, day(10))
    one.update({"total_limit_usd": "7"}, day(5))

    assert fields_written(one) == [
        {"period_limit_usd": "5", "limits_as_one": True},
        {"total_limit_usd": "7", "limits_as_one": None},
    ]
    assert list(one.timeline.states()) == [
        (on(1), {}),
        (on(5), {"total_limit_usd": "7"}),
        (on(10), {"total_limit_usd": "7", "period_limit_usd": "5", "limits_as_one": True}),
    ]


# -- what is checked for every instant from the effective one on


@pytest.mark.parametrize(
    ("field", "later", "now", "rule"),
    [
        ("metadata", members(0, METADATA_MEMBERS_MAX), members(90, 1), "at most 50 members"),
        ("metadata", {"a": "x" * (METADATA_BYTES_MAX - 20)}, {"b": "x" * 20}, "at most 16384 bytes"),
        (
            "model_limits",
            members(0, MODEL_LIMITS_MAX, {"limit_usd": 1}),
            members(900, 1, {"limit_usd": 1}),
            "at most 100 models",
        ),
        ("dialect_fields", members(0, 10, {}), members(90, 1, {}), "at most 10 members"),
        ("dialect_fields", {"a": {"b": "x" * (DIALECT_BYTES_MAX - 20)}}, {"a": {"c": "x" * 20}}, "at most 65536 bytes"),
    ],
)
def test_a_map_that_would_become_too_large_only_at_a_later_instant_is_refused(
    field: str, later: dict[str, Any], now: dict[str, Any], rule: str
) -> None:
    one = living()
    one.update({field: later}, day(10))
    one.collect_events()
    before = list(one.timeline.states())

    with pytest.raises(InvalidInput, match=rule) as refused:
        one.update({field: now}, day())
    assert (refused.value.field, one.collect_events()) == (field, [])
    assert list(one.timeline.states()) == before


def test_a_map_may_become_too_large_before_the_command_is_effective_or_be_replaced_in_time() -> None:
    full = members(0, METADATA_MEMBERS_MAX)
    one = living(metadata=full)
    one.update({"metadata": {"m0": None}}, day(10))
    one.update({"metadata": {"other": 1}}, day(10))
    with pytest.raises(InvalidInput, match="at most 50 members"):
        one.update({"metadata": {"more": 1}}, day(9))

    one.update({"metadata": {"name": "new"}}, day(5), replaced=frozenset({"metadata"}))
    one.update({"metadata": {"more": 1}}, day(9))

    assert one.timeline.at(on(4)) == {"metadata": full}
    assert one.timeline.latest() == {"metadata": {"name": "new", "more": 1, "other": 1}}


def test_a_creation_after_other_facts_is_checked_with_them() -> None:
    one = customer()
    one.update({"metadata": members(0, 30)}, day(10))
    one.collect_events()

    with pytest.raises(InvalidInput, match="at most 50 members"):
        one.create({"metadata": members(30, 21)}, day())
    one.create({"metadata": members(30, 20)}, day())

    assert one.timeline.at(on(TODAY)) == {"metadata": members(30, 20)}
    assert one.timeline.latest() == {"metadata": members(0, 50)}


def test_a_period_end_before_a_start_that_takes_effect_later_is_refused() -> None:
    one = living()
    one.update({"period_start": instant_text(on(20))}, day(10))
    one.collect_events()

    for end in (on(19), on(20)):
        with pytest.raises(InvalidInput, match="must be after period_start"):
            one.update({"period_end": instant_text(end)}, day(5))
    assert one.collect_events() == []
    one.update({"period_end": instant_text(on(21))}, day(5))

    assert fields_written(one) == [{"period_end": instant_text(on(21))}]


def test_a_period_start_after_an_end_that_takes_effect_later_is_refused() -> None:
    one = living()
    one.update({"period_end": instant_text(on(20))}, day(10))

    with pytest.raises(InvalidInput, match="must be after period_start"):
        one.update({"period_start": instant_text(on(20))}, day(5))
    one.update({"period_start": None, "period_end": instant_text(on(19))}, day(10))

    assert one.timeline.latest() == {"period_end": instant_text(on(19))}


def contradictory() -> Customer:
    """A customer whose stored facts break the rules: an older release took them, or they met in another order."""
    one = living()
    fields = {
        "period_start": instant_text(on(20)),
        "period_end": instant_text(on(19)),
        "model_limits": members(0, MODEL_LIMITS_MAX + 1, {"limit_usd": "1", "duration": None}),
    }
    one.replay(
        CustomerUpdated(
            stream=one.id,
            version=2,
            recorded_at=on(2),
            effective_at=on(10),
            provenance=WHO,
            tenant="default",
            environment="prod",
            customer_id="acme",
            fields=fields,
        )
    )
    return one


def test_facts_that_contradict_each_other_refuse_only_commands_that_name_them() -> None:
    one = contradictory()

    one.update({"name": "Ada", "metadata": {"a": 1}, "currency": "EUR"}, day(5))
    for changes in (
        {"period_start": instant_text(on(21))},
        {"period_end": instant_text(on(18))},
        {"model_limits": {"m0": {"limit_usd": 2}}},
    ):
        with pytest.raises(InvalidInput):
            one.update(changes, day(10))

    assert one.timeline.at(on(9)) == {"name": "Ada", "metadata": {"a": 1}, "currency": "EUR"}
    assert fields_written(one) == [{"currency": "EUR"}]


def test_facts_that_contradict_each_other_can_be_put_right() -> None:
    one = contradictory()

    one.update({"period_end": None, "model_limits": {"m0": None}}, day(10))

    assert one.timeline.latest() == {
        "period_start": instant_text(on(20)),
        "model_limits": members(1, MODEL_LIMITS_MAX, {"limit_usd": "1", "duration": None}),
    }


# -- anchors


@pytest.mark.parametrize("of", ["usage", "budget"])
def test_an_anchored_policy_without_an_anchor_is_anchored_at_the_creation(of: str) -> None:
    one = customer()
    one.create({f"{of}_alignment": "anchored"}, day(2))

    anchored = {f"{of}_alignment": "anchored", f"{of}_anchor": instant_text(on(2))}
    assert fields_written(one) == [anchored]
    assert one.timeline.latest() == anchored

    other = living()
    other.update({f"{of}_alignment": "anchored"}, day(9))
    assert fields_written(other) == [{f"{of}_alignment": "anchored", f"{of}_anchor": instant_text(on(1))}]


@pytest.mark.parametrize("of", ["usage", "budget"])
def test_a_policy_of_a_customer_without_a_creation_is_anchored_at_the_instant_of_the_command(of: str) -> None:
    one = customer()
    one.update({f"{of}_alignment": "anchored"}, day(9))
    one.update({f"{of}_alignment": "anchored"}, day())
    one.create({}, day(2))

    assert fields_written(one) == [
        {f"{of}_alignment": "anchored", f"{of}_anchor": instant_text(on(9))},
        {f"{of}_alignment": "anchored", f"{of}_anchor": instant_text(on(TODAY))},
        {},
    ]


@pytest.mark.parametrize("of", ["usage", "budget"])
def test_an_anchor_by_default_holds_where_there_is_neither_a_creation_nor_an_anchor(of: str) -> None:
    anchored, default = {f"{of}_alignment": "anchored"}, on(4)
    one, other = customer(), living()
    one.update(anchored, day(), anchor_default=default)
    one.update({**anchored, f"{of}_duration": "1w"}, day(), anchor_default=on(3))
    other.update(anchored, day(), anchor_default=default)

    assert fields_written(one)[0] == {**anchored, f"{of}_anchor": instant_text(default)}
    assert one.timeline.latest()[f"{of}_anchor"] == instant_text(default)
    assert fields_written(other) == [{**anchored, f"{of}_anchor": instant_text(on(1))}]


def test_an_anchor_that_is_given_or_known_is_not_replaced() -> None:
    anchor = instant_text(on(7))
    one = living(usage_anchor=anchor)

    one.update({"usage_alignment": "anchored"}, day())
    one.update({"budget_alignment": "anchored", "budget_anchor": anchor}, day())
    one.update({"budget_alignment": "calendar"}, day())
    one.update({"budget_alignment": "anchored"}, day())

    assert fields_written(one) == [
        {"usage_alignment": "anchored"},
        {"budget_alignment": "anchored", "budget_anchor": anchor},
        {"budget_alignment": "calendar"},
        {"budget_alignment": "anchored"},
    ]


def test_an_anchor_that_is_not_effective_yet_does_not_count() -> None:
    one = living()
    one.update({"usage_anchor": instant_text(on(7))}, day(10))
    one.update({"usage_alignment": "anchored"}, day(5))

    assert list(one.timeline.states()) == [
        (on(1), {}),
        (on(5), {"usage_alignment": "anchored", "usage_anchor": instant_text(on(1))}),
        (on(10), {"usage_alignment": "anchored", "usage_anchor": instant_text(on(7))}),
    ]


def test_an_anchor_that_is_cleared_by_the_same_command_is_stored_anew() -> None:
    one = living(usage_anchor=instant_text(on(7)))

    one.update({"usage_alignment": "anchored", "usage_anchor": None}, day())

    assert fields_written(one) == [{"usage_alignment": "anchored", "usage_anchor": instant_text(on(1))}]


def test_an_anchored_policy_that_changes_nothing_stores_nothing() -> None:
    one = living(usage_alignment="anchored", budget_alignment="anchored")

    one.update({"usage_alignment": "anchored", "budget_alignment": "anchored"}, day())

    assert one.collect_events() == []
