"""LiteLLM's durations, and the one period policy that they mean here: aligned, the first period too.

| written | periods |
|---|---|
| 30d, 1mo, monthly | calendar months |
| 7d, 1w, weekly | weeks from Monday |
| 24h, 1d, daily | days |
| what divides a day: 30s, 45m, 6h ... | from midnight on |
| other seconds, minutes, hours, days and weeks | exactly so long, from the midnight before the duration was set |
| other months | exactly so many, from the first of the month in which the duration was set |
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from domain.errors import InvalidInput
from domain.values.durations import Duration, duration_text, parse_duration
from domain.values.instants import instant_text

_WORDS: Final = frozenset({"hourly", "daily", "weekly", "monthly"})
#: The unit may be written out: 1hr, 60min, 2 is no number of anything.
_TEXT: Final = re.compile(
    r"([0-9]{1,9})(?:(s|secs?|seconds?)|(m|mins?|minutes?)|(h|hrs?|hours?)|(d|days?)|(w|weeks?)|(mo|months?))"
)
_UNITS: Final = ("s", "m", "h", "d", "w", "mo")
_CALENDAR: Final = {"30d": "1mo", "1mo": "1mo", "7d": "1w", "1w": "1w", "24h": "1d", "1d": "1d"}
_DAY: Final = timedelta(days=1)


class Periods(msgspec.Struct, frozen=True):
    """The native fields that a duration means; None: as the calendar has it."""

    budget_duration: str
    budget_alignment: str
    budget_anchor: str | None

    def changes(self) -> dict[str, Any]:
        return msgspec.structs.asdict(self)


#: The changes of who takes a duration away.
NO_PERIODS: Final[dict[str, Any]] = dict.fromkeys(Periods.__struct_fields__)


def duration_of(text: str) -> Duration | None:
    """What a duration of LiteLLM's means; None for what is none."""
    if text.lower() in _WORDS:
        return parse_duration(text.lower())
    match = _TEXT.fullmatch(text)
    if match is None:
        return None
    unit = next(unit for unit, found in zip(_UNITS, match.groups()[1:], strict=True) if found)
    try:
        return parse_duration(match[1] + unit)
    except InvalidInput:
        return None


def native_text(duration: Duration) -> str:
    """The native duration whose calendar periods, or whose length, are LiteLLM's."""
    text = duration_text(duration)
    return _CALENDAR.get(text, text)


def aligned_periods(duration: Duration, set_at: datetime) -> Periods:
    """The periods of a duration that is set at `set_at`."""
    text = native_text(duration)
    elapsed = duration.elapsed
    if text in _CALENDAR.values() or (elapsed is not None and not _DAY % elapsed):
        return Periods(text, "calendar", None)
    midnight = set_at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    anchor = midnight.replace(day=1) if duration.unit == "mo" else midnight
    return Periods(text, "anchored", instant_text(anchor))


def periods_ending_at(duration: Duration, reset_at: datetime) -> Periods:
    """The periods of a duration of which one ends at `reset_at`; `InvalidInput` for what is no instant in UTC."""
    aware = reset_at if reset_at.tzinfo is not None else reset_at.replace(tzinfo=UTC)
    try:
        return Periods(native_text(duration), "anchored", instant_text(aware.astimezone(UTC)))
    except OverflowError:
        raise InvalidInput("budget_anchor", "is an instant between 1980 and 2200") from None
