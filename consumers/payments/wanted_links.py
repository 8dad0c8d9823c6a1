"""Requests for links, from what is known of a customer."""

from __future__ import annotations

from datetime import datetime

from consumers.payments.checkouts import WantedLink
from consumers.payments.provider import Payer
from domain.event import Provenance
from domain.scope import Scope
from projections.views.customers import CustomerHistory, known_by


def wanted_link(
    scope: Scope, history: CustomerHistory, provenance: Provenance, success_url: str, methods: tuple[str, ...] = ()
) -> WantedLink:
    """Make the request for a link of a customer that exists, as it is linked in its profile."""
    view, fields = history.view(), history.profile.fields
    seen_at: datetime | None = known_by(history.record, history.until)
    return WantedLink(
        Payer(scope, view.customer_id, view.life.number, view.currency, fields.get("name"), fields.get("email")),
        fields.get("payment_provider_name"),
        fields.get("payment_provider_customer_id"),
        success_url,
        provenance,
        seen_at,
        methods,
    )
