"""Checkout URLs for Lago's clients, from a server that speaks Stripe's API."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from consumers.embedded.engine import EmbeddedEngine
from domain.customers.commands import CreateCustomer
from domain.event import Provenance
from domain.scope import DEFAULT_SCOPE
from tests.api.dialects.lago.conftest import BASE, refusal_of
from tests.engine_fixtures import Api, SettableClock, customer_path, engine_on, http, key_for, llm_request
from tests.fakes.stripe_server import SECRET_KEY, Answer, StripeServer, stripe_error, stripe_server
from tests.waiting import eventually

TIMEOUT_SECONDS = 1.0
LINKED = {"payment_provider": "stripe", "payment_provider_code": "stripe-eu-1", "provider_customer_id": "cus_9"}
NO_PROVIDER = {
    "status": 422,
    "error": "Unprocessable Entity",
    "code": "validation_errors",
    "error_details": {"base": ["no_linked_payment_provider"]},
}


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
        "payment_provider_requests_max": 1,
    }
    with engine_on(tmp_path_factory.mktemp("engine"), clock, **settings) as engine:
        yield engine


def upserted(api: Api, external_id: str, **members: Any) -> Any:
    body = {"customer": {"external_id": external_id, **members}}
    return api.send("POST", f"{BASE}/customers", 200, json=body).json()["customer"]


def url_of(api: Api, external_id: str, content: bytes = b"") -> Any:
    """What a client is answered that sends no body, and says that it is JSON."""
    path = f"{BASE}/customers/{external_id}/checkout_url"
    return api.send("POST", path, 200, {"Content-Type": "application/json"}, content=content).json()


def refused(api: Api, external_id: str) -> tuple[int, Any]:
    return refusal_of(api, "POST", f"/customers/{external_id}/checkout_url")


@pytest.mark.parametrize("content", [b"", b"{", b'{"checkout": 1}'])
def test_the_url_stands_where_clients_of_both_eras_look_for_it_whatever_is_sent(
    api: Api, stripe: StripeServer, content: bytes
) -> None:
    shown = upserted(api, "acme/eu.7", currency="EUR", billing_configuration=LINKED)
    url = {
        "lago_customer_id": shown["lago_id"],
        "external_customer_id": "acme/eu.7",
        "payment_provider": "stripe",
        "payment_provider_code": "stripe-eu-1",
        "checkout_url": "https://checkout.stripe.com/c/pay/cs_test_1",
    }
    assert url_of(api, "acme/eu.7", content) == {"customer": url, **url}
    assert [one.form for one in stripe.received] == [
        {
            "mode": "setup",
            "customer": "cus_9",
            "currency": "eur",
            "success_url": "https://stripe.com/",
            "allowed_payment_method_types[0]": "card",
        }
    ]


def test_a_customer_to_be_synchronized_is_created_at_the_provider(api: Api, stripe: StripeServer) -> None:
    configured = {"payment_provider": "stripe", "sync_with_provider": True}
    upserted(
        api, "new", firstname="Ada", lastname="Lovelace", email="ada@example.com", phone="1-171", country="GB",
        address_line1="5 St James's Square", city="London", zipcode="SW1Y 4JU", billing_configuration=configured,
    )  # fmt: skip
    assert "payment_provider_code" not in url_of(api, "new")
    shown = api.get(f"{BASE}/customers/new")["customer"]["billing_configuration"]
    assert shown == {**configured, "provider_customer_id": "cus_test_1"}
    created, page = stripe.received
    assert (created.path, created.form) == (
        "/v1/customers",
        {
            "name": "Ada Lovelace",
            "email": "ada@example.com",
            "phone": "1-171",
            "address[line1]": "5 St James's Square",
            "address[city]": "London",
            "address[postal_code]": "SW1Y 4JU",
            "address[country]": "GB",
            "metadata[customer_id]": "new",
            "metadata[scope]": "default/prod",
        },
    )
    assert page.form["customer"] == "cus_test_1"


@pytest.mark.parametrize(
    ("external_id", "configured"),
    [
        ("bare", None),
        ("id alone", {"provider_customer_id": "cus_9"}),
        ("not synchronized", {"payment_provider": "stripe"}),
        ("elsewhere", {"payment_provider": "adyen", "provider_customer_id": "1"}),
    ],
)
def test_a_customer_without_a_provider_has_no_url(
    api: Api, stripe: StripeServer, external_id: str, configured: dict[str, str] | None
) -> None:
    upserted(api, external_id, billing_configuration=configured)
    assert (refused(api, external_id), stripe.received) == ((422, NO_PROVIDER), [])


def test_a_customer_known_by_usage_has_no_provider_and_an_unknown_one_is_not_found(api: Api) -> None:
    api.deliver([llm_request("seen 1", "seen")])
    assert refused(api, "seen") == (422, NO_PROVIDER)
    assert refused(api, "nobody") == (404, {"status": 404, "error": "Not Found", "code": "customer_not_found"})


def test_only_methods_that_have_details_are_offered(api: Api, stripe: StripeServer) -> None:
    methods = ["sepa_debit", "customer_balance", "card"]
    upserted(api, "methods", billing_configuration={**LINKED, "provider_payment_methods": methods})
    url_of(api, "methods")
    form = stripe.received[0].form
    assert [value for name, value in form.items() if "method" in name] == ["sepa_debit", "card"]
    upserted(api, "methods", billing_configuration={"provider_payment_methods": ["crypto"]})
    status, body = refused(api, "methods")
    assert (status, body["error_details"]) == (
        422,
        {"provider_payment_methods": ["no_payment_methods_to_setup_available"]},
    )


def test_the_link_is_the_same_in_every_api(api: Api, stripe: StripeServer) -> None:
    upserted(api, "shared", billing_configuration={**LINKED, "document_locale": "fr"})
    assert api.get(customer_path("shared"))["payment_provider"] == {"name": "stripe", "customer_id": "cus_9"}
    api.patch(customer_path("shared"), {"payment_provider": {"customer_id": "cus_10"}})
    shown = api.get(f"{BASE}/customers/shared")["customer"]["billing_configuration"]
    assert shown == {**LINKED, "provider_customer_id": "cus_10", "document_locale": "fr"}
    url_of(api, "shared")
    assert stripe.received[0].form["customer"] == "cus_10"
    changed = upserted(api, "shared", shipping_address={"city": "Paris"})
    assert changed["billing_configuration"] == shown
    cleared = upserted(api, "shared", billing_configuration={"provider_customer_id": None, "payment_provider": ""})
    assert cleared["billing_configuration"] == {"payment_provider_code": "stripe-eu-1", "document_locale": "fr"}
    assert api.get(customer_path("shared"))["payment_provider"] == {"name": None, "customer_id": None}
    upserted(api, "shared", billing_configuration=LINKED)
    assert upserted(api, "shared", billing_configuration=None)["billing_configuration"] == {}
    assert api.get(customer_path("shared"))["payment_provider"] == {"name": None, "customer_id": None}


def test_a_link_that_an_older_log_keeps_for_this_dialect_holds_until_it_is_changed(
    api: Api, engine: EmbeddedEngine, stripe: StripeServer
) -> None:
    older = {f"billing_configuration.{name}": value for name, value in LINKED.items()}
    command = CreateCustomer(
        DEFAULT_SCOPE, Provenance("key_1", "lago"), "older", {"personal_dialect_fields": {"lago": older}}
    )
    stored = engine.commands.handle(command)
    assert stored.position is not None
    assert engine.wait_folded(stored.position, 60)
    assert url_of(api, "older")["checkout_url"] == "https://checkout.stripe.com/c/pay/cs_test_1"
    assert stripe.received[0].form["customer"] == "cus_9"
    changed = upserted(api, "older", billing_configuration={"provider_customer_id": "cus_10"})
    assert changed["billing_configuration"] == {**LINKED, "provider_customer_id": "cus_10"}
    assert upserted(api, "older", billing_configuration=None)["billing_configuration"] == {}


def test_an_id_that_is_too_long_is_told_by_the_name_that_it_was_given_with(api: Api) -> None:
    configured = {"payment_provider": "stripe", "provider_customer_id": "x" * 256}
    given = {"customer": {"external_id": "long", "billing_configuration": configured}}
    status, body = refusal_of(api, "POST", "/customers", json=given)
    assert (status, list(body["error_details"])) == (422, ["billing_configuration.provider_customer_id"])


@pytest.mark.parametrize("scope", ["read", "ingest"])
def test_a_key_that_may_not_change_customers_makes_no_url(engine: EmbeddedEngine, scope: str) -> None:
    with http(engine, key_for(engine, DEFAULT_SCOPE, scope)) as api:
        status, body = refused(api, "bare")
    assert (status, body["code"]) == (403, "write_action_not_allowed_for_customer")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            stripe_error(400, "invalid_request_error", "No such customer: 'cus_9'", code="resource_missing"),
            {
                "status": 422,
                "error": "Unprocessable Entity",
                "code": "third_party_error",
                "error_details": {"third_party": "Stripe", "thirdparty_error": "No such customer: 'cus_9'"},
            },
        ),
        (
            stripe_error(429, "invalid_request_error", "Too many."),
            {
                "status": 429,
                "error": "Too Many Provider Requests",
                "code": "too_many_provider_requests",
                "error_details": {"provider_name": "Stripe", "message": "it got too many requests"},
            },
        ),
        (
            stripe_error(401, "invalid_request_error", f"Invalid API Key provided: {SECRET_KEY}"),
            {
                "status": 503,
                "error": "Service Unavailable",
                "code": "third_party_error",
                "error_details": {
                    "third_party": "Stripe",
                    "thirdparty_error": "it does not accept the key that this engine is configured with",
                },
            },
        ),
        (
            Answer(200, {}, hangs=True),
            {
                "status": 503,
                "error": "Service Unavailable",
                "code": "third_party_error",
                "error_details": {"third_party": "Stripe", "thirdparty_error": "it did not answer within 1 s"},
            },
        ),
    ],
    ids=["refused", "limited", "wrong key", "hangs"],
)
def test_a_failure_of_the_provider_has_the_shape_of_a_third_party(
    api: Api, stripe: StripeServer, answer: Answer, expected: Any
) -> None:
    upserted(api, "failing", billing_configuration=LINKED)
    stripe.reply(answer)
    assert refused(api, "failing") == (expected["status"], expected)


def test_one_request_more_than_may_wait_is_refused_at_once(api: Api, stripe: StripeServer) -> None:
    upserted(api, "crowded", billing_configuration=LINKED)
    stripe.reply(Answer(200, {}, hangs=True))
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(refused, api, "crowded")
        assert eventually(lambda: len(stripe.received) == 1, TIMEOUT_SECONDS)
        status, body = refused(api, "crowded")
        assert (status, body["status"], body["code"]) == (503, 503, "payment_provider_busy")
        assert waiting.result()[1]["code"] == "third_party_error"


def test_a_customer_that_is_deleted_meanwhile_is_not_found(
    api: Api, clock: SettableClock, stripe: StripeServer
) -> None:
    upserted(api, "fleeting", billing_configuration={"payment_provider": "stripe", "sync_with_provider": True})
    clock.advance(seconds=1)

    def created_late() -> Answer:
        api.send("DELETE", f"{BASE}/customers/fleeting", 200)
        return Answer(200, {"id": "cus_late", "object": "customer"})

    stripe.reply(created_late)
    status, body = refused(api, "fleeting")
    assert (status, body["code"], [one.path for one in stripe.received]) == (
        404,
        "customer_not_found",
        ["/v1/customers"],
    )
