"""`meterfold checkout`: the link of a customer, alone on its line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.cli.shell import Shell
from tests.fakes.stripe_server import SECRET_KEY, StripeServer, stripe_error, stripe_server


@pytest.fixture(scope="module")
def server_of_stripe() -> Iterator[StripeServer]:
    with stripe_server() as server:
        yield server


@pytest.fixture
def stripe(server_of_stripe: StripeServer, monkeypatch: pytest.MonkeyPatch) -> StripeServer:
    monkeypatch.setenv("METERFOLD_STRIPE_API_BASE", server_of_stripe.url)
    monkeypatch.setenv("METERFOLD_STRIPE_SECRET_KEY", SECRET_KEY)
    server_of_stripe.forget()
    return server_of_stripe


def test_the_link_is_printed_alone_or_with_all_that_is_known_of_it(tmp_path: Path, stripe: StripeServer) -> None:
    shell = Shell("--data", str(tmp_path / "data"))
    assert shell.run("customers", "create", "ada", "--set", "payment_provider.name=stripe").code == 0
    assert shell.run("checkout", "ada") == (0, "https://checkout.stripe.com/c/pay/cs_test_1\n", "")
    shown = shell.json("checkout", "ada", "--success-url", "https://app.example.com/done")
    assert shown == {
        "customer": "ada",
        "payment_provider": "stripe",
        "url": "https://checkout.stripe.com/c/pay/cs_test_2",
        "expires_at": "2026-03-11T12:00:00.000000Z",
    }
    pages = [one.form["success_url"] for one in stripe.received if one.path == "/v1/checkout/sessions"]
    assert pages == ["https://stripe.com/", "https://app.example.com/done"]
    stripe.reply(stripe_error(401, "invalid_request_error", f"Invalid API Key provided: {SECRET_KEY}"))
    ended = shell.run("checkout", "ada")
    assert (ended.code, ended.out) == (3, "")
    assert "does not accept the key" in ended.err
    assert SECRET_KEY not in ended.err
