"""Members of data that say nothing of usage though they look as if they should: misspelt units, and unread quantities.

Such members are kept as properties, and the event is counted without them. The sender is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, Final

import msgspec

from domain.units.misspellings import misspelt_unit
from domain.usage.quantity_rules import QUANTITY_MAGNITUDE_MAX

#: The most names of members that are looked at, of one event or of all new ones in a chunk of events.
NAMES_CHECKED_MAX: Final = 100
#: The most warnings of one call of the decoder.
WARNINGS_MAX: Final = 1_000


class MemberWarning(msgspec.Struct, frozen=True):
    """What a member of data does not do, in the event of one row, and what to send in its place."""

    row: int
    member: str
    advice: str


def suspicious_names(names: Iterable[str]) -> frozenset[str]:
    """Return those of these names of members that look like a unit and are none; only so many names are looked at."""
    return frozenset(name for name in islice(names, NAMES_CHECKED_MAX) if misspelt_unit(name) is not None)


def warnings_of(
    row: int, data: Mapping[str, Any], unread: tuple[str, ...], own_units: frozenset[str]
) -> list[MemberWarning]:
    """Return the warnings about the data of a request. `unread`: members of quantities that could not be read.

    `own_units`: names that look like a unit of the registry perhaps, and are units of the tenant's own.
    """
    found = [MemberWarning(row, f"data.{name}", _UNREAD.get(name, _NO_QUANTITY)) for name in unread]
    for name in sorted(suspicious_names(data) - own_units):
        unit = misspelt_unit(name)
        if data[name] is not None and unit is not None and data.get(unit) is None:
            found.append(MemberWarning(row, f"data.{name}", f"is kept as a property: did you mean {unit}?"))
    return found


_NO_QUANTITY: Final = (
    f"is kept as a property: a quantity is a number from 0 to below 10^{QUANTITY_MAGNITUDE_MAX}, not a text"
)
_UNREAD: Final = {
    "units": "is kept as a property: it is an object of quantities by unit",
    "usage": "is kept as a property: it is no usage object of a provider that is known; "
    "send the units as members of data",
}
