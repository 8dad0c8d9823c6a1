"""Numbers beyond what anything can be: refused at once, each field by its name."""

from __future__ import annotations

import time
from typing import Any, Final

import msgspec
import pytest

from tests.api.dialects.lago.conftest import refusal_of
from tests.api.dialects.lago.test_billable_metrics import create, invalid
from tests.api.dialects.lago.test_plans import charge, created, plan
from tests.engine_fixtures import Api, JsonObject

INVALID: Final = ["value_is_invalid"]
SECONDS_MAX: Final = 2.0


def raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())


def refused(api: Api, method: str, path: str, body: JsonObject) -> tuple[int, Any]:
    began = time.perf_counter()
    answer = refusal_of(api, method, path, content=msgspec.json.encode(body))
    assert time.perf_counter() - began < SECONDS_MAX
    return answer


@pytest.mark.parametrize("number", ["1e999999999", "-1e999999999", "1e-999999999", "1e10000000", "1e1001"])
@pytest.mark.parametrize("member", ["amount_cents", "trial_period", "name", "code", "pay_in_advance", "metadata"])
def test_a_member_of_a_plan_is_named(api: Api, member: str, number: str) -> None:
    given = {"plan": {**plan("extreme"), member: raw(number)}}
    assert refused(api, "POST", "/plans", given) == invalid(**{member: INVALID})
    name = f"changed_{member}_{number}"
    made = created(api, name)
    assert refused(api, "PUT", f"/plans/{name}", {"plan": {member: raw(number)}}) == invalid(**{member: INVALID})
    assert api.get(f"/lago/api/v1/plans/{name}") == {"plan": made}


@pytest.mark.parametrize("number", ["1e999999999", "1e-999999999"])
def test_a_member_of_a_charge_is_named(api: Api, number: str) -> None:
    metric = create(api, f"of_charges_{number}")["lago_id"]

    def answer(**more: Any) -> tuple[int, Any]:
        return refused(api, "POST", "/plans", {"plan": plan("extreme", charges=[charge(metric, **more)])})

    assert answer(min_amount_cents=raw(number)) == invalid(charges__0__min_amount_cents=INVALID)
    assert answer(properties={"amount": raw(number)}) == invalid(charges__0__properties=["invalid_amount"])
    kept = {"amount": "1", "presentation_group_keys": [raw(number)]}
    assert answer(properties=kept) == invalid(charges__0__properties=["invalid_presentation_group_keys"])


@pytest.mark.parametrize("number", ["1e999999999", "1e-999999999"])
def test_the_precision_of_a_metric_is_named(api: Api, number: str) -> None:
    named = invalid(rounding_precision=INVALID)
    given = {"name": "N", "code": "extreme", "aggregation_type": "count_agg", "rounding_precision": raw(number)}
    assert refused(api, "POST", "/billable_metrics", {"billable_metric": given}) == named
    create(api, f"rounded_{number}")
    change = {"billable_metric": {"rounding_precision": raw(number)}}
    assert refused(api, "PUT", f"/billable_metrics/rounded_{number}", change) == named


@pytest.mark.parametrize("timestamp", [raw("1e999999999"), "1e999999999", "-1e10000000"])
def test_the_time_at_which_an_expression_is_tried_is_named(api: Api, timestamp: Any) -> None:
    given = {"expression": "event.timestamp", "event": {"timestamp": timestamp}}
    answer = refused(api, "POST", "/billable_metrics/evaluate_expression", given)
    assert answer == invalid(event__timestamp=["invalid_format"])


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 10**30, [10**30], {"deep": [2**64]}])
def test_whole_numbers_that_cannot_be_stored_are_refused_by_name(api: Api, number: Any) -> None:
    given = {"plan": plan("extreme", metadata={"k": number})}
    assert refused(api, "POST", "/plans", given) == invalid(metadata=INVALID)
    metric = api.get("/lago/api/v1/billable_metrics/cost_usd")["billable_metric"]["lago_id"]
    kept = charge(metric, properties={"amount": "1", "presentation_group_keys": number})
    named = invalid(charges__0__properties=["invalid_presentation_group_keys"])
    assert refused(api, "POST", "/plans", {"plan": plan("extreme", charges=[kept])}) == named


def test_the_data_of_an_event_may_have_any_number(api: Api) -> None:
    properties = {"large": raw("1e999999999"), "small": raw("1e-999999999"), "whole": 10**30}
    event = {"transaction_id": "t", "code": "any", "external_subscription_id": "s", "properties": properties}
    sent = api.send("POST", "/lago/api/v1/events", 200, content=msgspec.json.encode({"event": event}))
    assert b'"whole":1000000000000000000000000000000' in sent.content
