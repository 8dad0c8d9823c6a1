"""What can happen to a metering engine, told plainly: what the oracle reads and the real engine is driven with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

JsonObject = dict[str, Any]


@dataclass(frozen=True)
class Happening:
    """Something the engine learned of at `recorded_at`. A trace lists them in that order, all instants different."""

    recorded_at: datetime


@dataclass(frozen=True)
class Delivered(Happening):
    """Usage events that came together, as CloudEvents objects."""

    events: tuple[JsonObject, ...]


@dataclass(frozen=True)
class CustomerWasCreated(Happening):
    """`fields` are flat: time_zone, markup_percentage, usage_duration, period_limit_usd ..., as JSON values."""

    customer: str
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CustomerWasChanged(Happening):
    """A field that is None was cleared. `effective_at` None: when it was recorded."""

    customer: str
    fields: Mapping[str, Any]
    effective_at: datetime | None = None


@dataclass(frozen=True)
class CustomerWasDeleted(Happening):
    customer: str


@dataclass(frozen=True)
class CustomerWasBlocked(Happening):
    customer: str


@dataclass(frozen=True)
class CustomerWasUnblocked(Happening):
    customer: str


@dataclass(frozen=True)
class BudgetWasCreated(Happening):
    budget: str
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class BudgetWasChanged(Happening):
    budget: str
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class Prices:
    """USD per million tokens; `request` per request. None: like the whole it is part of."""

    input: Decimal
    output: Decimal
    cached_input: Decimal | None = None
    cache_write: Decimal | None = None
    reasoning: Decimal | None = None
    request: Decimal | None = None


@dataclass(frozen=True)
class PriceWasGiven(Happening):
    """From `effective_from` on (None: since ever) in event time; `tiers`: from more than so many input tokens on."""

    provider: str
    model: str
    effective_from: datetime | None
    prices: Prices
    tiers: tuple[tuple[int, Prices], ...] = ()


@dataclass(frozen=True)
class UsageWasVoided(Happening):
    source: str
    id: str


@dataclass(frozen=True)
class UsageWasRestored(Happening):
    source: str
    id: str
