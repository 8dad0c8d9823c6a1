"""Stripe as a payment provider: Checkout sessions in setup mode, by the published package `stripe`.

The package waits by the event loop, retries with the same idempotency key what may succeed later, and pins the version
of Stripe's API. Texts of Stripe are passed on without anything that looks like a key.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import anyio
import msgspec
import stripe
from anyio import to_thread
from pydantic import SecretStr

from consumers.payments.provider import CheckoutPage, Failure, Payer, ProviderRefused, ProviderUnavailable
from domain.scope import Scope

if TYPE_CHECKING:
    from stripe.params import CustomerCreateParams
    from stripe.params.checkout import SessionCreateParams

#: Longest text of Stripe that is passed on.
MESSAGE_LENGTH_MAX: Final = 300
#: Longest value of metadata that Stripe takes.
METADATA_LENGTH_MAX: Final = 500
CLOSING_SECONDS_MAX: Final = 1.0
_KEY: Final = re.compile(r"\b(?:sk|rk|pk|ek|whsec)_[A-Za-z0-9_*.]+")
_REDACTED: Final = "[key]"
_LIVE: Final = re.compile(r"(?:sk|rk)_live_")
_UNREADABLE: Final = "its answer cannot be read"

# The package would otherwise send the platform and the times of requests along, and write an id of its own to a file.
stripe.enable_telemetry = False


class StripeCheckout:
    """The `PaymentProvider` Stripe, with the secret key of one account."""

    title = "Stripe"

    def __init__(
        self, secret_key: SecretStr, tenant: str, api_base: str, timeout_seconds: float, retries_max: int
    ) -> None:
        """`tenant`: whose account it is. `timeout_seconds`: for each step of one request.

        `retries_max`: how often one is sent again at most.
        """
        self._secret_key = secret_key
        self._tenant = tenant
        self._api_base = api_base
        self._timeout_seconds = timeout_seconds
        self._retries_max = retries_max

    def not_for(self, scope: Scope) -> str | None:
        """Return why customers of this scope must not be sent there; None: they may."""
        if scope.tenant != self._tenant:
            return "the account of Stripe that is configured is another tenant's"
        if scope.environment != "prod" and _LIVE.match(self._secret_key.get_secret_value()) is not None:
            return "Stripe is configured with a live key, and this customer is one for tests"
        return None

    async def create_customer(self, payer: Payer) -> str | Failure:
        """Create the customer at Stripe, and return its id there; the same payer again has the same id for a day."""
        params = _customer_params(payer)
        options: Any = {"idempotency_key": _idempotency_key(payer, params)}
        try:
            async with self._client() as client:
                made = await client.v1.customers.create_async(params, options)
        except Exception as error:
            return self._failure(error)
        found = getattr(made, "id", None)
        return found if isinstance(found, str) and found else ProviderUnavailable(_UNREADABLE)

    async def create_page(
        self, provider_customer_id: str, currency: str, success_url: str, methods: tuple[str, ...]
    ) -> CheckoutPage | Failure:
        """Make a Checkout session in setup mode."""
        params: SessionCreateParams = {
            "mode": "setup",
            "customer": provider_customer_id,
            "currency": currency.lower(),
            "success_url": success_url,
        }
        if methods:
            chosen: Any = list(methods)
            params["allowed_payment_method_types"] = chosen
        try:
            async with self._client() as client:
                made = await client.v1.checkout.sessions.create_async(params)
        except Exception as error:
            return self._failure(error)
        url, expires_at = getattr(made, "url", None), getattr(made, "expires_at", None)
        if not isinstance(url, str) or not url.startswith(("https://", "http://")):
            return ProviderUnavailable(_UNREADABLE)
        return CheckoutPage(url, datetime.fromtimestamp(expires_at, UTC) if isinstance(expires_at, int) else None)

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[stripe.StripeClient]:
        """A client with a connection of its own: links are rare, and an event loop's connections die with it."""
        # Reading the certificates of the system takes some ten milliseconds.
        transport = await to_thread.run_sync(lambda: stripe.HTTPXClient(timeout=self._timeout_seconds))
        try:
            yield stripe.StripeClient(
                self._secret_key.get_secret_value(),
                base_addresses={"api": self._api_base},
                max_network_retries=self._retries_max,
                http_client=transport,
            )
        finally:
            # Also when the time is over, which cancels everything that waits.
            with anyio.move_on_after(CLOSING_SECONDS_MAX, shield=True):
                await transport.close_async()  # type: ignore[no-untyped-call]

    def _failure(self, error: Exception) -> Failure:
        match error:
            case stripe.AuthenticationError() | stripe.PermissionError():
                return ProviderUnavailable("it does not accept the key that this engine is configured with")
            case stripe.RateLimitError():
                return ProviderUnavailable("it got too many requests", limited=True)
            case stripe.APIConnectionError():
                return ProviderUnavailable("it cannot be reached")
            case stripe.CardError() | stripe.InvalidRequestError() | stripe.IdempotencyError():
                return ProviderRefused(error.code, self._redacted(error.user_message or "no reason given"))
            case stripe.StripeError() if error.http_status is not None and error.http_status >= 400:
                return ProviderUnavailable(f"it answered with status {error.http_status}")
            case stripe.StripeError() | AttributeError() | KeyError() | TypeError() | ValueError():
                # The package takes the form of answers for granted: JSON of another form raises these in its code.
                return ProviderUnavailable(_UNREADABLE)
            case _:
                raise error

    def _redacted(self, text: str) -> str:
        without = text.replace(self._secret_key.get_secret_value(), _REDACTED)
        return _KEY.sub(_REDACTED, without)[:MESSAGE_LENGTH_MAX]


def _customer_params(payer: Payer) -> CustomerCreateParams:
    metadata = {"customer_id": payer.customer_id, "scope": str(payer.scope)}
    params: CustomerCreateParams = {
        "metadata": {name: value for name, value in metadata.items() if len(value) <= METADATA_LENGTH_MAX}
    }
    if payer.name:
        params["name"] = payer.name
    if payer.email:
        params["email"] = payer.email
    if payer.phone:
        params["phone"] = payer.phone
    if payer.address:
        address: Any = dict(payer.address)
        params["address"] = address
    return params


def _idempotency_key(payer: Payer, params: Mapping[str, Any]) -> str:
    """A key that is the same for the same life and details of a customer: Stripe refuses one key with two details."""
    told = msgspec.json.encode([str(payer.scope), payer.customer_id, payer.life, params], order="deterministic")
    return f"meterfold-customer-{hashlib.sha256(told).hexdigest()}"
