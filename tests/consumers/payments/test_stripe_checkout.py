"""Stripe is asked for customers and Checkout sessions as its API wants, and each failure is a value without keys."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import anyio
import pytest
from pydantic import SecretStr

from consumers.payments.provider import CheckoutPage, Failure, Payer, ProviderRefused, ProviderUnavailable
from consumers.payments.stripe_checkout import MESSAGE_LENGTH_MAX, StripeCheckout
from domain.scope import DEFAULT_SCOPE, Scope
from tests.fakes.stripe_server import SECRET_KEY, Answer, Received, StripeServer, stripe_error, stripe_server
from tests.meterfold_process import environment, free_port

ADA = Payer(DEFAULT_SCOPE, "ada/1", 1, "EUR", "Ada Lovelace", "ada@example.com")
SUCCESS = "https://app.example.com/done?from=stripe"
UNREADABLE = ProviderUnavailable("its answer cannot be read")


@pytest.fixture(scope="module")
def server() -> Iterator[StripeServer]:
    with stripe_server() as server:
        yield server


@pytest.fixture
def stripe(server: StripeServer) -> StripeServer:
    server.forget()
    return server


FOR_TESTS = Scope("default", "test")


def provider(base: str, key: str = SECRET_KEY, timeout_seconds: float = 10, retries_max: int = 0) -> StripeCheckout:
    return StripeCheckout(SecretStr(key), "default", base, timeout_seconds, retries_max)


def page(of: StripeCheckout, *methods: str) -> CheckoutPage | Failure:
    return anyio.run(of.create_page, "cus_9", "EUR", SUCCESS, methods)


def customer(of: StripeCheckout, payer: Payer = ADA) -> str | Failure:
    return anyio.run(of.create_customer, payer)


def test_a_page_is_a_session_in_setup_mode_for_the_customer_and_its_currency(stripe: StripeServer) -> None:
    made = page(provider(stripe.url))
    assert made == CheckoutPage("https://checkout.stripe.com/c/pay/cs_test_1", datetime(2026, 3, 11, 12, tzinfo=UTC))
    (asked,) = stripe.received
    assert (asked.path, asked.form) == (
        "/v1/checkout/sessions",
        {"mode": "setup", "customer": "cus_9", "currency": "eur", "success_url": SUCCESS},
    )
    assert asked.headers["authorization"] == f"Bearer {SECRET_KEY}"
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert asked.headers["stripe-version"] == "2026-10-28.endive"


def test_nothing_is_told_of_this_machine(stripe: StripeServer) -> None:
    page(provider(stripe.url))
    told = json.loads(stripe.received[0].headers["x-stripe-client-user-agent"])
    assert {"platform", "telemetry_id"} & told.keys() == set()
    assert "x-stripe-client-telemetry" not in stripe.received[0].headers


def test_a_page_may_offer_chosen_methods_only(stripe: StripeServer) -> None:
    page(provider(stripe.url), "card", "sepa_debit")
    form = stripe.received[0].form
    assert {name: value for name, value in form.items() if "method" in name} == {
        "allowed_payment_method_types[0]": "card",
        "allowed_payment_method_types[1]": "sepa_debit",
    }


def test_each_page_is_a_new_one(stripe: StripeServer) -> None:
    keys = set()
    for _ in range(2):
        page(provider(stripe.url))
        keys.add(stripe.received[-1].headers["idempotency-key"])
    assert len(keys) == 2


def test_a_customer_is_created_with_what_is_known_of_it(stripe: StripeServer) -> None:
    address = {"line1": "5 St James's Square", "city": "London", "country": "GB"}
    known = Payer(DEFAULT_SCOPE, "ada/1", 1, "EUR", "Ada Lovelace", "ada@example.com", "+44 20 7946 0000", address)
    assert str(customer(provider(stripe.url), known)).startswith("cus_test_")
    (asked,) = stripe.received
    assert (asked.path, asked.form) == (
        "/v1/customers",
        {
            "name": "Ada Lovelace",
            "email": "ada@example.com",
            "phone": "+44 20 7946 0000",
            "address[line1]": "5 St James's Square",
            "address[city]": "London",
            "address[country]": "GB",
            "metadata[customer_id]": "ada/1",
            "metadata[scope]": "default/prod",
        },
    )


def test_what_is_not_known_of_a_customer_and_an_id_that_is_too_long_are_left_out(stripe: StripeServer) -> None:
    customer(provider(stripe.url), Payer(DEFAULT_SCOPE, "x" * 501, 1, "USD"))
    assert stripe.received[0].form == {"metadata[scope]": "default/prod"}


def test_the_same_customer_is_created_once_and_another_life_or_scope_is_another_one(stripe: StripeServer) -> None:
    of = provider(stripe.url)
    first = customer(of)
    assert customer(of) == first
    others = [
        Payer(DEFAULT_SCOPE, "ada/1", 2, "EUR", "Ada Lovelace", "ada@example.com"),
        Payer(Scope("default", "test"), "ada/1", 1, "EUR", "Ada Lovelace", "ada@example.com"),
        Payer(DEFAULT_SCOPE, "ada/1", 1, "EUR", "Ada King", "ada@example.com"),
    ]
    assert len({first, *(customer(of, other) for other in others)}) == 4
    assert all(len(asked.headers["idempotency-key"]) <= 255 for asked in stripe.received)


def test_a_key_is_for_one_tenant_and_a_live_one_for_no_customers_of_the_test_environment() -> None:
    live, test = provider("http://unused", "sk_live_0123456789"), provider("http://unused")
    refused = [
        [one.not_for(scope) for scope in (DEFAULT_SCOPE, FOR_TESTS, Scope("other", "prod"))] for one in (live, test)
    ]
    others = "the account of Stripe that is configured is another tenant's"
    for_tests = "Stripe is configured with a live key, and this customer is one for tests"
    assert refused == [[None, for_tests, others], [None, None, others]]


WRONG_KEY = stripe_error(401, "invalid_request_error", "Invalid API Key provided: sk_test_*********fold")
NO_RIGHTS = stripe_error(403, "invalid_request_error", "The key 'rk_live_***' lacks rak_customer_write.")
FAILURES: list[tuple[str, Answer, Failure]] = [
    (
        "no such customer",
        stripe_error(400, "invalid_request_error", "No such customer: 'cus_9'", code="resource_missing"),
        ProviderRefused("resource_missing", "No such customer: 'cus_9'"),
    ),
    (
        "card declined",
        stripe_error(402, "card_error", "Your card was declined.", code="card_declined"),
        ProviderRefused("card_declined", "Your card was declined."),
    ),
    (
        "key used with other details",
        stripe_error(400, "idempotency_error", "Keys for idempotent requests can only be used once."),
        ProviderRefused(None, "Keys for idempotent requests can only be used once."),
    ),
    ("no text", stripe_error(400, "invalid_request_error", ""), ProviderRefused(None, "no reason given")),
    ("wrong key", WRONG_KEY, ProviderUnavailable("it does not accept the key that this engine is configured with")),
    ("no rights", NO_RIGHTS, ProviderUnavailable("it does not accept the key that this engine is configured with")),
    (
        "too many requests",
        stripe_error(429, "invalid_request_error", "Request rate limit exceeded.", code="rate_limit"),
        ProviderUnavailable("it got too many requests", limited=True),
    ),
    ("failure", stripe_error(500, "api_error", "Sorry."), ProviderUnavailable("it answered with status 500")),
    ("page of a proxy", Answer(502, b"<html>Bad gateway</html>"), ProviderUnavailable("it answered with status 502")),
    ("redirect", Answer(302, b""), UNREADABLE),
    ("cut off", Answer(200, b'{"id": "cs_test_1", "url": "https'), UNREADABLE),
    ("no JSON", Answer(200, b"ok"), UNREADABLE),
    ("no object", Answer(200, ["cs_test_1"]), UNREADABLE),
    ("no link", Answer(200, {"id": "cs_test_1", "object": "checkout.session", "url": None}), UNREADABLE),
    ("no address", Answer(200, {"id": "cs_test_1", "object": "checkout.session", "url": "javascript:1"}), UNREADABLE),
    ("error of another form", Answer(400, {"error": ["?"]}), UNREADABLE),
]


@pytest.mark.parametrize(
    ("answer", "failure"), [(answer, failure) for _, answer, failure in FAILURES], ids=[name for name, *_ in FAILURES]
)
def test_what_stripe_answers_in_place_of_a_page_is_a_failure_of_its_kind(
    stripe: StripeServer, answer: Answer, failure: Failure
) -> None:
    stripe.reply(answer)
    assert page(provider(stripe.url)) == failure


def test_a_customer_without_an_id_is_no_customer(stripe: StripeServer) -> None:
    stripe.reply(Answer(200, {"object": "customer"}))
    assert customer(provider(stripe.url)) == UNREADABLE


@pytest.mark.parametrize("part", [SECRET_KEY, "sk_live_51Hx0", "rk_test_*****1234", "whsec_abc.def"])
def test_a_text_of_stripe_is_passed_on_without_keys_and_not_at_any_length(stripe: StripeServer, part: str) -> None:
    stripe.reply(
        stripe_error(400, "invalid_request_error", f"With '{part}' no: {'x' * 1_000}", code="testmode_charges_only")
    )
    failed = page(provider(stripe.url))
    assert isinstance(failed, ProviderRefused)
    assert (failed.message[:20], len(failed.message)) == ("With '[key]' no: xxx", MESSAGE_LENGTH_MAX)


def test_a_port_where_nothing_listens_is_a_failure() -> None:
    assert page(provider(f"http://127.0.0.1:{free_port()}")) == ProviderUnavailable("it cannot be reached")


def test_a_server_that_does_not_go_on_is_a_failure_when_the_time_is_over(stripe: StripeServer) -> None:
    stripe.reply(Answer(200, {"id": "cs_test_1"}, hangs=True))
    assert page(provider(stripe.url, timeout_seconds=0.2)) == ProviderUnavailable("it cannot be reached")


def sent_keys(asked: list[Received]) -> list[Any]:
    return [one.headers["idempotency-key"] for one in asked]


def test_what_may_succeed_later_is_sent_again_with_the_same_idempotency_key(stripe: StripeServer) -> None:
    stripe.reply(stripe_error(500, "api_error", "Sorry."), stripe_error(409, "invalid_request_error", "In use."))
    assert isinstance(page(provider(stripe.url, retries_max=2)), CheckoutPage)
    assert (len(stripe.received), len(set(sent_keys(stripe.received)))) == (3, 1)


def test_nothing_is_sent_more_often_than_the_setting_allows(stripe: StripeServer) -> None:
    stripe.reply(*[stripe_error(500, "api_error", "Sorry.")] * 3)
    assert page(provider(stripe.url, retries_max=1)) == ProviderUnavailable("it answered with status 500")
    assert len(stripe.received) == 2


def test_the_package_is_loaded_only_where_a_key_is_configured() -> None:
    code = "import sys, api.app, consumers.bootstrap; print('stripe' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    assert ended.stdout == "False\n"
