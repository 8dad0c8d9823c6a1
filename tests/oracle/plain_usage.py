"""Outcomes of usage events for the oracle, by passes over lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from tests.oracle.plain_prices import EXACT, PICODOLLAR, TIME_FIRST, CountedEvent, PlainPrices
from tests.oracle.trace_entries import (
    Delivered,
    JsonObject,
    TraceEntry,
    UsageWasRestored,
    UsageWasVoided,
)

TIME_AHEAD_MAX = timedelta(hours=24)
COUNTS = ("input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")


@dataclass(frozen=True)
class Refused:
    source: str | None
    id: str | None
    outcome: str


@dataclass
class Delivery:
    """The outcomes of one `Delivered`: the number of counted events, and all others one by one."""

    counted: int = 0
    refused: list[Refused] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        found = {"counted": self.counted, "duplicate": 0, "conflict": 0, "rejected": 0}
        for refusal in self.refused:
            found[refusal.outcome] += 1
        return found


def canonical(value: Any) -> object:
    """Equal for equal content: order of keys and the way a number is written do not matter."""
    if isinstance(value, dict):
        return ("object", tuple(sorted((key, canonical(item)) for key, item in value.items())))
    if isinstance(value, list | tuple):
        return ("list", tuple(canonical(item) for item in value))
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return (type(value).__name__, value)
    return ("number", str(EXACT.normalize(Decimal(str(value)))))


def instant_of(text: str) -> datetime:
    return datetime.fromisoformat(text)


def is_acceptable(event: JsonObject, recorded_at: datetime) -> bool:
    """Whether intake may take it: the rules that need no history."""
    data = event.get("data", {})
    if not all(isinstance(event.get(name), str) and event[name] for name in ("id", "source", "type")):
        return False
    if event.get("specversion") != "1.0" or not isinstance(data, dict) or customer_of(event) is None:
        return False
    if event["type"] == "llm.request" and not is_request_data(data):
        return False
    time = instant_of(event["time"]) if "time" in event else recorded_at
    return TIME_FIRST <= time < recorded_at + TIME_AHEAD_MAX


def is_request_data(data: JsonObject) -> bool:
    """Whether `data` is valid for llm.request; events of other types may have any data."""
    if not all(is_count(data.get(name, 0)) for name in COUNTS):
        return False
    if data.get("status", "succeeded") not in ("succeeded", "failed", "pending"):
        return False
    return "cost_usd" not in data or is_money(data["cost_usd"])


def is_count(value: Any) -> bool:
    """Whether a value is a valid count; 1.0 is 1."""
    return isinstance(value, int | Decimal) and value >= 0 and value == int(value)


def is_money(value: Any) -> bool:
    number = Decimal(str(value))
    return number.is_finite() and 0 <= number < 10**15 and len(number.as_tuple().digits) <= 38


def customer_of(event: JsonObject) -> str | None:
    data = event.get("data", {})
    for value in (event.get("subject"), data.get("customerId"), data.get("user")):
        if value:
            return str(value)
    return None


def counted_event(order: int, event: JsonObject, recorded_at: datetime) -> CountedEvent:
    data = event.get("data", {}) if event["type"] == "llm.request" else {}
    given = data.get("cost_usd")
    return CountedEvent(
        order=order,
        source=event["source"],
        id=event["id"],
        type=event["type"],
        customer=customer_of(event) or "",
        time=instant_of(event["time"]) if "time" in event else recorded_at,
        provider=data.get("provider"),
        model=data.get("model"),
        tokens=tuple(int(data.get(name, 0)) for name in COUNTS),
        is_root="parent_request" not in data,
        given_cost=None if given is None else Decimal(str(given)).quantize(PICODOLLAR, ROUND_HALF_EVEN, EXACT),
    )


class PlainUsage:
    """The usage of a trace: the outcomes of its deliveries, and the events counted after `known` entries."""

    def __init__(self, entries: Sequence[TraceEntry]) -> None:
        self.deliveries: dict[int, Delivery] = {}
        self.counted: list[CountedEvent] = []
        self._corrections: dict[tuple[str, str], list[tuple[int, bool]]] = {}
        prices = PlainPrices(entries)
        standing: dict[tuple[str, str], object] = {}
        for order, entry in enumerate(entries):
            match entry:
                case Delivered():
                    self.deliveries[order] = self._deliver(order, entry, standing)
                case UsageWasVoided(source=source, id=event_id):
                    self._corrections.setdefault((source, event_id), []).append((order, True))
                case UsageWasRestored(source=source, id=event_id):
                    self._corrections.setdefault((source, event_id), []).append((order, False))
        self.costs = {(event.source, event.id): prices.history(event) for event in self.counted}
        self.by_customer: dict[str, list[CountedEvent]] = {}
        for event in self.counted:
            self.by_customer.setdefault(event.customer, []).append(event)

    def _deliver(self, order: int, entry: Delivered, standing: dict[tuple[str, str], object]) -> Delivery:
        ended = Delivery()
        for event in entry.events:
            source, event_id = event.get("source"), event.get("id")
            if not is_acceptable(event, entry.recorded_at):
                ended.refused.append(Refused(source, event_id, "rejected"))
                continue
            identity = (event["source"], event["id"])
            content = canonical(event)
            if identity in standing:
                outcome = "duplicate" if standing[identity] == content else "conflict"
                ended.refused.append(Refused(source, event_id, outcome))
                continue
            standing[identity] = content
            ended.counted += 1
            self.counted.append(counted_event(order, event, entry.recorded_at))
        return ended

    def is_void(self, event: CountedEvent, known: int) -> bool:
        void = False
        for order, voided in self._corrections.get((event.source, event.id), ()):
            if order < known:
                void = voided
        return void

    def between(self, customer: str, start: datetime, end: datetime, known: int) -> Iterator[CountedEvent]:
        """Requests of one customer with start <= time < end that count, as known after `known` entries."""
        for event in self.by_customer.get(customer, ()):
            inside = start <= event.time < end and event.order < known and event.type == "llm.request"
            if inside and not self.is_void(event, known):
                yield event

    def cost(self, event: CountedEvent, known: int) -> Decimal | None:
        return self.costs[event.source, event.id].at(known)

    def cost_is_unknown(self, event: CountedEvent, known: int) -> bool:
        return self.costs[event.source, event.id].unknown_at(known)
