"""Validation and stored form of the fields of customers, shared budgets and meters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.customers.fields import (
    BUDGET_RULES,
    CUSTOMER_RULES,
    DIALECT_BYTES_MAX,
    METADATA_BYTES_MAX,
    METADATA_MEMBERS_MAX,
    MODEL_LIMITS_MAX,
    check_state,
    checked_fields,
    patched_fields,
    with_whole_maps,
)
from domain.errors import InvalidInput
from domain.facts.in_effect import with_operations
from domain.meters.fields import METER_RULES
from domain.values.merge_patch import merge_patched

STORED: list[tuple[str, Any, Any]] = [
    ("name", "Ada 💸", "Ada 💸"),
    ("email", "ada@example.com", "ada@example.com"),
    ("email", "ada+tag@localhost", "ada+tag@localhost"),
    ("currency", "eur", "EUR"),
    ("time_zone", "Asia/Kathmandu", "Asia/Kathmandu"),
    ("group_identifier", "Team / 7" + "é" * 992, "Team / 7" + "é" * 992),
    ("allowed_region", "eu", "eu"),
    ("markup_percentage", "-100", "-100"),
    ("markup_percentage", 12.5, "12.5"),
    ("payment_provider_name", "stripe", "stripe"),
    ("payment_provider_customer_id", "cus_PqVw2Xn8gY", "cus_PqVw2Xn8gY"),
    ("period_limit_usd", "1e2", "100"),
    ("period_limit_usd", 0, "0"),
    ("total_limit_usd", Decimal("0.0100"), "0.01"),
    ("soft_limit_usd", 0.1, "0.1"),
    ("usage_duration", "monthly", "monthly"),
    ("budget_duration", "30d", "30d"),
    ("budget_alignment", "anchored", "anchored"),
    ("budget_id", "Gold / plan", "Gold / plan"),
    ("requests_per_minute", 1, 1),
    ("period_start", "2026-01-31T01:30:00.1234567+02:00", "2026-01-30T23:30:00.123456Z"),
    ("period_start", "2026-01-31t01:30:00z", "2026-01-31T01:30:00.000000Z"),
    ("usage_anchor", datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=-5))), "2026-01-01T05:00:00.000000Z"),
    ("metadata", {"a": {"b": [1, None]}}, {"a": {"b": [1, None]}}),
    ("model_limits", {"gpt-5": {"limit_usd": 5}}, {"gpt-5": {"limit_usd": "5", "duration": None}}),
    (
        "model_limits",
        {"m": {"limit_usd": "0.50", "duration": "1d"}},
        {"m": {"limit_usd": "0.5", "duration": "1d"}},
    ),
    ("opening_spend_usd", "3.000000000001", "3.000000000001"),
]

REFUSED: list[tuple[str, Any, str]] = [
    ("name", "", "1 to 255"),
    ("name", "x" * 256, "1 to 255"),
    ("name", "a\x00b", "NUL"),
    ("name", "\ud800", "surrogate"),
    ("name", 5, "1 to 255"),
    ("email", "ada", "email address"),
    ("email", "a da@example.com", "email address"),
    ("email", "a@b@c", "email address"),
    ("group_identifier", "", "1 to 1000"),
    ("group_identifier", "x" * 1001, "1 to 1000"),
    ("group_identifier", 7, "1 to 1000"),
    ("payment_provider_name", "", "1 to 255"),
    ("payment_provider_customer_id", "x" * 256, "1 to 255"),
    ("currency", "US", "three letters"),
    ("currency", "ÜSD", "three letters"),
    ("time_zone", "Mars/Olympus", "IANA"),
    ("time_zone", "../etc/passwd", "IANA"),
    ("markup_percentage", "-100.01", "-100"),
    ("markup_percentage", "NaN", "decimal number"),
    ("period_limit_usd", "-0.01", "negative"),
    ("period_limit_usd", float("inf"), "decimal number"),
    ("period_limit_usd", True, "decimal number"),
    ("total_limit_usd", "1" * 39, "38 digits"),
    ("budget_duration", "0d", "duration|must be 1 to"),
    ("budget_duration", "a while", "must be a number with a unit"),
    ("budget_alignment", "rolling", "'calendar' or 'anchored'"),
    ("budget_id", "..", "must not be"),
    ("requests_per_minute", -1, "whole number"),
    ("requests_per_minute", True, "whole number"),
    ("requests_per_minute", 1.5, "whole number"),
    ("period_start", "2026-01-31T00:00:00", "offset"),
    ("period_start", "2026-01-31", "offset"),
    ("period_start", "2026-02-30T00:00:00Z", "offset"),
    ("period_start", "9999-12-31T23:59:59-12:00", "between 1970 and 2200"),
    ("period_start", 1767225600, "offset"),
    ("metadata", [], "JSON object"),
    ("metadata", {str(number): 1 for number in range(51)}, "at most 50 members"),
    ("metadata", {"a": "x" * (16 * 1024)}, "bytes"),
    ("metadata", {"a": float("nan")}, "NaN"),
    ("metadata", {"a": "\udfff"}, "Unicode"),
    ("metadata", {"a": {1, 2}}, "JSON values"),
    ("model_limits", {"": {"limit_usd": 1}}, "1 to 256"),
    ("model_limits", {"m": {"limit_usd": -1}}, "negative"),
    ("model_limits", {"m": {"duration": "1d"}}, "limit_usd"),
    ("model_limits", {"m": {"limit_usd": 1, "extra": 1}}, "limit_usd"),
    ("model_limits", "m", "limits by model"),
    ("unheard_of", 1, "not a field"),
]


@pytest.mark.parametrize(("field", "given_value", "stored"), STORED)
def test_a_value_is_stored_in_one_form(field: str, given_value: Any, stored: Any) -> None:
    whole = checked_fields(CUSTOMER_RULES, {field: given_value})
    patch = checked_fields(CUSTOMER_RULES, {field: given_value}, patched_fields({field: given_value}))

    assert whole == patch == {field: stored}
    assert checked_fields(CUSTOMER_RULES, whole) == whole, "the stored form is a value too"


@pytest.mark.parametrize(("field", "given_value", "rule"), REFUSED)
def test_a_value_that_breaks_its_rule_is_refused_by_name(field: str, given_value: Any, rule: str) -> None:
    with pytest.raises(InvalidInput, match=rule) as refused:
        checked_fields(CUSTOMER_RULES, {field: given_value})

    assert refused.value.field.startswith(field)


PATCH_REFUSED: list[tuple[str, Any, str]] = [
    ("metadata", {str(number): None for number in range(2 * METADATA_MEMBERS_MAX + 1)}, "at most 100 members"),
    ("metadata", {"a": "x" * 2 * METADATA_BYTES_MAX}, "bytes"),
    ("metadata", {"a": float("nan")}, "NaN"),
    ("metadata", {"a": "\udfff"}, "Unicode"),
    ("metadata", {"a": {1, 2}}, "JSON values"),
    ("model_limits", {str(number): None for number in range(2 * MODEL_LIMITS_MAX + 1)}, "at most 200 models"),
    ("model_limits", {"": None}, "1 to 256"),
    ("model_limits", {"m": {"duration": "1d"}}, "limit_usd"),
    ("model_limits", {"m": {}}, "limit_usd"),
    ("model_limits", {"m": {"limit_usd": None}}, "decimal number"),
    ("model_limits", {"m": {"limit_usd": -1}}, "negative"),
    ("model_limits", {"m": {"limit_usd": 1, "extra": None}}, "limit_usd"),
    ("model_limits", {"m": {"limit_usd": 1, "duration": "often"}}, "must be a number with a unit"),
    ("model_limits", {"m": 1}, "limit_usd"),
    ("dialect_fields", {str(number): None for number in range(11)}, "at most 10 members"),
    ("dialect_fields", {"litellm": {"a": "x" * 2 * DIALECT_BYTES_MAX}}, "bytes"),
    ("dialect_fields", {"litellm": {"a": {1, 2}}}, "JSON values"),
]


@pytest.mark.parametrize(("field", "patch", "rule"), PATCH_REFUSED)
def test_a_patch_that_breaks_its_rule_is_refused_by_name(field: str, patch: dict[str, Any], rule: str) -> None:
    assert patched_fields({field: patch}) == (field,)
    with pytest.raises(InvalidInput, match=rule) as refused:
        checked_fields(CUSTOMER_RULES, {field: patch}, (field,))

    assert refused.value.field.startswith(field)


@pytest.mark.parametrize(
    ("field", "patch"),
    [
        ("metadata", {str(number): None for number in range(2 * METADATA_MEMBERS_MAX)}),
        ("metadata", {"a": "x" * (2 * METADATA_BYTES_MAX - len('{"a":""}'))}),
        ("model_limits", {str(number): None for number in range(2 * MODEL_LIMITS_MAX)}),
        ("dialect_fields", {str(number): None for number in range(10)}),
    ],
)
def test_a_patch_may_be_as_large_as_one_that_replaces_all_there_is(field: str, patch: dict[str, Any]) -> None:
    assert checked_fields(CUSTOMER_RULES, {field: patch}, (field,)) == {field: patch}


def test_metadata_nested_too_deep_is_refused_without_exhausting_the_stack() -> None:
    nested: dict[str, Any] = {}
    for _ in range(5_000):
        nested = {"a": nested}

    for name in ("metadata", "dialect_fields"):
        with pytest.raises(InvalidInput, match="at most 32 levels"):
            checked_fields(CUSTOMER_RULES, {name: nested})
        with pytest.raises(InvalidInput, match="at most 32 levels"):
            checked_fields(CUSTOMER_RULES, {name: nested}, (name,))
    with pytest.raises(InvalidInput, match="at most 32 levels"):
        with_whole_maps({"metadata": nested})


def test_none_clears_what_is_set_and_changes_nothing_else() -> None:
    asked = checked_fields(CUSTOMER_RULES, {"name": None, "email": None})

    assert asked == {"name": None, "email": None}
    assert with_operations({"name": "Ada", "currency": "EUR"}, asked) == {"currency": "EUR"}


def test_maps_are_patched_unless_they_are_replaced() -> None:
    current = {
        "metadata": {"keep": 1, "drop": 2, "inner": {"a": 1, "b": 2}},
        "model_limits": {"m": {"limit_usd": "5", "duration": "1d"}, "n": {"limit_usd": "1", "duration": None}},
    }
    changes = {
        "metadata": {"drop": None, "inner": {"b": None, "c": 3}, "new": []},
        "model_limits": {"m": {"limit_usd": 6}, "n": None},
    }

    patched = patched_fields(changes)
    asked = checked_fields(CUSTOMER_RULES, changes, patched)

    assert patched == ("metadata", "model_limits")
    assert asked == {
        "metadata": {"drop": None, "inner": {"b": None, "c": 3}, "new": []},
        "model_limits": {"m": {"limit_usd": "6", "duration": None}, "n": None},
    }
    assert with_operations(current, asked, patched) == {
        "metadata": {"keep": 1, "inner": {"a": 1, "c": 3}, "new": []},
        "model_limits": {"m": {"limit_usd": "6", "duration": None}},
    }
    assert patched_fields({"metadata": {"only": None}}, {"metadata"}) == ()
    replaced = checked_fields(CUSTOMER_RULES, {"metadata": {"only": None}})
    assert with_operations(current, replaced) == current | {"metadata": {"only": None}}


def test_only_a_map_that_is_given_is_a_patch() -> None:
    assert patched_fields({"metadata": None, "model_limits": "m", "group_by": {"a": "b"}, "dialect_fields": {}}) == (
        "dialect_fields",
    )


def test_metadata_and_limits_by_model_of_a_creation_have_no_nulls() -> None:
    given_fields = {
        "name": None,
        "metadata": {"a": None, "b": {"c": None, "d": [None]}},
        "model_limits": {"m": None, "n": {"limit_usd": 1, "duration": None}},
        "dialect_fields": {"litellm": {"a": None, "b": {"c": None}}, "lago": None},
    }

    assert with_whole_maps(given_fields) == {
        "name": None,
        "metadata": {"b": {"d": [None]}},
        "model_limits": {"n": {"limit_usd": 1, "duration": None}},
        "dialect_fields": given_fields["dialect_fields"],
    }


def test_a_limit_by_model_of_a_creation_may_be_a_decimal() -> None:
    limits = {"m": {"limit_usd": Decimal("5.5")}}
    assert checked_fields(CUSTOMER_RULES, with_whole_maps({"model_limits": limits})) == {
        "model_limits": {"m": {"limit_usd": "5.5", "duration": None}}
    }


def test_of_a_state_only_what_a_command_names_is_checked() -> None:
    state = {
        "metadata": {str(number): 1 for number in range(METADATA_MEMBERS_MAX + 1)},
        "model_limits": {str(number): {"limit_usd": "1", "duration": None} for number in range(MODEL_LIMITS_MAX + 1)},
        "dialect_fields": {str(number): {} for number in range(11)},
        "period_start": "2026-02-01T00:00:00.000000Z",
        "period_end": "2026-02-01T00:00:00.000000Z",
    }
    for name, rule in (
        ("metadata", "at most 50 members"),
        ("model_limits", "at most 100 models"),
        ("dialect_fields", "at most 10 members"),
        ("period_start", "must be after period_start"),
        ("period_end", "must be after period_start"),
    ):
        with pytest.raises(InvalidInput, match=rule):
            check_state(CUSTOMER_RULES, state, {name})
        check_state(CUSTOMER_RULES, {}, {name})
    check_state(CUSTOMER_RULES, state, CUSTOMER_RULES.keys() - state.keys())


_inner = st.none() | st.integers() | st.dictionaries(st.text(max_size=2), st.none())


@given(st.dictionaries(st.text(max_size=2), _inner))
def test_a_merge_patch_applied_twice_changes_nothing_more(patch: dict[str, Any]) -> None:
    target = {"a": {"b": 1}, "c": 2}

    once = merge_patched(target, patch)

    assert merge_patched(once, patch) == once
    assert target == {"a": {"b": 1}, "c": 2}


def test_a_shared_budget_has_no_fields_that_are_a_customers_own() -> None:
    own = CUSTOMER_RULES.keys() - BUDGET_RULES.keys()

    assert {"period_start", "period_end", "opening_spend_usd", "budget_id", "email"} <= own
    assert BUDGET_RULES.keys() - CUSTOMER_RULES.keys() == set()


METER_REFUSED: list[tuple[str, Any, str]] = [
    ("aggregation", "average", "'count' or 'sum'"),
    ("event_type", "", "1 to 255"),
    ("value_property", "a..b", "member names"),
    ("value_property", ".".join("a" * 17), "1 to 16"),
    ("group_by", [f"p{number}" for number in range(11)], "at most 10"),
    ("group_by", ["a", "a"], "a group twice"),
    ("group_by", "model", "list of properties"),
    ("group_by", {"g": ""}, "1 to 255"),
]


@pytest.mark.parametrize(("field", "given_value", "rule"), METER_REFUSED)
def test_a_meter_field_that_breaks_its_rule_is_refused(field: str, given_value: Any, rule: str) -> None:
    with pytest.raises(InvalidInput, match=rule) as refused:
        checked_fields(METER_RULES, {field: given_value})

    assert refused.value.field == field


def test_groups_are_stored_by_name() -> None:
    assert checked_fields(METER_RULES, {"group_by": ["region", "a.b"]}) == {
        "group_by": {"region": "region", "a.b": "a.b"}
    }
    assert checked_fields(METER_RULES, {"group_by": {"Region": "geo.region"}, "value_property": "x'; --"}) == {
        "group_by": {"Region": "geo.region"},
        "value_property": "x'; --",
    }


def test_an_instant_given_as_text_or_datetime_is_stored_alike() -> None:
    moment = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)

    as_text, as_datetime = (
        checked_fields(CUSTOMER_RULES, {"period_end": value}) for value in (moment.isoformat(), moment)
    )

    assert as_text == as_datetime
