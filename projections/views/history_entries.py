"""The history of a customer as a list: its facts in the order in which they take effect, and its first usage. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from domain.customers.event_facts import CUSTOMER_DESCRIBED
from domain.facts.in_effect import in_effect_order
from projections.queries.customers import CustomerRecord

FIRST_SEEN: Final = "customer.first_seen"


class HistoryEntry(msgspec.Struct, frozen=True):
    """One entry of a customer's history; `derived`: it follows from usage and has no lifecycle event.

    `patched`: the fields whose value is a merge patch.
    """

    kind: str
    effective_at: datetime
    recorded_at: datetime | None
    position: int | None
    fields: Mapping[str, Any]
    actor: str
    dialect: str
    reason: str | None
    derived: bool = False
    patched: tuple[str, ...] = ()


def history_entries(record: CustomerRecord) -> list[HistoryEntry]:
    """All facts of a customer in the order in which they take effect, and its first usage as a derived entry."""
    entries = [
        HistoryEntry(
            fact.kind,
            fact.effective_at,
            fact.recorded_at,
            fact.position,
            fact.fields,
            fact.actor,
            fact.dialect,
            fact.reason,
            patched=fact.patched,
        )
        for fact in in_effect_order(record.facts)
    ]
    if record.first_event_at is None:
        return entries
    of_commands = (fact for fact in record.facts if fact.kind != CUSTOMER_DESCRIBED)
    began_with_usage = all(fact.position != record.first_position for fact in of_commands)
    position = record.first_position if began_with_usage else None
    first_seen = HistoryEntry(
        FIRST_SEEN, record.first_event_at, None, position, {}, "engine", "native", None, derived=True
    )
    return sorted([first_seen, *entries], key=lambda entry: entry.effective_at)
