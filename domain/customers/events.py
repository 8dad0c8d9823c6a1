"""Events of customers.

In `fields` a present key was set, or cleared if its value is null; an absent key was not changed. A map that `patched`
names was merged (see `domain.facts.operations`). Values are JSON: decimals as text, instants as RFC 3339 UTC text with
microseconds. Personal fields (name, email, metadata, personal_dialect_fields) are never in `fields` but in `personal`,
encrypted with the key of that customer life.
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
CUSTOMER_FACTS_CARRIED: Final = "customer.facts_carried"


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


class ConditionalEvent(CustomerEvent, frozen=True, kw_only=True):
    """An event that may hold for a life that has not begun.

    `if_known`: its sender could not tell whether usage had begun the life. It holds as soon as something else does, and
    does not begin the life itself.
    """

    if_known: bool = False


class CustomerCreated(CustomerEvent, frozen=True, kw_only=True):
    """A customer was created explicitly. Its usage and what was said of it in the same life hold on."""

    fields: dict[str, Any]
    personal: SealedPersonal | None = None


class CustomerUpdated(ConditionalEvent, frozen=True, kw_only=True):
    """Fields of a customer were set or cleared, maps patched."""

    fields: dict[str, Any]
    personal: SealedPersonal | None = None
    patched: tuple[str, ...] = ()


class CustomerBlocked(CustomerEvent, frozen=True, kw_only=True):
    """Access is refused from `effective_at` on."""


class CustomerUnblocked(ConditionalEvent, frozen=True, kw_only=True):
    """The block was undone."""


class CustomerDeactivated(ConditionalEvent, frozen=True, kw_only=True):
    """The customer is hidden from reports by customer."""


class CustomerReactivated(ConditionalEvent, frozen=True, kw_only=True):
    """The customer is shown in reports by customer again."""


class CustomerFactsCarried(CustomerEvent, frozen=True, kw_only=True):
    """Usage events of the present life may carry facts about the customer, from here on. It is no fact itself.

    `personal_key_id`: the key under which such facts are encrypted; None while none of them is personal.
    """

    personal_key_id: str | None = None


class CustomerDeleted(CustomerEvent, frozen=True, kw_only=True):
    """A life of the customer ended at `effective_at`. The id can be used again, for the next life."""
