"""Requests of Respan's clients as changes of a customer's native fields.

A duration sets anchored periods. They are anchored where the customer's budget is already, else at its creation, else
at the midnight (UTC) of the day on which it was first seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from domain.values.json_numbers import plain_json

#: The maps that a request replaces as a whole.
REPLACED: Final = frozenset({"metadata"})
_NATIVE_OF: Final = {
    "email": "email",
    "name": "name",
    "metadata": "metadata",
    "period_budget": "period_limit_usd",
    "total_budget": "total_limit_usd",
    "budget_duration": "budget_duration",
    "period_start": "period_start",
    "period_end": "period_end",
    "markup_percentage": "markup_percentage",
}
#: The native fields of the periods that a duration sets.
_PERIODS: Final = ("budget_duration", "budget_alignment", "budget_anchor")


def native_changes(sent: Mapping[str, Any], current: Mapping[str, Any], period_start: datetime) -> dict[str, Any]:
    """Return the changes (None clears) that these members make to a customer with the native fields `current`.

    `period_start` is the start of its current period, which an end that is given alone ends.
    """
    return named_changes(sent) | _bounds(sent, current, period_start)


def named_changes(sent: Mapping[str, Any]) -> dict[str, Any]:
    """Return the changes that these members make whatever is set already."""
    changes = {native: plain_json(sent[name]) if name == "metadata" else sent[name]
               for name, native in _NATIVE_OF.items() if name in sent}  # fmt: skip
    if "budget_duration" in sent:
        changes |= _periods(sent["budget_duration"])
    return changes


def creation_fields(sent: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Return the fields of a customer that is created with these members, none of them null.

    A duration without a start counts from the midnight (UTC) before `now`, as does an end without one.
    """
    today = midnight_before(now)
    fields = native_changes(sent, {}, today)
    if "budget_duration" in sent and "period_start" not in fields:
        fields["budget_anchor"] = today
    return fields


def midnight_before(instant: datetime) -> datetime:
    """The beginning of the day (UTC) of an instant."""
    return instant.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _periods(duration: str | None) -> dict[str, Any]:
    if duration is None:
        return dict.fromkeys(_PERIODS)
    return {"budget_duration": duration, "budget_alignment": "anchored"}


def _bounds(sent: Mapping[str, Any], current: Mapping[str, Any], period_start: datetime) -> dict[str, Any]:
    """Return what a bound that is given alone says of the other one.

    A start drops an earlier end: that period is over. An end is that of the current period.
    """
    start, end = sent.get("period_start"), sent.get("period_end")
    if start is not None and "period_end" not in sent and current.get("period_end") is not None:
        return {"period_end": None} if datetime.fromisoformat(current["period_end"]) <= start else {}
    if end is not None and "period_start" not in sent and current.get("period_start") is None:
        return {"period_start": period_start}
    return {}


def anchor_default(first_seen_at: datetime | None) -> datetime | None:
    """The anchor of periods whose customer nobody created: the midnight before it was first seen."""
    return None if first_seen_at is None else midnight_before(first_seen_at)
