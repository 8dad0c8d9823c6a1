"""Payment providers, a protocol: pages on which customers leave their payment details. Outcomes are values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

import msgspec

from domain.scope import Scope


class Payer(msgspec.Struct, frozen=True):
    """A customer as a provider gets to know it; None: not known. `life`: the number of its present life."""

    scope: Scope
    customer_id: str
    life: int
    currency: str
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    #: Members `line1`, `line2`, `city`, `state`, `postal_code` and `country`, those that are known.
    address: Mapping[str, str] = {}


class CheckoutPage(msgspec.Struct, frozen=True):
    """A page of the provider, where it is and until when it can be used, if the provider says so."""

    url: str
    expires_at: datetime | None


class ProviderRefused(msgspec.Struct, frozen=True):
    """The provider understood the request and refuses it: the same request will be refused again."""

    code: str | None
    message: str


class ProviderUnavailable(msgspec.Struct, frozen=True):
    """The provider gave no answer that could be used: `reason`, as a clause. `limited`: it got too many requests."""

    reason: str
    limited: bool = False


Failure = ProviderRefused | ProviderUnavailable


class PaymentProvider(Protocol):
    """One payment provider, with an account of the operator. Neither method waits without a limit."""

    #: What it is called in messages.
    title: str

    def not_for(self, scope: Scope) -> str | None:
        """Return why customers of this scope must not be sent there, as a clause; None: they may.

        An account is that of one tenant, and no real account takes customers for tests.
        """

    async def create_customer(self, payer: Payer) -> str | Failure:
        """Create the customer at the provider, and return its id there. The same payer again has the same id."""

    async def create_page(
        self, provider_customer_id: str, currency: str, success_url: str, methods: tuple[str, ...]
    ) -> CheckoutPage | Failure:
        """Make a page on which this customer leaves its payment details.

        It leads to `success_url` afterwards. `methods`: the only ones to offer; none: those that the account offers.
        """
