"""The range of a re-pricing: which events it gives another cost, and the rules for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final, Literal, get_args

import msgspec

from domain.errors import InvalidInput
from domain.values.field_rules import model_name
from domain.values.identifiers import checked_id
from domain.values.periods import ANCHOR_LIMIT, ANCHOR_MIN

MODELS_MAX: Final = 100
CUSTOMERS_MAX: Final = 1_000

#: What becomes of costs that producers gave: `keep` them all, or give those of `zeros` a price.
GivenCosts = Literal["keep", "zeros"]


class RepricingRange(msgspec.Struct, frozen=True):
    """Events that a price can be given to: those that a price gave their cost, of requests to models.

    Each condition narrows the range; an empty one does not. `provider`: as events name it, empty for events that name
    none; None for any. `start` and `end`: of event time, half-open. With `given_costs` `zeros`, events are in it too
    whose producer gave a cost of 0, unless they say that a cache answered.
    """

    models: tuple[str, ...] = ()
    provider: str | None = None
    customers: tuple[str, ...] = ()
    start: datetime | None = None
    end: datetime | None = None
    given_costs: GivenCosts = "keep"


def checked_range(asked: RepricingRange) -> RepricingRange:
    """Return the range without repetitions, in order; `InvalidInput`, with names as on the wire, for a broken rule."""
    if asked.given_costs not in get_args(GivenCosts):
        raise InvalidInput("given_costs", f"must be one of {', '.join(get_args(GivenCosts))}")
    for field, moment in (("from", asked.start), ("to", asked.end)):
        if moment is not None and (moment.tzinfo is None or not ANCHOR_MIN <= moment < ANCHOR_LIMIT):
            raise InvalidInput(field, "must be an instant with an offset, between 1970 and 2200")
    if asked.start is not None and asked.end is not None and asked.start >= asked.end:
        raise InvalidInput("to", "must be after from")
    return msgspec.structs.replace(
        asked,
        models=_checked("models", asked.models, MODELS_MAX, model_name),
        provider=model_name("provider", asked.provider) if asked.provider else asked.provider,
        customers=_checked("customers", asked.customers, CUSTOMERS_MAX, checked_id),
    )


def _checked(field: str, names: tuple[str, ...], names_max: int, checked: Callable[[str, str], str]) -> tuple[str, ...]:
    if len(names) > names_max:
        raise InvalidInput(field, f"must be at most {names_max}")
    return tuple(sorted({checked(f"{field}.{index}", name) for index, name in enumerate(names)}))
