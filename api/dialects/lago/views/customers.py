"""A customer as Lago shows it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from api.dialects.lago.customer_changes import NESTED, kept_fields
from api.dialects.lago.customer_metadata import entries_of
from api.dialects.lago.formats import shown_instant
from api.dialects.lago.lago_ids import lago_id
from api.dialects.lago.models.field_types import NATIVE_ZONES
from domain.customers.events import CUSTOMER_DELETED
from domain.scope import Scope
from projections.views.customers import CustomerHistory

BILLING_ENTITY_DEFAULT: Final = "default"
ACCOUNT_TYPE_DEFAULT: Final = "customer"
#: Members that are shown as they are kept, null where they are not set.
_AS_KEPT: Final = (
    "firstname", "lastname", "customer_type", "address_line1", "address_line2", "city", "state", "zipcode", "country",
    "legal_name", "legal_number", "logo_url", "url", "phone", "tax_identification_number", "external_salesforce_id",
    "net_payment_term",
)  # fmt: skip
_SHOWN_ZONES: Final = {native: shown for shown, native in NATIVE_ZONES.items()}
#: Those that are never null, and what they are where they are not set.
_DEFAULTS: Final = {
    "billing_entity_code": BILLING_ENTITY_DEFAULT,
    "account_type": ACCOUNT_TYPE_DEFAULT,
    "finalize_zero_amount_invoice": "inherit",
    "skip_invoice_custom_sections": False,
}


def customer_object(scope: Scope, history: CustomerHistory) -> dict[str, Any]:
    """Convert a customer that exists to its JSON object."""
    view, kept = history.view(), kept_fields(history.profile.fields)
    number = sequential_id(history)
    created_at = view.created_at or view.first_seen_at or history.begin or history.until
    return {
        "lago_id": customer_lago_id(scope, history),
        "sequential_id": number,
        "slug": _slug(scope, number),
        "external_id": view.customer_id,
        "name": view.fields.get("name"),
        "email": view.fields.get("email"),
        "currency": view.fields.get("currency"),
        "timezone": _zone(view.fields.get("time_zone")),
        "applicable_timezone": _zone(view.time_zone),
        **{name: kept.get(name) for name in _AS_KEPT},
        **{name: kept.get(name, default) for name, default in _DEFAULTS.items()},
        **{name: _nested(kept, name) for name in NESTED},
        "integration_customers": [
            _integration(scope, history, place, one) for place, one in enumerate(kept.get("integration_customers", ()))
        ],
        "metadata": [
            {
                "lago_id": entry.entry_id,
                "key": entry.key,
                "value": entry.text,
                "display_in_invoice": entry.display_in_invoice,
                "created_at": shown_instant(entry.created_at),
            }
            for entry in entries_of(scope, history)
        ],
        "taxes": [],
        "applicable_invoice_custom_sections": [],
        "error_details": [],
        "created_at": shown_instant(created_at),
        "updated_at": shown_instant(_updated_at(history, created_at)),
    }


def _zone(native: str | None) -> str | None:
    return native if native is None else _SHOWN_ZONES.get(native, native)


def customer_lago_id(scope: Scope, history: CustomerHistory) -> str:
    """The id of the present life of a customer, which begins with the deletion of the one before."""
    return lago_id(scope, "customer", history.record.customer_id, history.life.start)


def sequential_id(history: CustomerHistory) -> int:
    """A number of the present life: the log position that first told of the customer, or of the deletion before."""
    ends = [
        fact.position
        for fact in history.facts
        if fact.kind == CUSTOMER_DELETED and fact.effective_at == history.life.start
    ]
    return max(ends, default=history.record.first_position)


def _slug(scope: Scope, number: int) -> str:
    own = lago_id(scope, "organization", scope.tenant)
    return f"{scope.tenant[:3].upper()}-{own[-4:].upper()}-{number:03}"


def _nested(kept: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What was set of a nested object. Published schemas allow no null in it."""
    members = {member: kept.get(f"{name}.{member}") for member in NESTED[name]}
    return {member: value for member, value in members.items() if value is not None}


def _integration(scope: Scope, history: CustomerHistory, place: int, kept: Mapping[str, Any]) -> dict[str, Any]:
    """A customer in another system; members that schemas require are there, empty where they were not given."""
    own = lago_id(scope, "integration_customer", history.record.customer_id, history.life.start, part=str(place))
    shown = {
        name: value for name, value in kept.items() if value is not None and name not in ("id", "integration_type")
    }
    required = {"lago_id": own, "type": kept.get("integration_type") or "netsuite"}
    return {**required, "integration_code": "", "external_customer_id": "", **shown}


def _updated_at(history: CustomerHistory, created_at: datetime) -> datetime:
    """When a change of the present life that is in effect was last recorded; else when the customer began."""
    recorded = (
        fact.recorded_at
        for fact in history.facts
        if fact.kind != CUSTOMER_DELETED
        and history.life.contains(fact.effective_at)
        and fact.effective_at <= history.until
    )
    return max((*recorded, created_at))
