"""Durations of periods and their text form: 30s, 30m, 30h, 30d, 1w, 1mo, 1y, and words such as monthly."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final, Literal

import msgspec

from domain.errors import InvalidInput

DurationUnit = Literal["s", "m", "h", "d", "w", "mo", "y"]

DURATION_YEARS_MAX: Final = 10
#: The largest count of each unit: about ten years in all of them.
DURATION_COUNT_MAX: Final[dict[DurationUnit, int]] = {
    "s": DURATION_YEARS_MAX * 365 * 86_400,
    "m": DURATION_YEARS_MAX * 365 * 1_440,
    "h": DURATION_YEARS_MAX * 365 * 24,
    "d": DURATION_YEARS_MAX * 365,
    "w": DURATION_YEARS_MAX * 52,
    "mo": DURATION_YEARS_MAX * 12,
    "y": DURATION_YEARS_MAX,
}

_ELAPSED: Final[dict[DurationUnit, timedelta]] = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
}
_UNITS: Final[dict[str, DurationUnit]] = {unit: unit for unit in DURATION_COUNT_MAX}
_TEXT = re.compile(r"([0-9]{1,9})(s|m|h|d|w|mo|y)")


class Duration(msgspec.Struct, frozen=True):
    """A count of a unit. Seconds, minutes and hours are elapsed time; longer units are steps of the local calendar."""

    count: int
    unit: DurationUnit

    def __post_init__(self) -> None:
        count_max = DURATION_COUNT_MAX[self.unit]
        if not 1 <= self.count <= count_max:
            raise InvalidInput("duration", f"must be 1 to {count_max} for the unit {self.unit!r}")

    @property
    def elapsed(self) -> timedelta | None:
        """The exact length in elapsed time; None for calendar units."""
        unit = _ELAPSED.get(self.unit)
        return None if unit is None else self.count * unit


DURATION_WORDS: Final[dict[str, Duration]] = {
    "hourly": Duration(1, "h"),
    "daily": Duration(1, "d"),
    "weekly": Duration(1, "w"),
    "monthly": Duration(1, "mo"),
    "yearly": Duration(1, "y"),
}


def parse_duration(text: str, field: str = "duration") -> Duration:
    """Parse a duration; `InvalidInput` naming `field` for other text, for zero and for more than ten years."""
    if text in DURATION_WORDS:
        return DURATION_WORDS[text]
    match = _TEXT.fullmatch(text)
    if match is None:
        raise InvalidInput(
            field, "must be a number with a unit of s, m, h, d, w, mo or y, such as 30d, or a word such as monthly"
        )
    try:
        return Duration(int(match[1]), _UNITS[match[2]])
    except InvalidInput as error:
        raise InvalidInput(field, error.rule) from None


def duration_text(duration: Duration) -> str:
    """Return the canonical text of a duration, which `parse_duration` parses to an equal value."""
    return f"{duration.count}{duration.unit}"
