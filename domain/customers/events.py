"""Events in the life of a customer.

`fields` maps: a key that is present was set, to null when it was cleared; an absent key was left alone.
Values in `fields` are JSON: decimals as text, instants as RFC 3339 UTC text with microseconds.
Personal fields (name, email, metadata) never stand in `fields`; they are in `personal`, encrypted with the key of that
customer life.
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
    """A JSON object of personal fields, AES-256-GCM under the key `key_id` of the key store."""

    key_id: str
    nonce: bytes
    ciphertext: bytes


class CustomerEvent(LifecycleEvent, frozen=True, kw_only=True):
    tenant: str
    environment: str
    customer_id: str


class CustomerCreated(CustomerEvent, frozen=True, kw_only=True):
    """A customer was created explicitly; usage seen before under this id (in this life) is adopted."""

    fields: dict[str, Any]
    personal: SealedPersonal | None = None


class CustomerUpdated(CustomerEvent, frozen=True, kw_only=True):
    fields: dict[str, Any]
    personal: SealedPersonal | None = None


class CustomerBlocked(CustomerEvent, frozen=True, kw_only=True): ...


class CustomerUnblocked(CustomerEvent, frozen=True, kw_only=True): ...


class CustomerDeactivated(CustomerEvent, frozen=True, kw_only=True): ...


class CustomerReactivated(CustomerEvent, frozen=True, kw_only=True): ...


class CustomerDeleted(CustomerEvent, frozen=True, kw_only=True):
    """A life ended at `effective_at`. The id may live again."""
