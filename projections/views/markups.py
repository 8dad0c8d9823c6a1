"""The effective-dated markup of a customer, derived from its lifecycle facts. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from domain.customers.events import CUSTOMER_CREATED, CUSTOMER_DELETED
from domain.values.money import markup_percentage
from projections.queries.facts import Fact
from projections.views.customers import in_effect

MARKUP_FIELD: Final = "markup_percentage"
_STARTS_AFRESH: Final = (CUSTOMER_CREATED, CUSTOMER_DELETED)


class MarkupChange(msgspec.Struct, frozen=True):
    """Usage at or after `start` is reported at raw cost x (1 + percentage / 100), until the next change.

    Before the first change it is reported at raw cost.
    """

    start: datetime
    percentage: Decimal


def markup_changes(facts: Sequence[Fact]) -> tuple[MarkupChange, ...]:
    """The markup changes in order of time; none for a customer whose markup was always 0.

    A fact takes effect at its `effective_at`; of two with the same instant the one at the higher position wins. A
    creation or a deletion resets the markup to 0, and a deletion drops the changes that its life had still to come.
    """
    at: dict[datetime, Decimal] = {}
    percentage = Decimal(0)
    for fact in in_effect(facts):
        if fact.kind in _STARTS_AFRESH:
            percentage = Decimal(0)
        if MARKUP_FIELD in fact.fields:
            value = fact.fields[MARKUP_FIELD]
            percentage = Decimal(0) if value is None else markup_percentage(str(value))
        at[fact.effective_at] = percentage
    changes: list[MarkupChange] = []
    for start, value in at.items():
        if value != (changes[-1].percentage if changes else 0):
            changes.append(MarkupChange(start, value))
    return tuple(changes)


def markup_at(changes: Sequence[MarkupChange], instant: datetime) -> Decimal:
    """The percentage valid at an instant."""
    return next((change.percentage for change in reversed(changes) if change.start <= instant), Decimal(0))
