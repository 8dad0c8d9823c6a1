"""Plans derived from their facts. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

import msgspec

from domain.charges.models import ChargeModel, charge_model
from domain.facts.in_effect import existing_at
from projections.queries.facts import Fact
from projections.views.meters import NO_FIELDS

#: Plans whose charges are kept, the last ones that were read.
PLANS_KEPT_MAX: Final = 32


class ChargeFilter(msgspec.Struct, frozen=True):
    """The events of a charge that have a price of their own; see `domain.plans.charge_filters`."""

    values: Mapping[str, tuple[str, ...]]  # by path; empty: all
    price: ChargeModel
    name: str | None


class PlanCharge(msgspec.Struct, frozen=True):
    """What a plan charges for one meter. `group_by`: paths into the data of events, priced apart."""

    code: str
    meter: str
    price: ChargeModel
    name: str | None
    group_by: tuple[str, ...]
    minimum_amount: Decimal | None
    filters: tuple[ChargeFilter, ...] = ()
    dialect_fields: Mapping[str, Any] = NO_FIELDS


class PlanView(msgspec.Struct, frozen=True):
    """A plan at an instant. `amount`: the fee of a whole interval, which is not usage."""

    code: str
    interval: str
    currency: str
    name: str | None
    description: str | None
    charges: tuple[PlanCharge, ...]
    created_at: datetime
    updated_at: datetime
    amount: Decimal | None = None
    dialect_fields: Mapping[str, Any] = NO_FIELDS


def plan_view(code: str, facts: Sequence[Fact], now: datetime, *, reaching_back: bool = False) -> PlanView | None:
    """The plan at `now`; None when it does not exist then. `reaching_back`: as it is created, if it is not yet."""
    state = existing_at(facts, now, reaching_back=reaching_back)
    if state is None:
        return None
    fields = state.fields
    return PlanView(
        code=code,
        interval=fields["interval"],
        currency=fields["currency"],
        name=fields.get("name"),
        description=fields.get("description"),
        charges=_charges(msgspec.json.encode(fields.get("charges", ()))),
        created_at=state.created_at,
        updated_at=state.since,
        amount=None if "amount" not in fields else Decimal(fields["amount"]),
        dialect_fields=fields.get("dialect_fields", NO_FIELDS),
    )


@lru_cache(PLANS_KEPT_MAX)
def _charges(stored: bytes) -> tuple[PlanCharge, ...]:
    """Read the charges of a plan, which are read again and again while they stay the same."""
    return tuple(map(_charge, msgspec.json.decode(stored)))


def _charge(stored: Mapping[str, Any]) -> PlanCharge:
    minimum = stored.get("minimum_amount")
    return PlanCharge(
        code=stored["code"],
        meter=stored["meter"],
        price=charge_model("price", stored["price"]),
        name=stored.get("name"),
        group_by=tuple(stored.get("group_by", ())),
        minimum_amount=None if minimum is None else Decimal(minimum),
        filters=tuple(map(_filter, stored.get("filters", ()))),
        dialect_fields=stored.get("dialect_fields", NO_FIELDS),
    )


def _filter(stored: Mapping[str, Any]) -> ChargeFilter:
    return ChargeFilter(
        values={path: tuple(texts) for path, texts in stored["values"].items()},
        price=charge_model("price", stored["price"]),
        name=stored.get("name"),
    )
