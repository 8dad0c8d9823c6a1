"""Instants and days in the query of a request."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from api.http.problems import Problem
from domain.values.durations import Duration
from domain.values.field_rules import instant
from domain.values.instants import parsed_instant
from domain.values.periods import ANCHOR_LIMIT, ANCHOR_MIN, PeriodPolicy, period_containing, zone_named

#: The rule for what may be a day.
INSTANT_OR_DAY: Final = "must be an RFC 3339 instant or a day"
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def query_instant(field: str, text: str, rule: str | None = None) -> datetime:
    """Parse an RFC 3339 instant, whose + may have become a space. `rule` names the other forms that it may have."""
    return given_instant(field, _with_plus(text), rule)


def given_instant(field: str, text: str, rule: str | None = None) -> datetime:
    """Parse an RFC 3339 instant. `rule` names the other forms that it may have, for what is none."""
    if rule is not None and parsed_instant(text) is None:
        raise Problem.invalid(field, rule)
    return datetime.fromisoformat(instant(field, text))


def optional_query_instant(field: str, text: str | None) -> datetime | None:
    """Parse an instant as `query_instant` does; None stays None."""
    return None if text is None else query_instant(field, text)


def _with_plus(text: str) -> str:
    """Restore the + of a UTC offset that was not percent-encoded in a query and became a space."""
    head, space, tail = text.rpartition(" ")
    return f"{head}+{tail}" if space and "T" in head.upper() else text


def is_day(text: str) -> bool:
    """Whether a text has the form of a day."""
    return _DAY.fullmatch(text) is not None


def optional_bound(field: str, text: str | None, zone: str, rule: str = INSTANT_OR_DAY) -> datetime | None:
    """Parse an instant, or a day, which stands for its local midnight; None stays None. `rule` names all its forms."""
    if text is None:
        return None
    return local_midnight(field, text, zone) if is_day(text) else query_instant(field, text, rule)


def local_midnight(field: str, day: str, zone: str) -> datetime:
    """The start of a day in a time zone; its first instant where midnight was skipped. Days have the range of instants
    in fields, so that the arithmetic of periods cannot leave the calendar."""
    try:
        noon = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=zone_named(zone, "timezone"))
    except ValueError:
        raise Problem.invalid(field, "must be an RFC 3339 instant or a day that exists") from None
    if not ANCHOR_MIN.year <= noon.year < ANCHOR_LIMIT.year:
        raise Problem.invalid(field, f"must be between {ANCHOR_MIN.year} and {ANCHOR_LIMIT.year}")
    return period_containing(PeriodPolicy(Duration(1, "d"), "calendar", zone_named(zone)), noon.astimezone(UTC)).start
