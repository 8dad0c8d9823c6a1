"""Requests about customers as changes of native fields. Null clears, an absent member stays.

What no native field holds is kept for this dialect: what says who a customer is, or what it is called elsewhere, in
`personal_dialect_fields`, which is encrypted, settings in `dialect_fields`. Members of nested objects are kept under
names such as "shipping_address.city", so that each is changed alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from api.dialects.lago.keys import DIALECT
from api.dialects.lago.models.customers import AddressInput, BillingConfigurationInput, CustomerInput

PERSONAL: Final = "personal_dialect_fields"
PLAIN: Final = "dialect_fields"
METADATA_ENTRIES: Final = "metadata"
_NATIVE: Final = {"name": "name", "email": "email", "currency": "currency", "timezone": "time_zone"}
#: Settings, which say nothing of a person.
SETTINGS: Final = frozenset(
    {
        "account_type",
        "customer_type",
        "tax_codes",
        "billing_entity_code",
        "net_payment_term",
        "finalize_zero_amount_invoice",
        "skip_invoice_custom_sections",
        "invoice_custom_section_codes",
    }
)
#: The members of nested objects.
NESTED: Final[Mapping[str, tuple[str, ...]]] = {
    "shipping_address": tuple(AddressInput.model_fields),
    "billing_configuration": tuple(BillingConfigurationInput.model_fields),
}
#: Members of nested objects that are native fields.
_NATIVE_MEMBERS: Final = {
    "billing_configuration.payment_provider": "payment_provider_name",
    "billing_configuration.provider_customer_id": "payment_provider_customer_id",
}
_ELSEWHERE: Final = frozenset({"external_id", "metadata", *_NATIVE})


def native_changes(given: CustomerInput) -> dict[str, Any]:
    """Return the changes that a request makes, besides those of the metadata; maps are patches."""
    sent = given.sent
    changes: dict[str, Any] = {native: sent[name] or None for name, native in _NATIVE.items() if name in sent}
    kept: dict[str, Any] = {}
    for name, value in sent.items():
        if name in NESTED:
            members = dict.fromkeys(NESTED[name]) if value is None else value
            kept |= {f"{name}.{member}": one for member, one in members.items()}
        elif name not in _ELSEWHERE:
            kept[name] = value
    for member, native in _NATIVE_MEMBERS.items():
        if member in kept:
            # Logs of before these were native fields have them among those of this dialect: cleared there.
            changes[native], kept[member] = kept[member] or None, None
    for field, names in ((PLAIN, kept.keys() & SETTINGS), (PERSONAL, kept.keys() - SETTINGS)):
        if names:
            changes[field] = {DIALECT: {name: kept[name] for name in sorted(names)}}
    return changes


def without_cleared(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a customer that is created with these changes: what they set."""
    fields: dict[str, Any] = {}
    for name, value in changes.items():
        if name in (PLAIN, PERSONAL):
            kept = {member: one for member, one in value[DIALECT].items() if one is not None}
            if kept:
                fields[name] = {DIALECT: kept}
        elif value is not None:
            fields[name] = value
    return fields


def kept_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a customer with these native fields has that only this dialect shows, by name."""
    maps = (fields.get(name) or {} for name in (PLAIN, PERSONAL))
    kept = {name: value for one in maps for name, value in (one.get(DIALECT) or {}).items() if value is not None}
    return kept | {name: fields[native] for name, native in _NATIVE_MEMBERS.items() if fields.get(native) is not None}
