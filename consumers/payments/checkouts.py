"""Links to pages of payment providers, for customers that are linked to a provider.

1. Refuse what cannot be asked: a customer without a provider, or too many requests that wait for one.
2. Create the customer at the provider if its id there is not known, and store that id with the customer.
3. Ask for the page. Steps 2 and 3 together take `timeout_seconds` at most.

All waiting is done by the event loop, which serves other requests meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import anyio
import msgspec
import structlog
from anyio import to_thread

from consumers.commands.handler import CommandHandler
from consumers.payments.provider import CheckoutPage, Failure, Payer, PaymentProvider, ProviderUnavailable
from domain.customers.commands import UpdateCustomer
from domain.event import Provenance

_logger = structlog.get_logger("meterfold.payments")


class WantedLink(msgspec.Struct, frozen=True):
    """A request for a link. `provider`: the name that the customer has set; `provider_customer_id`: its id there.

    None where the customer has none. `methods`: see `PaymentProvider.create_page`. `seen_at`: see `UpdateCustomer`.
    """

    payer: Payer
    provider: str | None
    provider_customer_id: str | None
    success_url: str
    provenance: Provenance
    seen_at: datetime | None = None
    methods: tuple[str, ...] = ()


class CheckoutLink(msgspec.Struct, frozen=True):
    """A link for a customer. `position`: where its new id at the provider is stored in the log; None if it had one."""

    provider: str
    url: str
    expires_at: datetime | None
    position: int | None = None


class NotLinked(msgspec.Struct, frozen=True):
    """There is no provider for this customer: `reason`, as a clause."""

    reason: str


class Busy(msgspec.Struct, frozen=True):
    """As many requests as allowed wait for a provider. Nothing was asked."""


NoLink = NotLinked | Busy | Failure
Outcome = CheckoutLink | NoLink


class Checkouts:
    """Makes links. `providers`: by the name that customers set. Used by one event loop."""

    def __init__(
        self,
        providers: Mapping[str, PaymentProvider],
        commands: CommandHandler,
        timeout_seconds: float,
        requests_max: int,
    ) -> None:
        self._providers = providers
        self._commands = commands
        self._timeout_seconds = timeout_seconds
        self._requests_max = requests_max
        self._requests = 0

    def title_of(self, name: str) -> str:
        """Return what a provider is called in messages."""
        provider = self._providers.get(name)
        return name if provider is None else provider.title

    async def link(self, wanted: WantedLink) -> Outcome:
        """Make a link. Raises what storing the customer's id at the provider raises; it is then found again later."""
        if wanted.provider is None:
            return NotLinked("it names none")
        provider = self._providers.get(wanted.provider)
        if provider is None:
            return NotLinked(f"this engine is not configured for {wanted.provider!r}")
        reason = provider.not_for(wanted.payer.scope)
        if reason is not None:
            return NotLinked(reason)
        if self._requests >= self._requests_max:
            return Busy()
        self._requests += 1
        try:
            outcome = await self._within_time(provider, wanted.provider, wanted)
        finally:
            self._requests -= 1
        if not isinstance(outcome, CheckoutLink):
            # The message of a refusal may name the customer: the answer has it, the messages of the engine do not.
            reason = outcome.reason if isinstance(outcome, ProviderUnavailable) else f"refused: {outcome.code}"
            _logger.warning("payment_provider_failed", provider=wanted.provider, reason=reason)
        return outcome

    async def _within_time(self, provider: PaymentProvider, name: str, wanted: WantedLink) -> CheckoutLink | Failure:
        with anyio.move_on_after(self._timeout_seconds):
            return await self._asked(provider, name, wanted)
        return ProviderUnavailable(f"it did not answer within {self._timeout_seconds:g} s")

    async def _asked(self, provider: PaymentProvider, name: str, wanted: WantedLink) -> CheckoutLink | Failure:
        known, position = wanted.provider_customer_id, None
        if known is None:
            created = await provider.create_customer(wanted.payer)
            if not isinstance(created, str):
                return created
            known, position = created, await self._stored(wanted, created)
        page = await provider.create_page(known, wanted.payer.currency, wanted.success_url, wanted.methods)
        if not isinstance(page, CheckoutPage):
            return page
        return CheckoutLink(name, page.url, page.expires_at, position)

    async def _stored(self, wanted: WantedLink, provider_customer_id: str) -> int | None:
        """Store the id: the provider remembers for a day only that it has created this customer before."""
        payer = wanted.payer
        changes = {"payment_provider_customer_id": provider_customer_id}
        command = UpdateCustomer(payer.scope, wanted.provenance, payer.customer_id, changes, seen_at=wanted.seen_at)
        return (await to_thread.run_sync(self._commands.handle, command)).position
