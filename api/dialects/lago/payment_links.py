"""The link of a customer to a payment provider, as `billing_configuration` says it.

Provider and id there are native fields. What Lago has beside them decides here: a customer without an id is created at
the provider only with `sync_with_provider`, and `provider_payment_methods` are those that its page offers.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from api.dialects.lago.customer_changes import kept_fields
from api.dialects.lago.error_shapes import validation_refusal
from consumers.payments.checkouts import WantedLink
from consumers.payments.wanted_links import wanted_link
from domain.event import Provenance
from domain.scope import Scope
from projections.views.customers import CustomerHistory

#: Methods that a customer can leave the details of; the others of Lago need none.
_WITH_DETAILS: Final = ("card", "sepa_debit", "us_bank_account", "bacs_debit", "link", "boleto")
_METHODS_DEFAULT: Final = ("card",)
_ADDRESS: Final = {
    "address_line1": "line1",
    "address_line2": "line2",
    "city": "city",
    "state": "state",
    "zipcode": "postal_code",
    "country": "country",
}


def wanted_url(scope: Scope, history: CustomerHistory, provenance: Provenance, success_url: str) -> WantedLink:
    """Make the request for the URL of a customer that exists. 422 when all its methods need no details."""
    kept = kept_fields(history.profile.fields)
    wanted = wanted_link(scope, history, provenance, success_url, _methods(kept))
    known = wanted.payer
    whole_name = " ".join(kept[part] for part in ("firstname", "lastname") if kept.get(part))
    payer = msgspec.structs.replace(
        known,
        name=known.name or whole_name or None,
        phone=kept.get("phone"),
        address={name: kept[given] for given, name in _ADDRESS.items() if kept.get(given)},
    )
    provider, customer_id = _configured(kept, "payment_provider"), _configured(kept, "provider_customer_id")
    linked = customer_id is not None or _configured(kept, "sync_with_provider") is True
    return msgspec.structs.replace(
        wanted, payer=payer, provider=provider if linked else None, provider_customer_id=customer_id
    )


def provider_code(history: CustomerHistory) -> str | None:
    """The code that the customer's provider was given with."""
    code: str | None = _configured(kept_fields(history.profile.fields), "payment_provider_code")
    return code


def _configured(kept: dict[str, Any], name: str) -> Any:
    return kept.get(f"billing_configuration.{name}") or None


def _methods(kept: dict[str, Any]) -> tuple[str, ...]:
    given = _configured(kept, "provider_payment_methods")
    if given is None:
        return _METHODS_DEFAULT
    methods = tuple(one for one in given if one in _WITH_DETAILS)
    if not methods:
        raise validation_refusal({"provider_payment_methods": ["no_payment_methods_to_setup_available"]})
    return methods
