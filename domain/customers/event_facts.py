"""Facts about a customer that its usage events carry: as a source gives them, and as a block stores them.

They set or clear whole fields; a map is the new map, never a patch. They are effective at the time of their event, and
only if it is counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from domain.customers.events import SealedPersonal
from domain.customers.fields import (
    CREATION_FIELDS,
    CUSTOMER_RULES,
    PERSONAL_FIELDS,
    check_state,
    checked_fields,
    with_separate_limits,
)
from domain.errors import InvalidInput

#: The kind of such a fact in the history of a customer. It is no topic of the log, which has it inside a usage block.
CUSTOMER_DESCRIBED: Final = "customer.described"


class StoredFacts(msgspec.Struct, frozen=True):
    """The facts that the event in one row of a block carries. `actor` is the API key that it came by."""

    row: int
    fields: dict[str, Any]
    personal: SealedPersonal | None
    actor: str
    dialect: str


def checked_event_facts(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an event's facts, checked and in stored form; None means cleared.

    Raises `InvalidInput` for the first that breaks its rule, and for one that only a creation can set.
    """
    for field in CREATION_FIELDS & changes.keys():
        raise InvalidInput(field, "must be given only when the customer is created")
    fields = checked_fields(CUSTOMER_RULES, with_separate_limits(changes))
    check_state(CUSTOMER_RULES, {name: value for name, value in fields.items() if value is not None}, fields)
    return fields


def facts_text(fields: Mapping[str, Any]) -> bytes:
    """Return the JSON text of checked fields: the same text for the same fields."""
    return _encode(fields)


def facts_of_text(text: bytes) -> dict[str, Any]:
    """Return the fields in a text made by `facts_text`."""
    return _decode(text)


def divided(fields: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the fields that are stored as they are, and the personal ones."""
    plain = {name: value for name, value in fields.items() if name not in PERSONAL_FIELDS}
    return plain, {name: value for name, value in fields.items() if name in PERSONAL_FIELDS}


_encode: Final = msgspec.json.Encoder(order="deterministic").encode
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode
