"""The filters of charges: what is stored of one, and what is refused, by the path of the member."""

from __future__ import annotations

from typing import Any

import pytest

from domain.errors import InvalidInput
from domain.plans.charge_filters import FILTERS_MAX, KEYS_MAX, VALUES_OF_PLAN_MAX, charge_filters
from domain.plans.fields import PLAN_RULES, charges
from domain.values.field_rules import checked

PRICE = {"model": "standard", "amount": "1"}
EU = {"values": {"region": ["eu"]}, "price": PRICE}
NO_VALUES = "must be an object of 1 to 10 lists of texts, by path into the data of events"
CHARGE = {"code": "tokens", "meter": "total_tokens", "price": PRICE}


def refused(given: object) -> tuple[str, str]:
    with pytest.raises(InvalidInput) as raised:
        charges("charges", given)
    return raised.value.field, raised.value.rule


def test_a_filter_is_stored_without_what_was_not_given_and_each_value_once() -> None:
    named = {"values": {"region": ["eu", "us", "eu"], "size.tier": []}, "price": {**PRICE, "amount": 2}, "name": "W"}

    assert charge_filters("filters", [{**EU, "name": None}, named]) == [
        EU,
        {"values": {"region": ["eu", "us"], "size.tier": []}, "price": {**PRICE, "amount": "2"}, "name": "W"},
    ]


@pytest.mark.parametrize(
    ("given", "field", "rule"),
    [
        ("eu", "", "must be a list of filters"),
        ([EU] * (FILTERS_MAX + 1), "", "must have at most 2000 filters"),
        (["eu"], ".0", "must be an object"),
        ([{"price": PRICE}], ".0.values", "is required"),
        ([{"values": {"a": []}}], ".0.price", "is required"),
        ([{**EU, "amount": 1}], ".0.amount", "is not a member of a filter"),
        ([{**EU, "values": ["eu"]}], ".0.values", NO_VALUES),
        ([{**EU, "values": {}}], ".0.values", NO_VALUES),
        ([{**EU, "values": {"a..b": []}}], ".0.values", "must be 1 to 16 member names of data, joined by dots"),
        ([{**EU, "values": {"a": "eu"}}], ".0.values.a", "must be a list of texts"),
        ([{**EU, "values": {"a": [1]}}], ".0.values.a.0", "must be text of 1 to 255 characters"),
        ([{**EU, "price": {"model": "standard", "amount": -1}}], ".0.price.amount", "must not be negative"),
        (
            [{**EU, "values": {str(key): []}} for key in range(KEYS_MAX + 1)],
            "",
            "must not name more than 10 keys",
        ),
    ],
)  # fmt: skip
def test_a_filter_that_breaks_a_rule_is_named_by_its_path(given: object, field: str, rule: str) -> None:
    assert refused([{**CHARGE, "filters": given}]) == (f"charges.0.filters{field}", rule)


def test_the_filters_of_a_plan_and_their_values_are_bounded_in_all() -> None:
    half = [EU] * (FILTERS_MAX // 2)
    assert len(charges("charges", [{**CHARGE, "code": code, "filters": half} for code in "ab"])) == 2
    assert refused([{**CHARGE, "code": code, "filters": half} for code in "abc"]) == (
        "charges",
        "must have at most 2000 filters in all",
    )
    many: dict[str, Any] = {**EU, "values": {"region": [str(number) for number in range(2_000)]}}
    most = VALUES_OF_PLAN_MAX // 2_000
    assert len(charges("charges", [{**CHARGE, "filters": [many] * most}])) == 1
    assert refused([{**CHARGE, "filters": [many] * (most + 1)}]) == (
        "charges",
        "must have at most 20000 values of filters in all",
    )


def test_a_plan_has_a_fee_and_fields_of_dialects() -> None:
    kept = {"lago": {"lago_id": "1"}}
    given = {"amount": "29.90", "dialect_fields": kept, "charges": [{**CHARGE, "dialect_fields": kept}]}

    assert checked(PLAN_RULES, given) == {**given, "amount": "29.9"}
