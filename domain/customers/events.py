"""Events of customers.

In `fields` a present key was set, or cleared if its value is null; an absent key was not changed. Values are JSON:
decimals as text, instants as RFC 3339 UTC text with microseconds. Personal fields (name, email, metadata) are never in
`fields` but in `personal`, encrypted with the key of that customer life.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from domain.event import LifecycleEvent

#: Topics of these events in the log, which never change.
CUSTOMER_CREATED: Final = "customer.created"
CUSTOMER_UPDATED: Final = "customer.updated"
CUSTOMER_BLOCKED: Final = "customer.blocked"
CUSTOMER_UNBLOCKED: Final = "customer.unblocked"
CUSTOMER_DEACTIVATED: Final = "customer.deactivated"
CUSTOMER_REACTIVATED: Final = "customer.reactivated"
CUSTOMER_DELETED: Final = "customer.deleted"


class SealedPersonal(msgspec.Struct, frozen=True):
    """A JSON object of personal fields, encrypted by AES-256-GCM with the key `key_id` of the key store."""

    key_id: str
    nonce: bytes
    ciphertext: bytes


class CustomerEvent(LifecycleEvent, frozen=True, kw_only=True):
    """An event of one customer id."""

    tenant: str
    environment: str
    customer_id: str


class CustomerCreated(CustomerEvent, frozen=True, kw_only=True):
    """A customer was created explicitly; earlier usage of this id in the same life is adopted."""

    fields: dict[str, Any]
    personal: SealedPersonal | None = None


class CustomerUpdated(CustomerEvent, frozen=True, kw_only=True):
    """Fields of a customer were set or cleared."""

    fields: dict[str, Any]
    personal: SealedPersonal | None = None


class CustomerBlocked(CustomerEvent, frozen=True, kw_only=True):
    """Access is refused from `effective_at` on."""


class CustomerUnblocked(CustomerEvent, frozen=True, kw_only=True):
    """The block was undone."""


class CustomerDeactivated(CustomerEvent, frozen=True, kw_only=True):
    """The customer is hidden from reports by customer."""


class CustomerReactivated(CustomerEvent, frozen=True, kw_only=True):
    """The customer is shown in reports by customer again."""


class CustomerDeleted(CustomerEvent, frozen=True, kw_only=True):
    """A life of the customer ended at `effective_at`. The id can be used again, for the next life."""
