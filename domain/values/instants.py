"""Instants: the epoch, conversions, and the two RFC 3339 grammars, one of fields and one of usage events.

An instant is an aware `datetime`, or an integer of microseconds since 1970-01-01T00:00:00Z. Only tables store the UTC
wall time without a zone ("naive").
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_DATE: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_MINUTE: Final = r"[0-9]{2}:[0-9]{2}"
_OFFSET: Final = r"([+-])([01][0-9]|2[0-3]):([0-5][0-9])"
#: The time of a usage event: any number of digits below the second, and leap seconds.
EVENT_TIME: Final = re.compile(rf"({_DATE})[Tt]({_MINUTE}):([0-9]{{2}})(?:\.([0-9]+))?(?:([Zz])|{_OFFSET})")
#: An instant in a field: at most nine digits below the second, a space instead of T; `datetime` checks the rest.
_FIELD_INSTANT: Final = re.compile(
    rf"{_DATE}[Tt ]{_MINUTE}:[0-9]{{2}}(?P<fraction>\.[0-9]{{1,9}})?(?:[Zz]|[+-]{_MINUTE})"
)


def epoch_microseconds(instant: datetime) -> int:
    """Return the exact number of microseconds from 1970 to an aware instant."""
    return (instant - EPOCH) // timedelta(microseconds=1)


def instant_text(instant: datetime) -> str:
    """Return RFC 3339 UTC text with microseconds. The texts sort in the order of the instants."""
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def parsed_instant(text: str) -> datetime | None:
    """Parse RFC 3339 text with an offset, cut off below the microsecond; None for any other text."""
    match = _FIELD_INSTANT.fullmatch(text)
    if match is None:
        return None
    fraction = match["fraction"]
    if fraction is not None:
        text = text.replace(fraction, fraction[:7].ljust(7, "0"), 1)
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError:
        return None


def naive(instant: datetime) -> datetime:
    """Return the UTC wall time of an aware instant, without a zone."""
    return instant.astimezone(UTC).replace(tzinfo=None)


def aware(wall_time: datetime) -> datetime:
    """Return the aware instant of a UTC wall time."""
    return wall_time.replace(tzinfo=UTC)


def aware_or_none(wall_time: datetime | None) -> datetime | None:
    """Return the aware instant of a UTC wall time; None for None."""
    return None if wall_time is None else wall_time.replace(tzinfo=UTC)
