"""The OpenAPI document is complete."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from api.native.dialect import NATIVE
from tests.engine_fixtures import Api

ENDPOINTS = {
    "/v1/events": {"get", "post"},
    "/v1/events/one": {"get"},
    "/v1/events/amend": {"post"},
    "/v1/events/void": {"post"},
    "/v1/events/unvoid": {"post"},
    "/v1/rejected": {"get"},
    "/v1/customers": {"get", "post"},
    "/v1/customers/{customer_id}": {"get", "patch", "delete"},
    "/v1/customers/{customer_id}/block": {"post"},
    "/v1/customers/{customer_id}/unblock": {"post"},
    "/v1/customers/{customer_id}/history": {"get"},
    "/v1/customers/{customer_id}/usage": {"get"},
    "/v1/customers/{customer_id}/current-usage": {"get"},
    "/v1/customers/{customer_id}/past-usage": {"get"},
    "/v1/customers/{customer_id}/budget": {"get"},
    "/v1/customers/{customer_id}/access": {"get"},
    "/v1/customers/{customer_id}/checkout-links": {"post"},
    "/v1/customers/{customer_id}/charges": {"get"},
    "/v1/customers/{customer_id}/portal-links": {"post", "delete"},
    "/v1/usage": {"get"},
    "/v1/diff": {"get"},
    "/v1/meters": {"get", "post"},
    "/v1/meters/{code}": {"get", "patch", "delete"},
    "/v1/plans": {"get", "post"},
    "/v1/plans/{code}": {"get", "patch", "delete"},
    "/v1/subscriptions": {"get", "post"},
    "/v1/subscriptions/{subscription_id}": {"get", "patch", "delete"},
    "/v1/coupons": {"get", "post"},
    "/v1/coupons/{code}": {"get", "patch", "delete"},
    "/v1/applied-coupons": {"get"},
    "/v1/customers/{customer_id}/coupons": {"post"},
    "/v1/customers/{customer_id}/coupons/{number}": {"delete"},
    "/v1/budgets": {"get", "post"},
    "/v1/budgets/{budget_id}": {"get", "patch", "delete"},
    "/v1/keys": {"get", "post"},
    "/v1/keys/{key_id}": {"delete"},
    "/v1/discounts": {"get", "post"},
    "/v1/prices": {"get", "post"},
    "/v1/prices/refresh": {"post"},
    "/v1/events/replace": {"post"},
    "/v1/corrections": {"get", "post"},
    "/v1/corrections/{name}": {"get"},
    "/v1/corrections/{name}/preview": {"get"},
    "/v1/corrections/{name}/commit": {"post"},
    "/v1/corrections/{name}/revert": {"post"},
    "/v1/repricings": {"get", "post"},
    "/v1/repricings/{name}": {"get"},
    "/v1/repricings/{name}/preview": {"get"},
    "/v1/repricings/{name}/commit": {"post"},
    "/v1/repricings/{name}/revert": {"post"},
    "/v1/backfills": {"get", "post"},
    "/v1/backfills/{name}": {"get"},
    "/v1/backfills/{name}/events": {"post"},
    "/v1/backfills/{name}/preview": {"get"},
    "/v1/backfills/{name}/commit": {"post"},
    "/v1/backfills/{name}/revert": {"post"},
    "/v1/backfills/{name}/cancel": {"post"},
    "/v1/sources": {"get"},
    "/v1/operations/rebuild": {"post"},
    "/v1/operations/replay": {"post"},
    "/v1/operations/verify": {"post"},
    "/v1/operations/status": {"get"},
    "/healthz": {"get"},
    "/readyz": {"get"},
    "/metrics": {"get"},
}
OPEN = {"/healthz", "/readyz"}


@pytest.fixture
def document(api: Api) -> Any:
    return api.get("/openapi.json")


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for member in value.values():
            yield from references(member)
    elif isinstance(value, list):
        for member in value:
            yield from references(member)


def test_every_endpoint_is_published(document: Any) -> None:
    by_query = {
        path.replace("/v1/customers/{customer_id}", "/v1/customer"): methods
        for path, methods in ENDPOINTS.items()
        if "{customer_id}" in path
    }
    assert document["openapi"] == "3.1.0"
    assert {path: set(operations) for path, operations in document["paths"].items()} == ENDPOINTS | by_query


def test_every_reference_leads_somewhere(document: Any) -> None:
    schemas = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert set(references(document)) <= schemas


def test_every_operation_has_summary_security_and_error_response(document: Any) -> None:
    identifiers = []
    for path, operations in document["paths"].items():
        for operation in operations.values():
            identifiers.append(operation["operationId"])
            assert "summary" in operation
            assert operation["tags"]
            assert bool(operation.get("security")) == (path not in OPEN)
            named = operation["responses"].get("422", operation["responses"]["default"])
            assert list(named["content"]) == ["application/problem+json"]
            assert list(operation["responses"]["default"]["content"]) == ["application/problem+json"]
    assert len(identifiers) == len(set(identifiers))


def test_a_route_by_query_has_the_customer_as_a_parameter(document: Any) -> None:
    parameters = {one["name"]: one["in"] for one in document["paths"]["/v1/customer/usage"]["get"]["parameters"]}
    assert parameters["customer"] == "query"
    assert "customer_id" not in parameters


def test_bodies_are_published_with_their_media_types(document: Any) -> None:
    body = document["paths"]["/v1/customers/{customer_id}"]["patch"]["requestBody"]
    assert set(body["content"]) == {"application/merge-patch+json", "application/json"}
    events = document["paths"]["/v1/events"]["post"]["requestBody"]["content"]
    assert set(events) == {
        "application/cloudevents+json",
        "application/cloudevents-batch+json",
        "application/json",
        "application/x-ndjson",
    }


def test_what_a_single_event_is_answered_with_if_it_is_not_counted_is_published(document: Any) -> None:
    responses = document["paths"]["/v1/events"]["post"]["responses"]
    assert set(responses) == {"200", "202", "409", "413", "422", "default"}
    for status, code in (("409", "event_conflict"), ("413", "body_too_large"), ("422", "event_rejected")):
        assert code in responses[status]["description"]


def test_the_document_is_the_same_every_time(document: Any) -> None:
    assert NATIVE.openapi() == document


def test_the_schema_of_usage_events_is_published(api: Api) -> None:
    answer = api.send("GET", "/schemas/usage-event.json", 200)
    assert answer.headers["content-type"] == "application/schema+json"
    assert {"RequestEvent", "OtherEvent"} <= set(answer.json()["$defs"])
