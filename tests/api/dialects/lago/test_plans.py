"""Plans with their charges."""

from __future__ import annotations

from typing import Any

import pytest

from consumers.embedded.engine import EmbeddedEngine
from domain.scope import Scope
from tests.api.dialects.lago.conftest import BASE, refusal_of
from tests.api.dialects.lago.test_billable_metrics import create, invalid
from tests.engine_fixtures import Api, JsonObject, key_for

PATH = f"{BASE}/plans"
NOT_SUPPORTED = ["not_supported"]
UNKNOWN = "1a901a90-1a90-1a90-1a90-1a901a901a90"


def plan(code: str, **more: Any) -> JsonObject:
    return {
        "name": code.title(),
        "code": code,
        "interval": "monthly",
        "amount_cents": 10_000,
        "amount_currency": "USD",
        "pay_in_advance": False,
        **more,
    }


def created(api: Api, code: str, **more: Any) -> JsonObject:
    made: JsonObject = api.post(PATH, {"plan": plan(code, **more)}, 200)["plan"]
    return made


@pytest.fixture(scope="module")
def storage(api: Api) -> str:
    """The id of a metric with filters."""
    filters = [{"key": "region", "values": ["eu", "us"]}, {"key": "tier", "values": ["hot", "cold"]}]
    return str(create(api, "storage", filters=filters)["lago_id"])


def charge(metric: str, model: str = "standard", properties: JsonObject | None = None, **more: Any) -> JsonObject:
    return {
        "billable_metric_id": metric,
        "charge_model": model,
        "properties": {"amount": "0.5"} if properties is None else properties,
        **more,
    }


def test_a_plan_is_answered_as_it_was_given(api: Api, storage: str) -> None:
    kept = {"trial_period": 5.0, "invoice_display_name": "Plan", "metadata": {"team": "a"}, "description": "D"}
    made = created(api, "startup", **kept)
    assert made == {
        "lago_id": made["lago_id"],
        "name": "Startup",
        "code": "startup",
        "created_at": "2026-04-29T08:59:51Z",
        "interval": "monthly",
        "amount_cents": 10_000,
        "amount_currency": "USD",
        "pay_in_advance": False,
        "bill_charges_monthly": None,
        "bill_fixed_charges_monthly": None,
        "minimum_commitment": None,
        "charges": [],
        "fixed_charges": [],
        "usage_thresholds": [],
        "taxes": [],
        "entitlements": [],
        "active_subscriptions_count": 0,
        "draft_invoices_count": 0,
        **kept,
    }
    assert api.get(f"{PATH}/startup") == {"plan": made}
    native = api.get("/v1/plans/startup")
    assert (native["interval"], native["currency"], native["amount"]) == ("monthly", "USD", "100")


def test_a_charge_is_answered_as_it_was_given(api: Api, storage: str) -> None:
    given = charge(
        storage,
        properties={"amount": "0.5", "pricing_group_keys": ["user"]},
        code="stored",
        invoice_display_name="Storage",
        pay_in_advance=True,
        invoiceable=False,
        min_amount_cents=1200,
        filters=[
            {
                "invoice_display_name": "Hot",
                "properties": {"amount": "0.75"},
                "values": {"region": ["eu"], "tier": ["__ALL_FILTER_VALUES__"]},
            }
        ],
    )
    made = created(api, "charged", charges=[given])
    (one,) = made["charges"]
    assert one == {
        "lago_id": one["lago_id"],
        "lago_billable_metric_id": storage,
        "billable_metric_code": "storage",
        "code": "stored",
        "invoice_display_name": "Storage",
        "created_at": made["created_at"],
        "charge_model": "standard",
        "pay_in_advance": True,
        "invoiceable": False,
        "regroup_paid_fees": None,
        "prorated": False,
        "min_amount_cents": 1200,
        "properties": given["properties"],
        "filters": [{"lago_id": one["filters"][0]["lago_id"], **given["filters"][0]}],
        "group_properties": [],
        "taxes": [],
        "applied_pricing_unit": None,
        "accepts_target_wallet": None,
        "lago_parent_id": None,
    }
    (native,) = api.get("/v1/plans/charged")["charges"]
    assert native["minimum_amount"] == "12"
    assert native["filters"][0]["values"] == {"region": ["eu"], "tier": []}


_RANGES = [
    {"from_value": 0, "to_value": 10, "per_unit_amount": "0.5", "flat_amount": "10"},
    {"from_value": 11, "to_value": None, "per_unit_amount": "0.25", "flat_amount": "0"},
]
_RATES = [
    {"from_value": 0, "to_value": 100, "rate": "1", "flat_amount": "10"},
    {"from_value": 100, "to_value": None, "rate": "0.5", "flat_amount": "0"},
]
_MODELS: dict[str, JsonObject] = {
    "standard": {"amount": "30"},
    "graduated": {"graduated_ranges": _RANGES},
    "volume": {"volume_ranges": _RANGES},
    "package": {"amount": "30", "package_size": 1000, "free_units": 100},
    "percentage": {
        "rate": "1",
        "fixed_amount": "0.5",
        "free_units_per_events": 5,
        "free_units_per_total_aggregation": "500",
        "per_transaction_min_amount": "1.75",
        "per_transaction_max_amount": "3.75",
    },
    "graduated_percentage": {"graduated_percentage_ranges": _RATES},
}


@pytest.mark.parametrize("model", sorted(_MODELS))
def test_each_charge_model_keeps_its_properties(api: Api, storage: str, model: str) -> None:
    made = created(api, f"by_{model}", charges=[charge(storage, model, _MODELS[model])])
    assert made["charges"][0]["properties"] == _MODELS[model]
    assert made["charges"][0]["charge_model"] == model


def test_charges_are_coded_by_their_metrics(api: Api, storage: str) -> None:
    cost = api.get(f"{BASE}/billable_metrics/cost_usd")["billable_metric"]["lago_id"]
    tiers = [{"properties": {"amount": "2"}, "values": {"model": ["gpt-4o"]}}]
    charges = [charge(storage), charge(cost, filters=tiers), charge(storage)]
    made = created(api, "coded", charges=charges)["charges"]
    assert [(one["code"], one["billable_metric_code"]) for one in made] == [
        ("storage", "storage"),
        ("cost_usd", "cost_usd"),
        ("storage_2", "storage"),
    ]
    assert len({one["lago_id"] for one in made}) == 3


def test_all_that_is_wrong_with_a_plan_is_told_at_once(api: Api) -> None:
    given = {"interval": "daily", "amount_currency": "dollars", "trial_period": -1}
    assert refusal_of(api, "POST", "/plans", json={"plan": given}) == invalid(
        name=["value_is_mandatory"],
        code=["value_is_mandatory"],
        interval=["value_is_invalid"],
        amount_cents=["value_is_mandatory"],
        amount_currency=["value_is_invalid"],
        trial_period=["value_is_invalid"],
    )


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("minimum_commitment", {"amount_cents": 100}),
        ("usage_thresholds", [{"amount_cents": 100}]),
        ("fixed_charges", [{"add_on_id": UNKNOWN, "charge_model": "standard"}]),
        ("tax_codes", ["vat"]),
    ],
)
def test_what_would_change_an_amount_and_is_not_served_is_refused_unless_it_is_off(
    api: Api, member: str, value: Any
) -> None:
    given = {"plan": plan("refused", **{member: value})}
    assert refusal_of(api, "POST", "/plans", json=given) == invalid(**{member: NOT_SUPPORTED})
    assert created(api, f"without_{member}", **{member: type(value)()})["code"] == f"without_{member}"


def test_usage_of_a_long_interval_is_not_billed_by_the_month(api: Api) -> None:
    given = plan("yearly", interval="yearly", bill_charges_monthly=True)
    assert refusal_of(api, "POST", "/plans", json={"plan": given}) == invalid(bill_charges_monthly=NOT_SUPPORTED)
    assert created(api, "yearly", interval="yearly", bill_charges_monthly=False)["bill_charges_monthly"] is False


@pytest.mark.parametrize(
    ("wrong", "details"),
    [
        ({"charge_model": "dynamic"}, {"charges__0__charge_model": NOT_SUPPORTED}),
        ({"charge_model": "free"}, {"charges__0__charge_model": ["value_is_invalid"]}),
        ({"prorated": True}, {"charges__0__prorated": NOT_SUPPORTED}),
        ({"tax_codes": ["vat"]}, {"charges__0__tax_codes": NOT_SUPPORTED}),
        ({"group_properties": [{"group_id": UNKNOWN}]}, {"charges__0__group_properties": NOT_SUPPORTED}),
        ({"applied_pricing_unit": {"code": "c"}}, {"charges__0__applied_pricing_unit": NOT_SUPPORTED}),
        ({"properties": {}}, {"charges__0__properties": ["invalid_amount"]}),
        ({"properties": {"amount": "-1"}}, {"charges__0__properties": ["invalid_amount"]}),
        (
            {"properties": {"amount": "1", "pricing_group_keys": "user"}},
            {"charges__0__properties": ["invalid_pricing_group_keys"]},
        ),
        (
            {"charge_model": "package", "properties": {"amount": "1", "package_size": 0}},
            {"charges__0__properties": ["invalid_package_size"]},
        ),
        ({"charge_model": "graduated"}, {"charges__0__properties": ["missing_graduated_ranges"]}),
        (
            {"charge_model": "volume", "properties": {"volume_ranges": _RATES}},
            {"charges__0__properties": ["invalid_volume_ranges"]},
        ),
        (
            {"charge_model": "volume", "properties": {"volume_ranges": _RANGES}, "pay_in_advance": True},
            {"charges__0__pay_in_advance": ["invalid_aggregation_type_or_charge_model"]},
        ),
        (
            {"filters": [{"properties": {"amount": "1"}, "values": {"region": ["mars"], "tier": []}}]},
            {"charges__0__filters__0__values": ["value_is_invalid", "value_is_mandatory"]},
        ),
        (
            {"filters": [{"properties": {}, "values": {"model": ["x"]}}]},
            {
                "charges__0__filters__0__properties": ["invalid_amount"],
                "charges__0__filters__0__values": ["value_is_invalid"],
            },
        ),
        (
            {"filters": [{"properties": {"amount": "1", "grouped_by": ["user"]}, "values": {"tier": ["hot"]}}]},
            {"charges__0__filters__0__properties": ["invalid_pricing_group_keys"]},
        ),
    ],
)
def test_what_is_wrong_with_a_charge_has_a_code(
    api: Api, storage: str, wrong: JsonObject, details: dict[str, list[str]]
) -> None:
    given = {"plan": plan("refused", charges=[{**charge(storage), **wrong}])}
    assert refusal_of(api, "POST", "/plans", json=given) == invalid(**details)


def test_charges_name_metrics_that_exist_and_have_codes_of_their_own(api: Api, storage: str) -> None:
    unknown = {"plan": plan("refused", charges=[charge(UNKNOWN)])}
    missing = {"status": 404, "error": "Not Found", "code": "billable_metrics_not_found"}
    assert refusal_of(api, "POST", "/plans", json=unknown) == (404, missing)
    twice = {"plan": plan("refused", charges=[charge(storage, code="c"), charge(storage, code="c")])}
    assert refusal_of(api, "POST", "/plans", json=twice) == invalid(charges__1__code=["value_already_exist"])
    created(api, "taken")
    assert refusal_of(api, "POST", "/plans", json={"plan": plan("taken")}) == invalid(code=["value_already_exist"])


def test_an_update_replaces_charges_and_changes_those_whose_id_it_gives(api: Api, storage: str) -> None:
    before = created(api, "updated", trial_period=3, charges=[charge(storage, code="a"), charge(storage, code="b")])
    unchanged = api.send("PUT", f"{PATH}/updated", 200, json={"plan": {"name": "Renamed", "amount_cents": 250}}).json()
    assert unchanged == {"plan": {**before, "name": "Renamed", "amount_cents": 250}}
    kept, dropped = before["charges"]
    changes = [{"id": kept["lago_id"], "properties": {"amount": "9"}}, charge(storage, code="c")]
    after = api.send("PUT", f"{PATH}/updated", 200, json={"plan": {"charges": changes}}).json()["plan"]
    assert after["charges"][0] == {**kept, "properties": {"amount": "9"}}
    assert [one["code"] for one in after["charges"]] == ["a", "c"]
    assert dropped["lago_id"] not in {one["lago_id"] for one in after["charges"]}
    emptied = api.send("PUT", f"{PATH}/updated", 200, json={"plan": {"charges": [], "trial_period": None}}).json()
    without_trial = {name: value for name, value in unchanged["plan"].items() if name != "trial_period"}
    assert emptied == {"plan": {**without_trial, "charges": []}} == api.get(f"{PATH}/updated")


def test_a_charge_is_left_out_while_its_metric_is_deleted_natively(api: Api, storage: str) -> None:
    own = create(api, "gone")["lago_id"]
    before = created(api, "losing", charges=[charge(own), charge(storage)])
    api.delete("/v1/meters/gone")
    after = {**before, "name": "N", "charges": before["charges"][1:]}
    assert api.send("PUT", f"{PATH}/losing", 200, json={"plan": {"name": "N"}}).json() == {"plan": after}
    assert [one["meter"] for one in api.get("/v1/plans/losing")["charges"]] == ["gone", "storage"]


def test_code_interval_and_currency_cannot_change(api: Api) -> None:
    created(api, "fixed")
    given = {"code": "other", "interval": "weekly", "amount_currency": "EUR", "name": None}
    assert refusal_of(api, "PUT", "/plans/fixed", json={"plan": given}) == invalid(
        amount_currency=["value_is_invalid"], code=["value_is_invalid"], interval=["value_is_invalid"]
    )


def test_a_deleted_plan_is_answered_once_more(api: Api) -> None:
    made = created(api, "deleted")
    assert api.send("DELETE", f"{PATH}/deleted", 200).json() == {"plan": made}
    missing = 404, {"status": 404, "error": "Not Found", "code": "plan_not_found"}
    for method, body in (("GET", None), ("DELETE", None), ("PUT", {"plan": {"name": "N"}})):
        assert refusal_of(api, method, "/plans/deleted", json=body) == missing


def test_the_list_has_the_last_created_first(api: Api, engine: EmbeddedEngine, clock: Any) -> None:
    own = Api(api.client, key_for(engine, Scope("planner", "prod")))
    metric = create(own, "storage")["lago_id"]
    older = created(own, "older", charges=[charge(metric)])
    clock.advance(seconds=1)
    newer = created(own, "newer")
    meta = {"current_page": 1, "next_page": None, "prev_page": None, "total_pages": 1, "total_count": 2}
    assert own.get(PATH) == {"plans": [newer, older], "meta": meta}
    empty = {"current_page": 0, "next_page": None, "prev_page": None, "total_pages": 0, "total_count": 0}
    fresh = Api(api.client, key_for(engine, Scope("nobody", "prod")))
    assert fresh.get(PATH) == {"plans": [], "meta": empty}
