"""Time spans as .NET's `TimeSpan.Parse` reads them, and the text that it writes.

    [-]d                       whole days: 7 is seven days
    [-][d.]hh:mm[:ss[.fffffff]]
    [-]d:hh:mm[:ss[.fffffff]]  where it cannot be hours, minutes and seconds

So 24:00:00 is 24 days, as no day has an hour 24, and 23:00:00 is 23 hours. Hours are never given without minutes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import msgspec

DAYS_MAX: Final = 10_675_199
TICKS_PER_SECOND: Final = 10_000_000
_SECONDS_PER_DAY: Final = 86_400
#: The longest time span, in ticks of 100 nanoseconds.
TICKS_MAX: Final = 2**63 - 1
TEXT_LENGTH_MAX: Final = 100
#: What may be written, for messages.
GRAMMAR: Final = "days (7), hours and minutes ([d.]hh:mm), or [d.]hh:mm:ss[.fffffff]"

_CLOCK: Final = r":(?P<minutes>[0-9]+)(?::(?P<seconds>[0-9]+)(?:\.(?P<fraction>[0-9]+))?)?"
_DAYS_ALONE: Final = re.compile(r"(?P<days>[0-9]+)")
_CLOCK_ALONE: Final = re.compile(rf"(?P<hours>[0-9]+){_CLOCK}")
_POINT_AFTER_DAYS: Final = re.compile(rf"(?P<days>[0-9]+)\.(?P<hours>[0-9]+){_CLOCK}")
_COLON_AFTER_DAYS: Final = re.compile(
    r"(?P<days>[0-9]+):(?P<hours>[0-9]+):(?P<minutes>[0-9]+)(?::(?P<seconds>[0-9]+)(?:\.(?P<fraction>[0-9]+))?)?"
)
_WITHOUT_MINUTES: Final = re.compile(r"([0-9]+)\.([0-9]+)")
_WHITESPACE: Final = " \t\n\r\v\f"
_LARGEST: Final = {"days": DAYS_MAX, "hours": 23, "minutes": 59, "seconds": 59}
_FRACTION_DIGITS_MAX: Final = 7


class TimeSpan(msgspec.Struct, frozen=True, order=True):
    """A length of time in ticks of 100 nanoseconds."""

    ticks: int

    @property
    def length(self) -> timedelta:
        """The length, cut off below the microsecond."""
        return timedelta(microseconds=self.ticks // 10)

    def text(self) -> str:
        """The text in .NET's constant format: [-][d.]hh:mm:ss[.fffffff]."""
        whole, fraction = divmod(abs(self.ticks), TICKS_PER_SECOND)
        days, seconds = divmod(whole, _SECONDS_PER_DAY)
        minutes, hours = seconds // 60 % 60, seconds // 3_600
        shown = f"{hours:02}:{minutes:02}:{seconds % 60:02}"
        shown = f"{days}.{shown}" if days else shown
        shown = f"{shown}.{fraction:07}" if fraction else shown
        return f"-{shown}" if self.ticks < 0 else shown


class NotATimeSpan(ValueError):
    """A text that is no time span; the message tells what of it was understood."""


def parse_time_span(text: str) -> TimeSpan:
    """Parse a time span; `NotATimeSpan` for any other text.

    A text may have several forms. The first one counts in which every part is in range.
    """
    bare = text.strip(_WHITESPACE)
    unsigned = bare.removeprefix("-")
    forms = (_DAYS_ALONE, _CLOCK_ALONE, _POINT_AFTER_DAYS, _COLON_AFTER_DAYS) if len(text) <= TEXT_LENGTH_MAX else ()
    read = [found.groupdict() for form in forms if (found := form.fullmatch(unsigned)) is not None]
    if not read:
        raise NotATimeSpan(_not_understood(unsigned))
    problems = [_problem(parts) for parts in read]
    if None not in problems:
        raise NotATimeSpan(f"it was understood as {problems[0]}")
    ticks = _ticks(read[problems.index(None)])
    return TimeSpan(-ticks if bare != unsigned else ticks)


def _not_understood(text: str) -> str:
    hours = _WITHOUT_MINUTES.fullmatch(text)
    if hours is None:
        return "it was not understood as a time span"
    return f"it was understood as {hours[1]} days and {hours[2]} hours without minutes"


def _problem(parts: Mapping[str, str | None]) -> str | None:
    """What is wrong with parts that were read; None: nothing."""
    for name, largest in _LARGEST.items():
        if int(parts.get(name) or 0) > largest:
            return f"{parts[name]} {name}, of which there are at most {largest}"
    if len(parts.get("fraction") or "") > _FRACTION_DIGITS_MAX:
        return f"a fraction of a second of more than {_FRACTION_DIGITS_MAX} digits"
    return None if _ticks(parts) <= TICKS_MAX else f"more than {TimeSpan(TICKS_MAX).text()}, the longest time span"


def _ticks(parts: Mapping[str, str | None]) -> int:
    days, hours, minutes, seconds = (int(parts.get(name) or 0) for name in _LARGEST)
    fraction = int((parts.get("fraction") or "").ljust(_FRACTION_DIGITS_MAX, "0"))
    return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * TICKS_PER_SECOND + fraction
