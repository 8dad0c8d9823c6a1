"""A charge model is stored as JSON and read again as an equal one; any other JSON is refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.charges.models import MODEL_NAMES, ChargeModel, Graduated, Package, charge_model, stored_charge_model
from domain.charges.ranges import PriceRange
from domain.errors import InvalidInput
from domain.values.field_rules import check_json
from tests.domain.charges.generated_models import json_values, models

MEMBERS = (
    "amount package_size free_units rate fixed_amount free_units_per_events free_units_per_total_aggregation "
    "per_transaction_min_amount per_transaction_max_amount ranges from_value to_value per_unit_amount flat_amount"
).split()
some_members = st.dictionaries(st.sampled_from(MEMBERS), json_values | st.integers(0, 30), max_size=6)
near_models = st.builds(
    lambda name, members, ranges: {"model": name, **members, **({"ranges": ranges} if ranges else {})},
    st.sampled_from(MODEL_NAMES),
    some_members,
    st.lists(some_members, max_size=3),
)


def read_or_refused(written: object) -> ChargeModel | InvalidInput:
    try:
        return charge_model("charge", written)
    except InvalidInput as refusal:
        return refusal


@given(models)
def test_a_stored_model_is_read_as_an_equal_one(model: ChargeModel) -> None:
    assert charge_model("charge", stored_charge_model(model)) == model


@given(models)
def test_a_stored_model_survives_json_text(model: ChargeModel) -> None:
    stored = stored_charge_model(model)
    check_json("charge", stored)
    assert charge_model("charge", msgspec.json.decode(msgspec.json.encode(stored))) == model


@given(json_values | near_models | some_members)
def test_any_json_value_is_read_or_refused(written: Any) -> None:
    outcome = read_or_refused(written)
    if isinstance(outcome, InvalidInput):
        assert outcome.field.startswith("charge")
    else:
        assert charge_model("charge", stored_charge_model(outcome)) == outcome


@pytest.mark.parametrize(
    ("model", "stored"),
    [
        (
            Package(Decimal("1E+3"), 100, Decimal("0.50")),
            {"model": "package", "amount": "1000", "package_size": 100, "free_units": "0.5"},
        ),
        (
            Graduated((PriceRange(Decimal(0), None, Decimal("1E-7")),)),
            {
                "model": "graduated",
                "ranges": [{"from_value": "0", "to_value": None, "per_unit_amount": "0.0000001", "flat_amount": "0"}],
            },
        ),
    ],
)
def test_decimals_are_stored_as_plain_text(model: ChargeModel, stored: dict[str, Any]) -> None:
    assert stored_charge_model(model) == stored
