"""What plans and metrics refuse: values of another type, and errors by the names that a request has."""

from __future__ import annotations

from typing import Any, Final

import pytest

from consumers.embedded.engine import EmbeddedEngine
from domain.event import Provenance
from domain.plans.commands import CreatePlan
from domain.scope import DEFAULT_SCOPE
from tests.api.dialects.lago.conftest import refusal_of
from tests.api.dialects.lago.test_billable_metrics import create, invalid
from tests.api.dialects.lago.test_plans import charge, created, plan
from tests.engine_fixtures import Api, JsonObject

INVALID: Final = ["value_is_invalid"]


@pytest.fixture(scope="module")
def metric(api: Api) -> str:
    return str(create(api, "storage", filters=[{"key": "region", "values": ["eu", "us"]}])["lago_id"])


def answered(api: Api, **more: Any) -> tuple[int, Any]:
    return refusal_of(api, "POST", "/plans", json={"plan": {**plan("refused"), **more}})


@pytest.mark.parametrize("amount", [True, False, "1_000", " 1000", "1000.0", "٣", "1e3", 0.5, [1], "9" * 19])
def test_an_amount_is_a_whole_number(api: Api, metric: str, amount: Any) -> None:
    assert answered(api, amount_cents=amount) == invalid(amount_cents=INVALID)
    charges = [charge(metric, min_amount_cents=amount)]
    assert answered(api, charges=charges) == invalid(charges__0__min_amount_cents=INVALID)


@pytest.mark.parametrize("amount", [1000, "1000", 1000.0])
def test_an_amount_may_be_written_as_text_or_with_a_zero_fraction(api: Api, metric: str, amount: Any) -> None:
    made = created(api, f"written_{amount!r}", charges=[charge(metric, min_amount_cents=amount)])
    assert made["charges"][0]["min_amount_cents"] == 1000
    changed = api.send("PUT", f"/lago/api/v1/plans/{made['code']}", 200, json={"plan": {"amount_cents": amount}})
    assert changed.json() == {"plan": {**made, "amount_cents": 1000}}


@pytest.mark.parametrize("precision", [True, "1_0", "2.0", 1.5, [1]])
def test_a_precision_is_a_whole_number(api: Api, precision: Any) -> None:
    given = {"name": "N", "code": "refused", "aggregation_type": "count_agg", "rounding_precision": precision}
    refused = invalid(rounding_precision=INVALID)
    assert refusal_of(api, "POST", "/billable_metrics", json={"billable_metric": given}) == refused
    change = {"billable_metric": {"rounding_precision": precision}}
    assert refusal_of(api, "PUT", "/billable_metrics/storage", json=change) == refused


@pytest.mark.parametrize("period", [True, "1e400", "Infinity", "NaN", "-1", "1_0", "x"])
def test_a_trial_period_is_a_number(api: Api, period: Any) -> None:
    assert answered(api, trial_period=period) == invalid(trial_period=INVALID)


@pytest.mark.parametrize("value", [1, 1.5, True, [1], {"a": 1}])
def test_metadata_of_a_plan_are_texts(api: Api, value: Any) -> None:
    assert answered(api, metadata={"k": value, "other": "text"}) == invalid(metadata=INVALID)
    made = created(api, f"told_{value}", metadata={"k": "text", "none": None})
    assert made["metadata"] == {"k": "text", "none": None}
    change = {"plan": {"metadata": {"k": value}}}
    assert refusal_of(api, "PUT", f"/plans/{made['code']}", json=change) == invalid(metadata=INVALID)


@pytest.mark.parametrize("keys", ["x", "", {}, {"a": 1}, True, 0, 1.5, [1], [""], [{}], [{"value": 1}], [["a"]]])
def test_keys_of_groups_are_a_list(api: Api, metric: str, keys: Any) -> None:
    for name in ("presentation_group_keys", "pricing_group_keys", "grouped_by"):
        charges = [charge(metric, properties={"amount": "1", name: keys})]
        assert answered(api, charges=charges) == invalid(charges__0__properties=[f"invalid_{name}"])


@pytest.mark.parametrize(
    "keys", [["region"], [{"value": "region"}], [{"value": "region", "options": {"display_in_invoice": True}}]]
)
def test_keys_of_presentation_are_shown_as_they_were_given(api: Api, metric: str, keys: list[Any]) -> None:
    properties = {"amount": "1", "presentation_group_keys": keys}
    made = created(api, f"presented_{keys}", charges=[charge(metric, properties=properties)])
    assert made["charges"][0]["properties"] == properties


LONG: Final = "n" * 300


@pytest.mark.parametrize(
    ("wrong", "details"),
    [
        ({"invoice_display_name": LONG}, {"charges__0__invoice_display_name": INVALID}),
        (
            {"filters": [{"invoice_display_name": LONG, "properties": {"amount": "1"}, "values": {"region": ["eu"]}}]},
            {"charges__0__filters__0__invoice_display_name": INVALID},
        ),
        *(
            (
                {"properties": {"amount": "1", "pricing_group_keys": keys}},
                {"charges__0__properties": ["invalid_pricing_group_keys"]},
            )
            for keys in (["k" * 2_000], list("abcdef"), ["a", "a"])
        ),
        ({"code": LONG}, {"charges__0__code": INVALID}),
    ],
)
def test_errors_name_members_of_the_request(
    api: Api, metric: str, wrong: JsonObject, details: dict[str, list[str]]
) -> None:
    assert answered(api, charges=[{**charge(metric), **wrong}]) == invalid(**details)


def test_errors_of_the_plan_itself_name_members_of_the_request(api: Api) -> None:
    assert answered(api, metadata={"k": "x" * 70_000}) == invalid(metadata=INVALID)
    assert answered(api, name=LONG) == invalid(name=INVALID)
    assert answered(api, description=LONG) == invalid(description=INVALID)


def test_a_plan_that_was_stored_with_other_values_is_shown_as_schemas_want_it(
    api: Api, engine: EmbeddedEngine, metric: str
) -> None:
    kept = {"metadata": {"k": {"a": 1}, "n": 7, "text": "t", "none": None}}
    priced = {"code": "c", "meter": "storage", "price": {"model": "standard", "amount": "1"}}
    charges = [{**priced, "dialect_fields": {"lago": {"presentation_group_keys": "x"}}}]
    fields = {"interval": "monthly", "currency": "USD", "charges": charges, "dialect_fields": {"lago": kept}}
    stored = engine.commands.handle(CreatePlan(DEFAULT_SCOPE, Provenance("test"), "older", fields))
    assert stored.position is not None
    assert engine.wait_folded(stored.position, 60)
    shown = api.get("/lago/api/v1/plans/older")["plan"]
    assert shown["metadata"] == {"k": '{"a": 1}', "n": "7", "text": "t", "none": None}
    assert shown["charges"][0]["properties"] == {"amount": "1"}
    change = {"plan": {"name": "Renamed", "charges": [{"id": shown["charges"][0]["lago_id"]}]}}
    renamed = api.send("PUT", "/lago/api/v1/plans/older", 200, json=change).json()
    assert renamed == {"plan": {**shown, "name": "Renamed"}}
