"""The fields of plans: what is stored of a charge, and what is refused, by the path of the member."""

from __future__ import annotations

from typing import Any

import pytest

from domain.errors import InvalidInput
from domain.plans.fields import CHARGES_MAX, PLAN_RULES, charges, plan_code
from domain.values.field_rules import checked

PRICE = {"model": "standard", "amount": "0.00002"}
CHARGE = {"code": "tokens", "meter": "total_tokens", "price": PRICE}


def test_a_charge_is_stored_without_what_was_not_given_and_with_exact_amounts() -> None:
    given = {**CHARGE, "name": None, "group_by": ["region", "size.tier"], "minimum_amount": 5, "price": {**PRICE}}

    assert charges("charges", [given, {**CHARGE, "code": "again"}]) == [
        {
            "code": "tokens",
            "group_by": ["region", "size.tier"],
            "meter": "total_tokens",
            "minimum_amount": "5",
            "price": {"model": "standard", "amount": "0.00002"},
        },
        {"code": "again", "meter": "total_tokens", "price": {"model": "standard", "amount": "0.00002"}},
    ]


@pytest.mark.parametrize(
    ("given", "field", "rule"),
    [
        ("tokens", "charges", "must be a list of charges"),
        ([CHARGE] * (CHARGES_MAX + 1), "charges", "must have at most 100 charges"),
        (["tokens"], "charges.0", "must be an object"),
        ([{"meter": "m", "price": PRICE}], "charges.0.code", "is required"),
        ([{"code": "a", "price": PRICE}], "charges.0.meter", "is required"),
        ([{**CHARGE, "price": None}], "charges.0.price", "is required"),
        ([{**CHARGE, "cost": 1}], "charges.0.cost", "is not a member of a charge"),
        ([CHARGE, CHARGE], "charges.1.code", "must not be that of another charge ('tokens')"),
        ([{**CHARGE, "group_by": "region"}], "charges.0.group_by", "must be a list of paths into the data of events"),
        ([{**CHARGE, "group_by": list("abcdef")}], "charges.0.group_by", "must have at most 5 paths"),
        ([{**CHARGE, "group_by": ["a", "a"]}], "charges.0.group_by", "must not name a path twice"),
        (
            [{**CHARGE, "group_by": ["a..b"]}],
            "charges.0.group_by.0",
            "must be 1 to 16 member names of data, joined by dots",
        ),
    ],
)
def test_a_charge_that_breaks_a_rule_is_named_by_its_path(given: object, field: str, rule: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        charges("charges", given)

    assert (refused.value.field, refused.value.rule) == (field, rule)


@pytest.mark.parametrize("minimum", [-1, "much", True])
def test_a_minimum_is_an_amount(minimum: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        charges("charges", [{**CHARGE, "minimum_amount": minimum}])

    assert refused.value.field == "charges.0.minimum_amount"


def test_a_price_that_breaks_a_rule_of_its_model_is_named_by_its_path() -> None:
    with pytest.raises(InvalidInput) as refused:
        charges("charges", [CHARGE, {**CHARGE, "code": "b", "price": {"model": "standard", "amount": -1}}])

    assert refused.value.field == "charges.1.price.amount"


@pytest.mark.parametrize("code", ["", ".", "..", "a" * 256, "a\x00b", 7, None])
def test_the_code_of_a_plan_is_text_that_a_path_can_hold(code: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        plan_code(code)

    assert refused.value.field == "code"


@pytest.mark.parametrize("code", ["a", "Start-up plan/2026 é", "a" * 255])
def test_any_other_text_is_the_code_of_a_plan(code: str) -> None:
    assert plan_code(code) == code


@pytest.mark.parametrize("currency", ["ZZZ", "US", 7])
def test_a_currency_is_one_in_use(currency: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        checked(PLAN_RULES, {"currency": currency})

    assert refused.value.field == "currency"
