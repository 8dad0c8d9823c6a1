"""Entries of a trace: the inputs of a metering engine as plain values, for the oracle and the real engine alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

JsonObject = dict[str, Any]


@dataclass(frozen=True)
class TraceEntry:
    """One input of the engine, recorded at `recorded_at`. A trace lists its entries in that order; no two are equal."""

    recorded_at: datetime


@dataclass(frozen=True)
class Delivered(TraceEntry):
    """A batch of usage events, as CloudEvents objects."""

    events: tuple[JsonObject, ...]


@dataclass(frozen=True)
class CustomerWasCreated(TraceEntry):
    """`fields` are flat: time_zone, markup_percentage, usage_duration, period_limit_usd ..., as JSON values."""

    customer: str
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CustomerWasChanged(TraceEntry):
    """A field that is None is cleared. `effective_at` None: the recorded time."""

    customer: str
    fields: Mapping[str, Any]
    effective_at: datetime | None = None


@dataclass(frozen=True)
class CustomerWasDeleted(TraceEntry):
    customer: str


@dataclass(frozen=True)
class CustomerWasBlocked(TraceEntry):
    customer: str


@dataclass(frozen=True)
class CustomerWasUnblocked(TraceEntry):
    customer: str


@dataclass(frozen=True)
class BudgetWasCreated(TraceEntry):
    budget: str
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class BudgetWasChanged(TraceEntry):
    budget: str
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class Prices:
    """USD per million tokens; `request` in USD per request. None: the price of the whole that it is part of."""

    input: Decimal
    output: Decimal
    cached_input: Decimal | None = None
    cache_write: Decimal | None = None
    reasoning: Decimal | None = None
    request: Decimal | None = None


@dataclass(frozen=True)
class PriceWasGiven(TraceEntry):
    """Valid from `effective_from` on in event time (None: always); `tiers`: (input tokens to exceed, prices).

    `customer`: whose price it is; None: the tenant's.
    """

    provider: str
    model: str
    effective_from: datetime | None
    prices: Prices
    tiers: tuple[tuple[int, Prices], ...] = ()
    customer: str | None = None


@dataclass(frozen=True)
class DiscountWasGiven(TraceEntry):
    """Percent off what a customer would pay, on a model or (None) on every one, from `effective_from` on."""

    customer: str
    provider: str | None
    model: str | None
    percentage: Decimal
    effective_from: datetime | None = None


@dataclass(frozen=True)
class UsageWasVoided(TraceEntry):
    source: str
    id: str


@dataclass(frozen=True)
class UsageWasRestored(TraceEntry):
    source: str
    id: str
