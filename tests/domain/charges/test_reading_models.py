"""A charge model is read from JSON exactly, and one that breaks a rule is refused with the member and the rule."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from domain.charges.models import (
    MODEL_NAMES,
    ChargeModel,
    Graduated,
    GraduatedPercentage,
    Package,
    Percentage,
    Standard,
    Volume,
    charge_model,
    model_name,
)
from domain.charges.ranges import RANGES_MAX, PriceRange, RateRange
from domain.errors import InvalidInput
from domain.values.json_numbers import exact_json

STANDARD = {"model": "standard", "amount": "0.05"}
PACKAGE = {"model": "package", "amount": "5", "package_size": 100}
PERCENTAGE = {"model": "percentage", "rate": "1.2"}


def ranged(*bounds: tuple[object, object], model: str = "graduated") -> dict[str, Any]:
    price = "rate" if model == "graduated_percentage" else "per_unit_amount"
    return {"model": model, "ranges": [{"from_value": start, "to_value": end, price: "1"} for start, end in bounds]}


def one_range(**members: object) -> dict[str, Any]:
    return {"model": "graduated", "ranges": [{"from_value": 0, "per_unit_amount": "1", **members}]}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (STANDARD, Standard(Decimal("0.05"))),
        (
            {**PACKAGE, "free_units": "2.5"},
            Package(Decimal(5), 100, Decimal("2.5")),
        ),
        ({**PACKAGE, "package_size": "100", "free_units": None}, Package(Decimal(5), 100)),
        (PERCENTAGE, Percentage(Decimal("1.2"))),
        (
            {
                **PERCENTAGE,
                "fixed_amount": "0.10",
                "free_units_per_events": 3,
                "free_units_per_total_aggregation": 500,
                "per_transaction_min_amount": 0.5,
                "per_transaction_max_amount": "0.5",
            },
            Percentage(Decimal("1.2"), Decimal("0.1"), 3, Decimal(500), Decimal("0.5"), Decimal("0.5")),
        ),
        (
            ranged((0, 10), (10, "20.5"), ("20.5", None)),
            Graduated(
                (
                    PriceRange(Decimal(0), Decimal(10), Decimal(1)),
                    PriceRange(Decimal(10), Decimal("20.5"), Decimal(1)),
                    PriceRange(Decimal("20.5"), None, Decimal(1)),
                )
            ),
        ),
        (
            ranged((0, 10), (11, 20), (21, None), model="volume"),
            Volume(
                (
                    PriceRange(Decimal(0), Decimal(10), Decimal(1)),
                    PriceRange(Decimal(11), Decimal(20), Decimal(1)),
                    PriceRange(Decimal(21), None, Decimal(1)),
                )
            ),
        ),
        (
            {
                "model": "graduated_percentage",
                "ranges": [{"from_value": "0", "to_value": None, "rate": 3, "flat_amount": 4}],
            },
            GraduatedPercentage((RateRange(Decimal(0), None, Decimal(3), Decimal(4)),)),
        ),
    ],
)
def test_a_model_is_read_with_all_its_members(written: dict[str, Any], read: ChargeModel) -> None:
    assert charge_model("charge", written) == read
    assert model_name(read) == written["model"]


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ('"0.000000000000000001"', "0.000000000000000001"),
        ("123456789012345.000000000000000001", "123456789012345.000000000000000001"),
        ("2.50e-5", "0.000025"),
        ("7", "7"),
        ("-0.0", "0"),
    ],
)
def test_a_price_is_the_number_that_the_json_text_says(text: str, amount: str) -> None:
    written = exact_json(f'{{"model": "standard", "amount": {text}}}')
    assert charge_model("charge", written) == Standard(Decimal(amount))


@pytest.mark.parametrize(
    ("written", "field", "rule"),
    [
        (None, "charge", "must be a JSON object"),
        ([], "charge", "must be a JSON object"),
        ({}, "charge.model", "is required"),
        ({"model": "dynamic"}, "charge.model", "must be " + " or ".join(repr(name) for name in MODEL_NAMES)),
        ({"model": "standard"}, "charge.amount", "is required"),
        ({**STANDARD, "amount": "-1"}, "charge.amount", "must not be negative"),
        ({**STANDARD, "amount": "1e15"}, "charge.amount", "must be less than 10^15"),
        ({**STANDARD, "amount": "0.0000000000000000001"}, "charge.amount", "must have at most 18 decimals"),
        ({**STANDARD, "amount": "1" * 39}, "charge.amount", "must have at most 38 digits"),
        ({**STANDARD, "amount": "five"}, "charge.amount", "must be a decimal number, such as 0.0125"),
        ({**STANDARD, "amount": True}, "charge.amount", "must be a decimal number"),
        ({**STANDARD, "rate": "1"}, "charge.rate", "is not a member that can be set here"),
        ({**PACKAGE, "package_size": 0}, "charge.package_size", "must be at least 1"),
        ({**PACKAGE, "package_size": "1.5"}, "charge.package_size", "must be a whole number"),
        ({**PACKAGE, "free_units": -1}, "charge.free_units", "must not be negative"),
        ({**PERCENTAGE, "rate": None}, "charge.rate", "is required"),
        ({**PERCENTAGE, "free_units_per_events": 0.5}, "charge.free_units_per_events", "must be a whole number"),
        (
            {**PERCENTAGE, "per_transaction_min_amount": 2, "per_transaction_max_amount": "1.99"},
            "charge.per_transaction_max_amount",
            "must not be less than per_transaction_min_amount",
        ),
        ({"model": "volume"}, "charge.ranges", "is required"),
        ({"model": "volume", "ranges": {}}, "charge.ranges", f"must be an array of 1 to {RANGES_MAX} items"),
        ({"model": "volume", "ranges": []}, "charge.ranges", f"must be an array of 1 to {RANGES_MAX} items"),
        (
            ranged(*((end, end + 1) for end in range(RANGES_MAX)), (RANGES_MAX, None)),
            "charge.ranges",
            f"must be an array of 1 to {RANGES_MAX} items",
        ),
        ({"model": "volume", "ranges": [7]}, "charge.ranges.0", "must be a JSON object"),
        (one_range(rate="1"), "charge.ranges.0.rate", "is not a member that can be set here"),
        (one_range(per_unit_amount=None), "charge.ranges.0.per_unit_amount", "is required"),
        (one_range(flat_amount="-5"), "charge.ranges.0.flat_amount", "must not be negative"),
        (ranged((None, None)), "charge.ranges.0.from_value", "is required"),
        (ranged((1, None)), "charge.ranges.0.from_value", "must be 0 in the first range"),
        (ranged((1, 2), (2, None)), "charge.ranges.0.from_value", "must be 0 in the first range"),
        (
            ranged((0, 10)),
            "charge.ranges.0.to_value",
            "must be null in the last range, which has no end",
        ),
        (
            ranged((0, None), (10, None)),
            "charge.ranges.0.to_value",
            "is required: only the last range has no end",
        ),
        (ranged((0, 0), (1, None)), "charge.ranges.0.to_value", "must be above from_value"),
        (ranged((0, 10), (11, 11), (12, None)), "charge.ranges.1.to_value", "must be above from_value"),
        (ranged((0, 10), (12, None)), "charge.ranges.1.from_value", "must be 10, where the range before ends"),
        (ranged((0, "0.5"), ("1.5", None)), "charge.ranges.1.from_value", "must be 0.5, where the range before ends"),
        (
            ranged((0, 10), (10, 20), (21, None), model="graduated_percentage"),
            "charge.ranges.2.from_value",
            "must be 20, where the range before ends",
        ),
        (
            ranged((0, 10), (11, 20), (20, None), model="volume"),
            "charge.ranges.2.from_value",
            "must be 21, one above the end of the range before",
        ),
        (
            ranged((0, 10), (11, "20.5"), ("21.5", None)),
            "charge.ranges.1.to_value",
            "must be a whole number, since the ranges before are written in whole numbers",
        ),
    ],
)
def test_a_broken_rule_is_named_with_its_member(written: object, field: str, rule: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        charge_model("charge", written)
    assert (refused.value.field, refused.value.rule) == (field, rule)


def test_a_model_has_as_many_ranges_as_are_allowed() -> None:
    written = ranged(*((end, end + 1) for end in range(RANGES_MAX - 1)), (RANGES_MAX - 1, None))
    read = charge_model("charge", written)
    assert isinstance(read, Graduated)
    assert len(read.ranges) == RANGES_MAX


def test_a_path_begins_with_the_field_that_the_caller_names() -> None:
    with pytest.raises(InvalidInput) as refused:
        charge_model("charges.2", ranged((0, 10), (10, 5), (5, None)))
    assert refused.value.field == "charges.2.ranges.1.to_value"
