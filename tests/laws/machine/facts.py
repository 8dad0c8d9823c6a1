"""The facts that were acknowledged: all that the plain model keeps. Each has its log position and recorded time."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from tests.engine_fixtures import JsonObject

PROVIDER: Final = "acme"
Identity = tuple[str, str]


class Sent(msgspec.Struct, frozen=True):
    """The content of a usage event. Without a time, that of arrival counts; without a cost, prices tell it."""

    source: str
    id: str
    customer: str
    time: datetime | None
    model: str
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal | None

    @property
    def identity(self) -> Identity:
        return self.source, self.id

    def as_cloudevent(self) -> JsonObject:
        data: JsonObject = {"provider": PROVIDER, "model": self.model}
        data |= {"input_tokens": self.input_tokens, "output_tokens": self.output_tokens}
        if self.cost_usd is not None:
            data["cost_usd"] = str(self.cost_usd)
        event = {"specversion": "1.0", "source": self.source, "id": self.id, "type": "llm.request"}
        event |= {} if self.time is None else {"time": self.time.isoformat()}
        return {**event, "subject": self.customer, "data": data}


class Range(msgspec.Struct, frozen=True):
    """Which events a run is about. What is empty or None is no condition."""

    customers: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    start: datetime | None = None
    end: datetime | None = None

    def holds(self, event: Sent, time: datetime) -> bool:
        return (
            (not self.customers or event.customer in self.customers)
            and (not self.sources or event.source in self.sources)
            and (not self.models or event.model in self.models)
            and (self.start is None or self.start <= time)
            and (self.end is None or time < self.end)
        )

    def as_json(self, *members: str) -> JsonObject:
        """What is asked for; of the lists only `members`."""
        asked: JsonObject = {name: list(getattr(self, name)) for name in members if getattr(self, name)}
        asked |= {} if self.start is None else {"from": self.start.isoformat()}
        return asked | ({} if self.end is None else {"to": self.end.isoformat()})


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    position: int
    at: datetime


class Delivered(Fact, frozen=True):
    """One event that intake took; those of a request have one position, in their order."""

    sent: Sent


class Corrected(Fact, frozen=True):
    """A single void (`is_void`) or restoration."""

    identity: Identity
    is_void: bool


class Amended(Fact, frozen=True):
    """Members of the content that changed, with their new values."""

    identity: Identity
    changes: dict[str, Any]


class CorrectionCommitted(Fact, frozen=True):
    run: str
    is_void: bool
    range: Range
    previewed_at: int


class RepricingCommitted(Fact, frozen=True):
    run: str
    range: Range
    previewed_at: int


class BackfillCommitted(Fact, frozen=True):
    """The events that were loaded count. A replacement withdraws first what is in its range."""

    run: str
    replaces: bool
    range: Range
    previewed_at: int
    loaded: tuple[Sent, ...]


class RunReverted(Fact, frozen=True):
    """A run of any of these kinds was taken back; no two of them share a name."""

    run: str


class PriceSet(Fact, frozen=True):
    """Dollars a million tokens. Without `effective_from` a price holds from the beginning of time."""

    model: str
    input_usd: Decimal
    output_usd: Decimal
    effective_from: datetime | None


class CustomerSaid(Fact, frozen=True):
    """Fields of a customer, with their values from `effective_at` on."""

    customer: str
    effective_at: datetime
    fields: dict[str, Any]
    is_creation: bool = False


class CustomerDeleted(Fact, frozen=True):
    customer: str


class Subscribed(Fact, frozen=True):
    """A subscription of Lago's, from the instant of the fact on."""

    customer: str


def price_at(facts: tuple[Fact, ...], sent: Sent, time: datetime) -> Decimal | None:
    """What an event costs by the prices among these facts; None where no price is in force at its time."""
    in_force = [
        one
        for one in facts
        if isinstance(one, PriceSet)
        and one.model == sent.model
        and (one.effective_from is None or one.effective_from <= time)
    ]
    if not in_force:
        return None
    beginning = datetime.min.replace(tzinfo=time.tzinfo)
    price = max(in_force, key=lambda one: (one.effective_from or beginning, one.position))
    return (price.input_usd * sent.input_tokens + price.output_usd * sent.output_tokens) / 1_000_000
