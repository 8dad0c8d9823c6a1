"""Everything that the native API can do has a command."""

from __future__ import annotations

from typing import Any

import pytest

from api.native.dialect import NATIVE
from tests.api.cli.command_tree import command_tree, options_of
from tests.published_documents import document_of

COMMANDS = {
    "GET /v1/events": "events list",
    "POST /v1/events": "ingest",
    "GET /v1/events/one": "events show",
    "POST /v1/events/void": "events void",
    "POST /v1/events/unvoid": "events unvoid",
    "POST /v1/events/amend": "events amend",
    "GET /v1/rejected": "rejected list",
    "GET /v1/customers": "customers list",
    "POST /v1/customers": "customers create",
    "GET /v1/customers/{customer_id}": "customers show",
    "PATCH /v1/customers/{customer_id}": "customers update",
    "DELETE /v1/customers/{customer_id}": "customers delete",
    "POST /v1/customers/{customer_id}/block": "customers block",
    "POST /v1/customers/{customer_id}/unblock": "customers unblock",
    "GET /v1/customers/{customer_id}/history": "customers history",
    "GET /v1/customers/{customer_id}/usage": "usage",
    "GET /v1/customers/{customer_id}/current-usage": "current-usage",
    "GET /v1/customers/{customer_id}/past-usage": "past-usage",
    "GET /v1/customers/{customer_id}/budget": "budget",
    "GET /v1/customers/{customer_id}/access": "access",
    "GET /v1/customers/{customer_id}/charges": "charges",
    "POST /v1/customers/{customer_id}/checkout-links": "checkout",
    "POST /v1/customers/{customer_id}/portal-links": "portal",
    "DELETE /v1/customers/{customer_id}/portal-links": "portal",
    "GET /v1/usage": "usage",
    "GET /v1/diff": "diff",
    "GET /v1/meters": "meters list",
    "POST /v1/meters": "meters create",
    "GET /v1/meters/{code}": "meters show",
    "PATCH /v1/meters/{code}": "meters update",
    "DELETE /v1/meters/{code}": "meters delete",
    "GET /v1/plans": "plans list",
    "POST /v1/plans": "plans create",
    "GET /v1/plans/{code}": "plans show",
    "PATCH /v1/plans/{code}": "plans update",
    "DELETE /v1/plans/{code}": "plans delete",
    "GET /v1/subscriptions": "subscriptions list",
    "POST /v1/subscriptions": "subscriptions create",
    "GET /v1/subscriptions/{subscription_id}": "subscriptions show",
    "PATCH /v1/subscriptions/{subscription_id}": "subscriptions update",
    "DELETE /v1/subscriptions/{subscription_id}": "subscriptions delete",
    "GET /v1/coupons": "coupons list",
    "POST /v1/coupons": "coupons create",
    "GET /v1/coupons/{code}": "coupons show",
    "PATCH /v1/coupons/{code}": "coupons update",
    "DELETE /v1/coupons/{code}": "coupons delete",
    "GET /v1/applied-coupons": "coupons applied",
    "POST /v1/customers/{customer_id}/coupons": "coupons apply",
    "DELETE /v1/customers/{customer_id}/coupons/{number}": "coupons terminate",
    "GET /v1/budgets": "budgets list",
    "POST /v1/budgets": "budgets create",
    "GET /v1/budgets/{budget_id}": "budgets show",
    "PATCH /v1/budgets/{budget_id}": "budgets update",
    "DELETE /v1/budgets/{budget_id}": "budgets delete",
    "GET /v1/prices": "prices list",
    "POST /v1/prices": "prices set",
    "GET /v1/discounts": "prices discounts",
    "POST /v1/discounts": "prices discount",
    "POST /v1/prices/refresh": "prices refresh",
    "POST /v1/events/replace": "ingest",
    "GET /v1/corrections": "corrections list",
    "POST /v1/corrections": "corrections open",
    "GET /v1/corrections/{name}": "corrections show",
    "GET /v1/corrections/{name}/preview": "corrections preview",
    "POST /v1/corrections/{name}/commit": "corrections commit",
    "POST /v1/corrections/{name}/revert": "corrections revert",
    "GET /v1/repricings": "repricings list",
    "POST /v1/repricings": "repricings open",
    "GET /v1/repricings/{name}": "repricings show",
    "GET /v1/repricings/{name}/preview": "repricings preview",
    "POST /v1/repricings/{name}/commit": "repricings commit",
    "POST /v1/repricings/{name}/revert": "repricings revert",
    "GET /v1/backfills": "backfill list",
    "POST /v1/backfills": "backfill open",
    "GET /v1/backfills/{name}": "backfill show",
    "POST /v1/backfills/{name}/events": "backfill load",
    "GET /v1/backfills/{name}/preview": "backfill preview",
    "POST /v1/backfills/{name}/commit": "backfill commit",
    "POST /v1/backfills/{name}/revert": "backfill revert",
    "POST /v1/backfills/{name}/cancel": "backfill cancel",
    "GET /v1/keys": "keys list",
    "POST /v1/keys": "keys create",
    "DELETE /v1/keys/{key_id}": "keys revoke",
    "GET /v1/sources": "sources list",
    "POST /v1/operations/rebuild": "rebuild",
    "POST /v1/operations/replay": "replay",
    "POST /v1/operations/verify": "verify",
    "GET /v1/operations/status": "status",
}
WITHOUT_COMMAND = {
    "GET /healthz": "a probe of load balancers; `status` says more",
    "GET /readyz": "a probe of load balancers; `status` says more",
    "GET /metrics": "read by Prometheus; `status` is for people",
}
#: Query parameters that a command does not offer, or offers by another word.
OTHERWISE = {
    "limit": "--limit is the length of the list, over pages",
    "cursor": "followed by the command",
    "min_position": "what a command shows is read after what was sent before",
    "customer": "the argument CUSTOMER",
    "source": "the argument SOURCE",
    "id": "the argument ID",
    "since": "the argument A",
    "known_at": "--amend of a file names the position before its first row",
    "as": "the form of the answer for another client",
}


def routes() -> dict[str, dict[str, Any]]:
    """The operations of the native API. Those of /v1/customer do the same as those of /v1/customers/{customer_id}."""
    document = document_of(NATIVE)
    return {
        f"{method.upper()} {path}": operation
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if path != "/v1/customer" and not path.startswith("/v1/customer/")
    }


def test_every_route_has_a_command_or_a_reason_to_have_none() -> None:
    assert {*COMMANDS, *WITHOUT_COMMAND} == set(routes())


@pytest.mark.parametrize("route", COMMANDS)
def test_a_command_exists_and_takes_the_parameters_of_its_route(route: str) -> None:
    command = command_tree()[COMMANDS[route]]
    parameters = {one["name"] for one in routes()[route].get("parameters", ()) if one["in"] == "query"}
    otherwise = set(OTHERWISE) | ({"as_of"} if route == "GET /v1/diff" else set())  # the argument B
    options = {f"--{name.replace('_', '-')}" for name in parameters - otherwise}
    assert options - options_of(command) == set()
