"""The text of table cells: counts, money, instants and durations, written the same way in every table.

- Counts have thousands separators.
- Money has two to six decimals, other amounts have none to six. The decimal points of a column stand below each other.
  An amount too small for six decimals is shown as less than the smallest one.
- A sum without the cost of some events says so: `12.50 + unknown (3)`, or `unknown (3)` where nothing else is known.
- What remains of a limit says the same where more may be spent: `7.50 - unknown (3)`; of a used-up limit nothing does.
- A difference says of how many events the cost became known in the meantime: `3.00, known since (2)`.
- Instants are shown in one time zone, to the minute or second; as a date if all of a column are midnights. A local time
  that occurs twice, when clocks are set back, has its UTC offset.
- What is not set is `-`, an empty text in a list `''`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from api.cli.output.columns import INSTANTS, Column, Kind, Row, member
from api.cli.output.text import shown
from domain.values.money import MONEY

NOT_SET: Final = "-"
#: An empty text, where it is not the same as nothing.
EMPTY_TEXT: Final = "''"
MONEY_DECIMALS_MIN: Final = 2
#: A number with more digits before its point is shown as it came.
_DIGITS_MAX: Final = 60
_SMALLEST: Final = Decimal("0.000001")


def cells(column: Column, rows: Sequence[Row], zone: str) -> list[str]:
    """Return the texts of a column, one for each row. Instants are shown in `zone`, an IANA name."""
    values = [column.of(row) for row in rows]
    if column.kind in (Kind.MONEY, Kind.NUMBER):
        decimals_min = MONEY_DECIMALS_MIN if column.kind is Kind.MONEY else 0
        unknown = [_unknown_events(column, row) for row in rows]
        return _aligned(
            [
                _amount(value, count, decimals_min, column.unknown_lowers)
                for value, count in zip(values, unknown, strict=True)
            ]
        )
    if column.kind in INSTANTS:
        return _instant_cells(values, zone, seconds=column.kind is Kind.MOMENT)
    return [_text(value, column.kind) for value in values]


def _text(value: Any, kind: Kind) -> str:
    if value is None:
        return NOT_SET
    if kind is Kind.COUNT and isinstance(value, int):
        return f"{value:,}"
    if kind is Kind.DURATION and isinstance(value, int | float):
        return duration_text(value)
    if kind is Kind.LIST and isinstance(value, list):
        return ", ".join(shown(entry) or EMPTY_TEXT for entry in value) or NOT_SET
    return NOT_SET if value == {} else shown(value)


def span_text(start: str, end: str, zone: str) -> str:
    """Return the time between two instants, in a zone that it names."""
    first, last = _instant_cells([start, end], zone, seconds=False)
    return f"{first} to {last} ({zone})"


def duration_text(seconds: float) -> str:
    """Return a duration in its two largest units: `2 d 3 h`, `12 min 5 s`, `0.4 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days:,} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _unknown_events(column: Column, row: Row) -> int:
    count = None if column.unknown is None else member(row, column.unknown)
    return count if isinstance(count, int) else 0


def _aligned(amounts: Sequence[_Amount | str]) -> list[str]:
    """Return amounts with their decimal points in one place, counted from the right."""
    decimals = max((len(amount.decimals) for amount in amounts if isinstance(amount, _Amount)), default=0)
    suffixes = max((len(amount.suffix) for amount in amounts if isinstance(amount, _Amount)), default=0)
    return [
        f"{amount.whole}{amount.decimals:<{decimals}}{amount.suffix:<{suffixes}}"
        if isinstance(amount, _Amount)
        else amount
        for amount in amounts
    ]


class _Amount(NamedTuple):
    """The whole part of an amount, its point and decimals, and what is unknown about it."""

    whole: str
    decimals: str
    suffix: str


def _amount(value: Any, unknown: int, decimals_min: int, unknown_lowers: bool) -> _Amount | str:
    amount = _decimal(value)
    if unknown_lowers and not amount:
        unknown = 0
    note = f"unknown ({unknown:,})" if unknown > 0 else f"known since ({-unknown:,})" if unknown else ""
    if note and not amount:
        return note
    if amount is None:
        return shown(value)
    suffix = f" {'-' if unknown_lowers else '+'} {note}" if unknown > 0 else f", {note}" if note else ""
    rounded = amount.quantize(_SMALLEST, context=MONEY)
    if amount and not rounded:
        return _Amount("<0" if amount > 0 else ">-0", f"{_SMALLEST:f}"[1:], suffix)
    whole, _, decimals = f"{rounded:,f}".partition(".")
    decimals = decimals.rstrip("0").ljust(decimals_min, "0")
    return _Amount(whole, decimals and "." + decimals, suffix)


def _decimal(value: Any) -> Decimal | None:
    try:
        amount = None if value is None or isinstance(value, bool) else Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount is not None and amount.is_finite() and amount.adjusted() < _DIGITS_MAX else None


def _instant_cells(values: Sequence[Any], zone: str, *, seconds: bool) -> list[str]:
    local = [_local(value, zone) for value in values]
    instants = [moment for moment in local if isinstance(moment, datetime)]
    dates = all((one.hour, one.minute, one.second) == (0, 0, 0) for one in instants)
    form = "%Y-%m-%d" if dates else "%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M"
    return [
        shown(moment) if not isinstance(moment, datetime) else moment.strftime(form) + _offset_if_ambiguous(moment)
        for moment in local
    ]


def _local(value: Any, zone: str) -> Any:
    """Return an instant in a time zone; anything else unchanged."""
    try:
        return datetime.fromisoformat(value).astimezone(ZoneInfo(zone))
    except (TypeError, ValueError, OverflowError, ZoneInfoNotFoundError):
        return value


def _offset_if_ambiguous(moment: datetime) -> str:
    twice = moment.replace(fold=0).utcoffset() != moment.replace(fold=1).utcoffset()
    return f" {moment:%z}" if twice else ""
