"""Instants in and out of DuckDB: naive TIMESTAMP meaning UTC there, aware datetimes here."""

from __future__ import annotations

from datetime import UTC, datetime


def naive(instant: datetime) -> datetime:
    """The UTC wall time of an aware instant, as the tables keep it."""
    return instant.astimezone(UTC).replace(tzinfo=None)


def aware(instant: datetime) -> datetime:
    """An instant from a table, with its zone."""
    return instant.replace(tzinfo=UTC)


def aware_or_none(instant: datetime | None) -> datetime | None:
    """The same for a column that may be null."""
    return None if instant is None else instant.replace(tzinfo=UTC)
