"""The range of a backfill: which events it may load, and which counted events a replacement withdraws."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal, get_args

import msgspec

from domain.errors import InvalidInput
from domain.values.identifiers import checked_id
from domain.values.periods import ANCHOR_LIMIT, ANCHOR_MIN

CUSTOMERS_MAX: Final = 1_000
SOURCES_MAX: Final = 100

#: `add`: loaded events join those that are counted. `replace`: the counted events of the range are withdrawn before.
BackfillMode = Literal["add", "replace"]


class BackfillRange(msgspec.Struct, frozen=True):
    """Events of a time, half-open, of some customers and sources; empty: of all of them."""

    start: datetime
    end: datetime
    customers: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    def overlaps(self, other: BackfillRange) -> bool:
        """Whether an event can be in both ranges."""
        return (
            self.start < other.end
            and other.start < self.end
            and _share(self.customers, other.customers)
            and _share(self.sources, other.sources)
        )


def _share(names: tuple[str, ...], others: tuple[str, ...]) -> bool:
    return not names or not others or not set(names).isdisjoint(others)


def checked_range(asked: BackfillRange) -> BackfillRange:
    """Return the range without repetitions, in order; `InvalidInput`, with names as on the wire, for a broken rule."""
    for field, moment in (("from", asked.start), ("to", asked.end)):
        if moment.tzinfo is None or not ANCHOR_MIN <= moment < ANCHOR_LIMIT:
            raise InvalidInput(field, "must be an instant with an offset, between 1970 and 2200")
    if asked.start >= asked.end:
        raise InvalidInput("to", "must be after from")
    return msgspec.structs.replace(
        asked,
        customers=_checked("customers", asked.customers, CUSTOMERS_MAX),
        sources=_checked("sources", asked.sources, SOURCES_MAX),
    )


def checked_mode(mode: str) -> BackfillMode:
    """Return the mode; `InvalidInput` when there is no such mode."""
    for known in get_args(BackfillMode):
        if mode == known:
            found: BackfillMode = known
            return found
    raise InvalidInput("mode", f"must be one of {', '.join(get_args(BackfillMode))}")


def _checked(field: str, names: tuple[str, ...], names_max: int) -> tuple[str, ...]:
    if len(names) > names_max:
        raise InvalidInput(field, f"must be at most {names_max}")
    return tuple(sorted({checked_id(f"{field}.{index}", name) for index, name in enumerate(names)}))
