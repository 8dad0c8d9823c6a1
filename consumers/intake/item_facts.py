"""Facts about customers that items carry beside their bytes: from the request to the row of an event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from domain.customers.event_facts import facts_of_text
from domain.errors import InvalidInput
from domain.usage.decoding.decoder import DecodedEvents, DecodingContext
from domain.usage.decoding.item_additions import with_content, with_rejected
from domain.values.instants import aware

#: The reason for which an event is rejected whose facts break a rule.
FACTS_INVALID: Final = "facts_invalid"
#: Whose key brought an event that came without any.
NO_KEY: Final = "engine"


class ItemFacts(msgspec.Struct, frozen=True):
    """The facts that one item carries, as `facts_text` of checked fields; or the rule that they break, by field."""

    text: bytes = b""
    problem: tuple[str, str] | None = None

    @property
    def size_bytes(self) -> int:
        """The bytes of the text."""
        return len(self.text)


class GivenFacts(msgspec.Struct, frozen=True):
    """The facts of one item, with the API key and the dialect that they came by."""

    facts: ItemFacts
    actor: str
    dialect: str


class EventFacts(msgspec.Struct, frozen=True):
    """The facts of an accepted event, not encrypted yet. `row` counts within what was decoded together."""

    row: int
    customer_id: str
    at: datetime
    fields: dict[str, Any]
    actor: str
    dialect: str


def with_facts(
    decoded: DecodedEvents, given: Mapping[int, GivenFacts], items: Sequence[bytes], context: DecodingContext
) -> tuple[DecodedEvents, list[EventFacts]]:
    """Return the decoded events with the facts of these rows taken into account, and the facts of those accepted.

    Facts are part of the content of an event, and one with facts that break a rule is rejected.
    """
    if not given:
        return decoded, []
    problems = {
        row: InvalidInput(*one.facts.problem, FACTS_INVALID)
        for row, one in given.items()
        if one.facts.problem is not None
    }
    decoded = with_rejected(decoded, problems, items, context.row_context(), context.scope)
    rejected = set(decoded.rejected_rows)
    accepted = {row: one for row, one in sorted(given.items()) if row not in rejected}
    texts = {row: one.facts.text for row, one in accepted.items()}
    decoded = with_content(decoded, texts, context.hash_seed)
    return decoded, [_of_row(decoded, row, one) for row, one in accepted.items()]


def _of_row(decoded: DecodedEvents, row: int, given: GivenFacts) -> EventFacts:
    customer_id = decoded.typed.column("subject")[row].as_py()
    at = aware(decoded.typed.column("time")[row].as_py())
    return EventFacts(row, customer_id, at, facts_of_text(given.facts.text), given.actor, given.dialect)
