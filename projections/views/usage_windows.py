"""Windows of a usage report: local minutes, hours, days or months of a time zone. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final, Literal

from domain.errors import InvalidInput
from domain.values.durations import Duration
from domain.values.periods import Interval, PeriodPolicy, next_period, period_containing, zone_named
from projections.queries.usage import WINDOWS_MAX

Window = Literal["minute", "hour", "day", "month"]
WINDOWS: Final[tuple[Window, ...]] = ("minute", "hour", "day", "month")

_WHOLE_DAYS: Final = {"day": Duration(1, "d"), "month": Duration(1, "mo")}
_OF_A_DAY: Final = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1)}
_SHORTEST: Final = {**_OF_A_DAY, "day": timedelta(hours=20), "month": timedelta(days=27)}


def windows_of(span: Interval, window: Window | None, zone: str) -> list[Interval]:
    """All windows that overlap `span`, whole and in order; `span` itself when `window` is None.

    Minutes and hours are exact elapsed time from local midnight; the last one of a local day may be shorter.
    `InvalidInput` when there would be more than `WINDOWS_MAX`, checked before any is made.
    """
    if window is None:
        return [span]
    if window not in WINDOWS:
        raise InvalidInput("window", f"must be one of {', '.join(WINDOWS)}")
    if span.length / _SHORTEST[window] > WINDOWS_MAX:
        raise InvalidInput(
            "window", f"must not make more than {WINDOWS_MAX} windows of the time range", "too_many_windows"
        )
    policy = PeriodPolicy(_WHOLE_DAYS.get(window, Duration(1, "d")), "calendar", zone_named(zone, "timezone"))
    periods = _periods(policy, span)
    length = _OF_A_DAY.get(window)
    if length is None:
        return list(periods)
    return [bucket for day in periods for bucket in _buckets(day, length) if bucket.intersect(span) is not None]


def _periods(policy: PeriodPolicy, span: Interval) -> Iterator[Interval]:
    period = period_containing(policy, span.start)
    while period.start < span.end:
        yield period
        period = next_period(policy, period)


def _buckets(day: Interval, length: timedelta) -> Iterator[Interval]:
    start = day.start
    while start < day.end:
        end = min(start + length, day.end)
        yield Interval(start, end)
        start = end
