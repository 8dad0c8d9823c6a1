"""LiteLLM's durations as period policies. All periods are aligned, the first one too.

| duration | periods |
|---|---|
| 30d, 1mo, monthly | calendar months |
| 7d, 1w, weekly | weeks from Monday |
| 24h, 1d, daily | days |
| seconds, minutes or hours that divide a minute, an hour or a day: 30s, 15m, 6h ... | aligned to that |
| other seconds, minutes, hours | exactly as long, from the start of the minute, hour or day in which it was set |
| other days and weeks | exactly as long, from the midnight before the duration was set |
| other months | exactly as many, from the first of the month in which the duration was set |
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from domain.errors import InvalidInput
from domain.values.durations import Duration, duration_text, parse_duration
from domain.values.instants import EPOCH, instant_text

_WORDS: Final = frozenset({"hourly", "daily", "weekly", "monthly"})
#: The unit may be spelled out (1hr, 60min); a number without a unit is no duration.
_TEXT: Final = re.compile(
    r"([0-9]{1,9})(?:(s|secs?|seconds?)|(m|mins?|minutes?)|(h|hrs?|hours?)|(d|days?)|(w|weeks?)|(mo|months?))"
)
_UNITS: Final = ("s", "m", "h", "d", "w", "mo")
_CALENDAR: Final = {"30d": "1mo", "1mo": "1mo", "7d": "1w", "1w": "1w", "24h": "1d", "1d": "1d"}
_DAY: Final = timedelta(days=1)
#: Seconds are counted within the minute, minutes within the hour, hours within the day.
_WITHIN: Final = {"s": timedelta(minutes=1), "m": timedelta(hours=1), "h": _DAY}


class PeriodFields(msgspec.Struct, frozen=True):
    """The native fields of a period policy. Without an anchor, periods follow the calendar."""

    budget_duration: str
    budget_alignment: str
    budget_anchor: str | None

    def changes(self) -> dict[str, Any]:
        """The fields as changes of a budget."""
        return msgspec.structs.asdict(self)


#: The changes that remove a duration.
NO_PERIODS: Final[dict[str, Any]] = dict.fromkeys(PeriodFields.__struct_fields__)


def duration_of(text: str) -> Duration | None:
    """Parse a duration of LiteLLM; None when the text is none."""
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
    """The native text of the duration that has the periods of LiteLLM's."""
    text = duration_text(duration)
    return _CALENDAR.get(text, text)


def aligned_periods(duration: Duration, set_at: datetime) -> PeriodFields:
    """The period policy of a duration that is set at `set_at`."""
    text = native_text(duration)
    within = _WITHIN.get(duration.unit)
    if text in _CALENDAR.values() or (within is not None and not within % (duration.elapsed or within)):
        return PeriodFields(text, "calendar", None)
    set_at = set_at.astimezone(UTC)
    start = set_at - (set_at - EPOCH) % (within or _DAY)
    anchor = start.replace(day=1) if duration.unit == "mo" else start
    return PeriodFields(text, "anchored", instant_text(anchor))


def periods_ending_at(duration: Duration, reset_at: datetime) -> PeriodFields:
    """The period policy with a period that ends at `reset_at`; `InvalidInput` when that is out of range in UTC."""
    aware = reset_at if reset_at.tzinfo is not None else reset_at.replace(tzinfo=UTC)
    try:
        return PeriodFields(native_text(duration), "anchored", instant_text(aware.astimezone(UTC)))
    except OverflowError:
        raise InvalidInput("budget_anchor", "must be an instant between 1980 and 2200") from None
