"""Numbers, dates and names as people read them in the portal.

- Counts have thousands separators. Money has the decimals of its currency, up to six where they are needed to show
  it, the same number in a column, so that points align. It is rounded half up, as amounts due are.
- Dates are those of the customer's zone. Periods are half-open; of whole days the last one is named, not the next.
- Names come from anywhere: characters that are not shown, or that turn the direction of text, are replaced, and long
  ones are cut. Escaping is that of the template.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Final
from zoneinfo import ZoneInfo

from domain.charges.currencies import CURRENCY_MINOR_DIGITS
from domain.values.money import MONEY, decimals_of
from domain.values.periods import MICROSECOND, Interval

NAME_LENGTH_MAX: Final = 120
MONEY_DECIMALS_MIN: Final = 2
DECIMALS_MAX: Final = 6
#: Stands for what is not known.
UNKNOWN: Final = "unknown"
#: Before a sum without the cost of some events.
AT_LEAST: Final = "at least"
_MONTHS: Final = "January February March April May June July August September October November December".split()
_DAY: Final = timedelta(days=1)
_REPLACED: Final = "\N{REPLACEMENT CHARACTER}"
_DASH: Final = "\N{EN DASH}"


def name_text(name: str) -> str:
    """Return a name that can be shown: control characters and marks of direction replaced, cut after 120 characters.

    A name that shows nothing is shown as its code points.
    """
    shown = "".join(_REPLACED if _is_not_shown(one) else one for one in name)
    if shows_nothing(name):
        shown = " ".join(f"U+{ord(one):04X}" for one in name[:8])
    return shown if len(shown) <= NAME_LENGTH_MAX else shown[: NAME_LENGTH_MAX - 1] + "\N{HORIZONTAL ELLIPSIS}"


def shows_nothing(name: str | None) -> bool:
    """Return whether nothing of a name can be seen: it is missing, or has only spaces and characters not shown."""
    return name is None or all(one.isspace() or _is_not_shown(one) for one in name)


def shown_name(name: str | None, otherwise: str) -> str:
    """Return a name that can be shown; in place of one that shows nothing, `otherwise`, such as the id."""
    return name_text(otherwise if name is None or shows_nothing(name) else name)


def count_text(count: int) -> str:
    """Return a count with thousands separators."""
    return f"{count:,}"


def counted(count: int, one: str, several: str) -> str:
    """Return a count with the word for what is counted: `1 event`, `2,000 events`."""
    return f"{count:,} {one if count == 1 else several}"


def decimals_for(amounts: Iterable[Decimal], least: int = MONEY_DECIMALS_MIN) -> int:
    """Return how many decimals show all of these amounts, at least `least` and at most six."""
    return max(least, min(DECIMALS_MAX, max((decimals_of(one) for one in amounts), default=0)))


def amount_text(amount: Decimal, decimals: int = MONEY_DECIMALS_MIN) -> str:
    """Return an amount with so many decimals, rounded half up; one too small for them as less than the smallest."""
    smallest = Decimal(1).scaleb(-decimals)
    rounded = amount.quantize(smallest, rounding=ROUND_HALF_UP, context=MONEY)
    if amount and not rounded:
        return f"<{smallest:f}" if amount > 0 else f">-{smallest:f}"
    return f"{rounded:,f}"


def sum_text(amount: Decimal, currency: str) -> str:
    """Return an amount that stands alone: to the minor unit of its currency; one below 1 with as many decimals as it
    has, at most six."""
    least = CURRENCY_MINOR_DIGITS.get(currency, MONEY_DECIMALS_MIN)
    return amount_text(amount, least if abs(amount) >= 1 else decimals_for([amount], least))


def money_text(amount: Decimal, currency: str) -> str:
    """Return an amount that stands alone, with its currency: `1,234.50 USD`."""
    return f"{sum_text(amount, currency)} {currency}"


def known_text(amount: Decimal | None, currency: str, is_lower_bound: bool) -> str:
    """Return what is known of an amount: `12.50 USD`, `at least 12.50 USD`, or `unknown`, also for at least nothing."""
    if amount is None or (is_lower_bound and not amount):
        return UNKNOWN
    text = money_text(amount, currency)
    return f"{AT_LEAST} {text}" if is_lower_bound else text


def axis_text(amount: Decimal) -> str:
    """Return a round amount as short as it goes: `400`, `60K`, `2.5M`."""
    for power, letter, least in ((9, "B", 9), (6, "M", 6), (3, "K", 4)):
        if amount >= Decimal(1).scaleb(least):
            return f"{amount.scaleb(-power).normalize(MONEY):f}{letter}"
    return quantity_text(amount)


def quantity_text(quantity: Decimal) -> str:
    """Return a quantity with as many decimals as it has, at most six."""
    return amount_text(quantity, decimals_for([quantity], least=0))


def day_text(instant: datetime, zone: ZoneInfo) -> str:
    """Return the local date: `10 March 2026`."""
    return _day(instant.astimezone(zone))


def moment_text(instant: datetime, zone: ZoneInfo) -> str:
    """Return the local date and time: `10 March 2026, 13:05`. A time that occurs twice has its UTC offset."""
    local = instant.astimezone(zone)
    twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    return f"{_day(local)}, {local:%H:%M}" + (f" {local:%z}" if twice else "")


def end_text(end: datetime, zone: ZoneInfo) -> str:
    """Return when something ends: the last whole day at midnight, else the moment."""
    if _is_midnight(end.astimezone(zone)):
        return day_text(end - MICROSECOND, zone)
    return moment_text(end, zone)


def period_text(period: Interval, zone: ZoneInfo, is_endless: bool = False) -> str:
    """Return a period in words: `March 2026`, `2026`, `9 - 15 March 2026`, or with times where days are not whole."""
    start, end = period.start.astimezone(zone), period.end.astimezone(zone)
    if is_endless:
        return f"since {_day(start) if _is_midnight(start) else moment_text(period.start, zone)}"
    if not (_is_midnight(start) and _is_midnight(end)):
        return f"{moment_text(period.start, zone)} {_DASH} {moment_text(period.end, zone)}"
    last = (period.end - MICROSECOND).astimezone(zone)
    if start.day == 1 and end.day == 1 and (start.year, start.month) == (last.year, last.month):
        return f"{_MONTHS[start.month - 1]} {start.year}"
    if (start.month, start.day, end.month, end.day) == (1, 1, 1, 1) and start.year == last.year:
        return f"{start.year}"
    if start.date() == last.date():
        return _day(start)
    if (start.year, start.month) == (last.year, last.month):
        return f"{start.day} {_DASH} {_day(last)}"
    if start.year == last.year:
        return f"{start.day} {_MONTHS[start.month - 1]} {_DASH} {_day(last)}"
    return f"{_day(start)} {_DASH} {_day(last)}"


def short_texts(periods: Sequence[Interval], zone: ZoneInfo) -> list[str]:
    """Return a short text for each period, for the foot of a bar: month, day or hour, whichever tells them apart."""
    starts = [period.start.astimezone(zone) for period in periods]
    if any(not _is_midnight(start) for start in starts) and any(one.end - one.start < _DAY for one in periods):
        return [f"{start:%H:%M}" for start in starts]
    if all(start.day == 1 for start in starts) and len({start.month for start in starts}) == len(starts):
        return [_MONTHS[start.month - 1][:3] for start in starts]
    return [f"{start.day} {_MONTHS[start.month - 1][:3]}" for start in starts]


def _is_not_shown(one: str) -> bool:
    return unicodedata.category(one) in ("Cc", "Cf", "Zl", "Zp", "Cs")


def _day(local: datetime) -> str:
    return f"{local.day} {_MONTHS[local.month - 1]} {local.year}"


def _is_midnight(local: datetime) -> bool:
    return (local.hour, local.minute, local.second, local.microsecond) == (0, 0, 0, 0)
