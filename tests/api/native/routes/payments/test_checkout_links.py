"""Checkout links in the native API, from a server that speaks Stripe's API."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from consumers.embedded.engine import EmbeddedEngine
from domain.scope import Scope
from tests.captured_logs import captured_logs
from tests.engine_fixtures import Api, SettableClock, customer_path, engine_on, http, key_for, llm_request
from tests.fakes.stripe_server import SECRET_KEY, Answer, StripeServer, stripe_error, stripe_server

TIMEOUT_SECONDS = 1.0
LINKED = {"name": "stripe", "customer_id": "cus_9"}


@pytest.fixture(scope="module")
def server() -> Iterator[StripeServer]:
    with stripe_server() as server:
        yield server


@pytest.fixture
def stripe(server: StripeServer) -> StripeServer:
    server.forget()
    return server


@pytest.fixture(scope="module")
def engine(
    tmp_path_factory: pytest.TempPathFactory, clock: SettableClock, server: StripeServer
) -> Iterator[EmbeddedEngine]:
    settings = {
        "stripe_secret_key": SECRET_KEY,
        "stripe_api_base": server.url,
        "payment_provider_timeout_seconds": TIMEOUT_SECONDS,
        "payment_provider_retries_max": 0,
        "checkout_success_url": "https://app.example.com/done",
    }
    with engine_on(tmp_path_factory.mktemp("engine"), clock, **settings) as engine:
        yield engine


@pytest.fixture(scope="module")
def api(engine: EmbeddedEngine) -> Iterator[Api]:
    with http(engine) as api:
        yield api


def link(api: Api, customer: str, **body: str) -> Any:
    return api.post(customer_path(customer, "/checkout-links"), body)


def refused(api: Api, customer: str, status: int) -> Any:
    return api.refused("POST", customer_path(customer, "/checkout-links"), status)


def test_a_linked_customer_has_a_link(api: Api, stripe: StripeServer) -> None:
    api.post("/v1/customers", {"id": "acme/eu", "currency": "EUR", "payment_provider": LINKED})
    made = api.send("POST", customer_path("acme/eu", "/checkout-links"), 201)
    assert made.json() == {
        "customer": "acme/eu",
        "payment_provider": "stripe",
        "url": "https://checkout.stripe.com/c/pay/cs_test_1",
        "expires_at": "2026-03-11T12:00:00.000000Z",
    }
    assert "meterfold-position" not in made.headers
    assert [one.form for one in stripe.received] == [
        {"mode": "setup", "customer": "cus_9", "currency": "eur", "success_url": "https://app.example.com/done"}
    ]


def test_a_customer_may_be_named_in_the_query_and_led_elsewhere(api: Api, stripe: StripeServer) -> None:
    api.post("/v1/customers", {"id": "led", "payment_provider": LINKED})
    made = api.send(
        "POST", "/v1/customer/checkout-links?customer=led", 201, json={"success_url": "https://other.example/x?y#z"}
    )
    assert (made.json()["customer"], stripe.received[0].form["success_url"]) == ("led", "https://other.example/x?y#z")


@pytest.mark.parametrize("url", ["javascript:alert(1)", "/done", "https://", "https://user@host/", "", 7])
def test_a_customer_is_led_to_no_other_place_than_a_page(api: Api, stripe: StripeServer, url: Any) -> None:
    path = customer_path("led", "/checkout-links")
    problem = api.refused("POST", path, 422, {"success_url": url})
    assert (problem["field"], stripe.received) == ("success_url", [])


def test_the_first_link_creates_the_customer_at_the_provider(api: Api, stripe: StripeServer) -> None:
    fields = {"name": "Ada", "email": "ada@example.com", "payment_provider": {"name": "stripe"}}
    assert api.post("/v1/customers", {"id": "ada", **fields})["payment_provider"] == {
        "name": "stripe",
        "customer_id": None,
    }
    made = api.send("POST", customer_path("ada", "/checkout-links"), 201, {"X-Meterfold-Reason": "asked by Ada"})
    shown = api.get("/v1/customers/ada")
    assert shown["payment_provider"] == {"name": "stripe", "customer_id": "cus_test_1"}
    last = api.get("/v1/customers/ada/history")["data"][-1]
    assert (last["fields"], last["reason"], str(last["position"])) == (
        {"payment_provider_customer_id": "cus_test_1"},
        "asked by Ada",
        made.headers["meterfold-position"],
    )
    link(api, "ada")
    assert [one.path for one in stripe.received] == ["/v1/customers", "/v1/checkout/sessions", "/v1/checkout/sessions"]
    assert {one.form.get("customer") for one in stripe.received[1:]} == {"cus_test_1"}


def test_the_link_of_a_customer_is_changed_and_cleared_by_a_patch(api: Api) -> None:
    api.post("/v1/customers", {"id": "patched", "payment_provider": LINKED})
    changed = api.patch("/v1/customers/patched", {"payment_provider": {"customer_id": "cus_10"}})
    assert changed["payment_provider"] == {"name": "stripe", "customer_id": "cus_10"}
    cleared = api.patch("/v1/customers/patched", {"payment_provider": None})
    assert cleared["payment_provider"] == {"name": None, "customer_id": None}
    for value in ("x" * 256, "", 7):
        problem = api.refused("POST", "/v1/customers", 422, {"id": "wrong", "payment_provider": {"customer_id": value}})
        assert problem["field"] == "payment_provider.customer_id"


def test_who_has_no_provider_is_told_so(api: Api, stripe: StripeServer) -> None:
    api.deliver([llm_request("seen 1", "seen")])
    api.post("/v1/customers", {"id": "elsewhere", "payment_provider": {"name": "adyen", "customer_id": "1"}})
    told = [
        (refused(api, customer, 409)["type"], refused(api, customer, 409)["detail"])
        for customer in ("seen", "elsewhere")
    ]
    assert told == [
        ("/problems/payment_provider_missing", "customer 'seen' cannot be sent to one: it names none"),
        (
            "/problems/payment_provider_missing",
            "customer 'elsewhere' cannot be sent to one: this engine is not configured for 'adyen'",
        ),
    ]
    assert stripe.received == []


def test_who_does_not_exist_has_no_link(api: Api, clock: SettableClock) -> None:
    assert refused(api, "nobody", 404)["type"] == "/problems/not_found"
    api.post("/v1/customers", {"id": "deleted", "payment_provider": LINKED})
    clock.advance(seconds=1)
    api.delete("/v1/customers/deleted")
    assert refused(api, "deleted", 404)["type"] == "/problems/not_found"


@pytest.mark.parametrize("scopes", [("read",), ("ingest",)])
def test_only_an_administrator_makes_links(engine: EmbeddedEngine, scopes: tuple[str, ...]) -> None:
    with http(engine, key_for(engine, Scope("default", "prod"), *scopes)) as api:
        assert refused(api, "ada", 403)["type"] == "/problems/forbidden"


@pytest.mark.parametrize(
    ("answer", "status", "kind", "detail"),
    [
        (
            stripe_error(400, "invalid_request_error", "No such customer: 'cus_9'", code="resource_missing"),
            409,
            "payment_provider_refused",
            "Stripe refuses: No such customer: 'cus_9' (resource_missing)",
        ),
        (
            stripe_error(400, "idempotency_error", f"The key {SECRET_KEY} was used before."),
            409,
            "payment_provider_refused",
            "Stripe refuses: The key [key] was used before.",
        ),
        (
            stripe_error(401, "invalid_request_error", f"Invalid API Key provided: {SECRET_KEY}"),
            503,
            "payment_provider_unavailable",
            "Stripe gives no link: it does not accept the key that this engine is configured with",
        ),
        (
            stripe_error(429, "invalid_request_error", "Too many."),
            503,
            "payment_provider_unavailable",
            "Stripe gives no link: it got too many requests",
        ),
        (
            Answer(500, SECRET_KEY.encode()),
            503,
            "payment_provider_unavailable",
            "Stripe gives no link: it answered with status 500",
        ),
    ],
)
def test_a_failure_of_the_provider_is_a_problem_that_shows_no_key(
    api: Api, stripe: StripeServer, answer: Answer, status: int, kind: str, detail: str
) -> None:
    stripe.reply(answer)
    with captured_logs() as lines:
        problem = refused(api, "led", status)
    assert (problem["type"], problem["detail"]) == (f"/problems/{kind}", detail)
    assert SECRET_KEY not in repr(lines) + repr(problem)


def test_a_provider_that_hangs_is_given_up_in_time(api: Api, stripe: StripeServer) -> None:
    stripe.reply(Answer(200, {}, hangs=True))
    begun = time.monotonic()
    answer = api.send("POST", customer_path("led", "/checkout-links"), 503)
    assert (answer.json()["type"], answer.headers["retry-after"]) == ("/problems/payment_provider_unavailable", "1")
    assert time.monotonic() - begun < TIMEOUT_SECONDS + 5
