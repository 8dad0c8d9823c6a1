"""Subscriptions through the API."""

from __future__ import annotations

from typing import Any, Final

import pytest

from consumers.embedded.engine import EmbeddedEngine
from domain.scope import DEFAULT_SCOPE, Scope
from tests.api.native.routes.test_customers import without_position
from tests.api.native.routes.test_plans import CREATED, plan
from tests.engine_fixtures import Api, JsonObject, key_for

FEBRUARY: Final = "2026-02-01T00:00:00.000000Z"
MARCH: Final = "2026-03-01T00:00:00.000000Z"
APRIL: Final = "2026-04-01T00:00:00.000000Z"
_PLANS: Final = ("startup", "growth")


@pytest.fixture(autouse=True, scope="module")
def plans(api: Api) -> None:
    for code in _PLANS:
        api.post("/v1/plans", plan(code, effective_at=FEBRUARY))


def subscription(identifier: str, customer: str = "ann", **more: Any) -> JsonObject:
    return {"id": identifier, "customer": customer, "plan": "startup", **more}


def shown(identifier: str, customer: str = "ann", **more: Any) -> JsonObject:
    """An active subscription to one plan as it is answered, without position and time."""
    start, end, of_plan = more.get("start", CREATED), more.get("end"), more.get("plan", "startup")
    return {
        **subscription(identifier, customer),
        "name": None,
        "billing": "calendar",
        "status": "active",
        "start": start,
        "end": end,
        "terms": [{"plan": of_plan, "start": start, "end": end}],
        **more,
    }


def test_a_subscription_starts_when_it_is_created(api: Api) -> None:
    created = api.post("/v1/subscriptions", subscription("now", name="Ann's"))
    assert without_position(created) == shown("now", name="Ann's")
    assert without_position(api.get("/v1/subscriptions/now")) == without_position(created)


def test_a_subscription_starts_and_ends_at_the_instants_that_it_names(api: Api) -> None:
    given = {"billing": "anniversary", "effective_at": FEBRUARY, "ends_at": APRIL}
    created = api.post("/v1/subscriptions", subscription("dated", **given))
    expected = shown("dated", billing="anniversary", start=FEBRUARY, end=APRIL)
    assert without_position(created) == expected
    after = api.get("/v1/subscriptions/dated", at="2026-04-01T00:00:00Z")
    assert without_position(after) == {**expected, "status": "terminated"}


def test_a_subscription_of_the_future_is_pending(api: Api) -> None:
    created = api.post("/v1/subscriptions", subscription("ahead", effective_at=APRIL))
    assert without_position(created) == shown("ahead", start=APRIL, status="pending")


def test_an_id_in_use_is_refused_and_an_ended_one_is_free_for_another_customer(api: Api) -> None:
    api.post("/v1/subscriptions", subscription("again", effective_at=FEBRUARY))
    refused = api.refused("POST", "/v1/subscriptions", 409, subscription("again", "bob"))
    assert (refused["type"], refused["detail"]) == (
        "/problems/already_exists",
        "subscription 'again' exists already",
    )
    api.send("DELETE", "/v1/subscriptions/again", 204, params={"effective_at": MARCH})
    assert without_position(api.get("/v1/subscriptions/again")) == shown(
        "again", start=FEBRUARY, end=MARCH, status="terminated"
    )
    assert without_position(api.post("/v1/subscriptions", subscription("again", "bob"))) == shown("again", "bob")


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_a_subscription_that_never_was_is_not_found(api: Api, method: str) -> None:
    refused = api.refused(method, "/v1/subscriptions/nothing", 404, {"name": "x"} if method == "PATCH" else None)
    assert (refused["type"], refused["detail"]) == (
        "/problems/not_found",
        "subscription 'nothing' does not exist",
    )


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("id", {"id": ""}),
        ("customer", {"customer": ""}),
        ("customer", {"customer": None}),
        ("plan", {"plan": None}),
        ("plan", {"plan": "nothing"}),
        ("plan", {"plan": ""}),
        ("billing", {"billing": "weekly"}),
        ("ends_at", {"ends_at": "soon"}),
        ("ends_at", {"ends_at": MARCH, "effective_at": MARCH}),
        ("effective_at", {"effective_at": "soon"}),
        ("starts_at", {"starts_at": MARCH}),
    ],
)
def test_what_breaks_a_rule_is_named(api: Api, field: str, given: JsonObject) -> None:
    assert api.refused("POST", "/v1/subscriptions", 422, {**subscription("refused"), **given})["field"] == field
    assert api.refused("GET", "/v1/subscriptions/refused", 404)["status"] == 404


def test_a_change_is_a_merge_patch(api: Api) -> None:
    api.post("/v1/subscriptions", subscription("patched", name="Ann's", effective_at=FEBRUARY))
    changed = api.patch("/v1/subscriptions/patched", {"name": None, "ends_at": APRIL})
    assert without_position(changed) == shown("patched", start=FEBRUARY, end=APRIL)
    assert without_position(api.patch("/v1/subscriptions/patched", {})) == without_position(changed)
    assert without_position(api.patch("/v1/subscriptions/patched", {"ends_at": None})) == shown(
        "patched", start=FEBRUARY
    )


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("plan", {"plan": None}),
        ("plan", {"plan": "nothing"}),
        ("ends_at", {"ends_at": FEBRUARY}),
        ("customer", {"customer": "bob"}),
        ("billing", {"billing": "anniversary"}),
    ],
)
def test_a_change_that_breaks_a_rule_is_refused(api: Api, field: str, given: JsonObject) -> None:
    name = f"kept {field} {given[field]}"
    created = api.post("/v1/subscriptions", subscription(name, effective_at=FEBRUARY))
    assert api.refused("PATCH", f"/v1/subscriptions/{name}", 422, given)["field"] == field
    assert without_position(api.get(f"/v1/subscriptions/{name}")) == without_position(created)


def test_changes_of_plan_are_terms_past_and_planned(api: Api) -> None:
    api.post("/v1/subscriptions", subscription("terms", effective_at=FEBRUARY))
    api.patch("/v1/subscriptions/terms", {"plan": "startup", "effective_at": APRIL})
    changed = api.patch("/v1/subscriptions/terms", {"plan": "growth", "effective_at": MARCH})
    terms = [
        {"plan": "startup", "start": FEBRUARY, "end": MARCH},
        {"plan": "growth", "start": MARCH, "end": APRIL},
        {"plan": "startup", "start": APRIL, "end": None},
    ]
    assert without_position(changed) == shown("terms", start=FEBRUARY, plan="growth", terms=terms)
    assert api.get("/v1/subscriptions/terms", at="2026-02-15T00:00:00Z")["plan"] == "startup"
    assert api.get("/v1/subscriptions/terms", at="2026-05-01T00:00:00Z")["plan"] == "startup"


def test_the_deletion_of_a_customer_ends_its_subscriptions(api: Api) -> None:
    api.post("/v1/customers", {"id": "leaver"})
    api.post("/v1/subscriptions", subscription("left", "leaver", effective_at=FEBRUARY))
    api.send("DELETE", "/v1/customers/leaver", None, params={"effective_at": MARCH})
    assert without_position(api.get("/v1/subscriptions/left")) == shown(
        "left", "leaver", start=FEBRUARY, end=MARCH, status="terminated"
    )


def test_subscriptions_are_listed_by_id_page_by_page(engine: EmbeddedEngine, api: Api) -> None:
    other = Api(api.client, key_for(engine, Scope("lister", "prod")))
    other.post("/v1/plans", plan("startup", effective_at=FEBRUARY))
    for name, customer in (("c", "ann"), ("a", "bob"), ("d", "ann"), ("b", "ann"), ("e", "ann")):
        other.post("/v1/subscriptions", subscription(name, customer, effective_at=FEBRUARY))
    for ended, next_customer in (("d", None), ("e", "bob")):
        other.send("DELETE", f"/v1/subscriptions/{ended}", 204, params={"effective_at": MARCH})
        if next_customer is not None:
            other.post("/v1/subscriptions", subscription(ended, next_customer))
    of_ann = [
        shown("b", start=FEBRUARY),
        shown("c", start=FEBRUARY),
        shown("d", start=FEBRUARY, end=MARCH, status="terminated"),
    ]
    of_bob = [shown("a", "bob", start=FEBRUARY), shown("e", "bob")]
    for limit in (1, 2, 100):
        for asked, expected in (({}, [of_bob[0], *of_ann, of_bob[1]]), ({"customer": "ann"}, of_ann)):
            listed = other.pages("/v1/subscriptions", limit=limit, **asked)
            assert [without_position(one) for one in listed] == expected
    assert other.pages("/v1/subscriptions", customer="nobody") == []
    assert other.refused("GET", "/v1/subscriptions?customer=", 422)["field"] == "customer"
    assert other.refused("GET", "/v1/subscriptions?cursor=nonsense", 422)["field"] == "cursor"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/subscriptions"),
        ("PATCH", "/v1/subscriptions/x"),
        ("DELETE", "/v1/subscriptions/x"),
    ],
)
def test_a_key_that_only_reads_changes_no_subscription(
    engine: EmbeddedEngine, api: Api, method: str, path: str
) -> None:
    reader = Api(api.client, key_for(engine, DEFAULT_SCOPE, "read"))
    assert reader.refused(method, path, 403, subscription("x"))["type"] == "/problems/forbidden"


@pytest.mark.parametrize("path", ["/v1/subscriptions", "/v1/subscriptions/x", "/v1/customers/ann/charges"])
def test_a_key_that_only_ingests_reads_no_subscription(engine: EmbeddedEngine, api: Api, path: str) -> None:
    assert Api(api.client, key_for(engine, DEFAULT_SCOPE, "ingest")).refused("GET", path, 403)["status"] == 403
