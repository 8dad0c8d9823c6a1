"""Thirteen months of usage from a seed, with regular, late, repeated, contradictory and invalid deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

from tests.oracle.cast import END, HOSTILE, SILENCES, START, members, scripted_entries, utc
from tests.oracle.trace_entries import (
    Delivered,
    JsonObject,
    TraceEntry,
    UsageWasRestored,
    UsageWasVoided,
)

SOURCES = ("gateway-a", "gateway-b", "batch/eu west")
MODELS = (("acme", "swift"), ("acme", "deep"), ("volt", "dated"), ("volt", "later"))
REMEMBERED_MAX = 400
CHECKPOINTS = (
    utc("2025-04-01T00:30"),  # a closed month that still takes late events, in some zones
    utc("2025-07-15T12:00"),
    utc("2025-11-02T05:45"),  # the hour that New York has twice
    END,
)


@dataclass(frozen=True)
class Trace:
    entries: tuple[TraceEntry, ...]
    checkpoints: tuple[datetime, ...]
    customers: tuple[str, ...]


def delivery_instants(random: Random, deliveries: int) -> list[datetime]:
    """Spread at random, and close to the ends of months where a microsecond decides."""
    span = (END - START) // timedelta(microseconds=1)
    spread = [START + timedelta(microseconds=random.randrange(10_000_000, span)) for _ in range(deliveries)]
    edges = []
    for month in range(1, 13):
        end = utc(f"2025-{month + 1:02}-01") if month < 12 else utc("2026-01-01")
        for after in (timedelta(minutes=-3), timedelta(minutes=59, microseconds=59_999_999), timedelta(hours=1)):
            edges.append(end + after)
    return sorted({*spread, *edges})


class Traffic:
    """Makes deliveries; remembers some of what it sent, to send it again."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._members = members()
        self._weights = [random.choice((1, 1, 2, 3, 5)) for _ in self._members]
        self._sent: list[JsonObject] = []
        self._number = 0

    def delivery(self, since: datetime, at: datetime, events: int) -> Delivered:
        made = [self._one(since, at) for _ in range(events)]
        return Delivered(at, tuple(made))

    def _one(self, since: datetime, at: datetime) -> JsonObject:
        chance = self._random.random()
        if chance < 0.03 and self._sent:
            return respelled(self._random, self._random.choice(self._sent))
        if chance < 0.04 and self._sent:
            return self._contradiction(self._random.choice(self._sent))
        event = self._honest(since, at)
        if chance < 0.05:
            return self._broken(event, at)
        self._remember(event)
        return event

    def _remember(self, event: JsonObject) -> None:
        if len(self._sent) < REMEMBERED_MAX:
            self._sent.append(event)
        else:
            self._sent[self._random.randrange(REMEMBERED_MAX)] = event

    def _honest(self, since: datetime, at: datetime) -> JsonObject:
        random = self._random
        self._number += 1
        customer = random.choices(self._members, self._weights)[0]
        time = self._time(customer, since, at)
        event: JsonObject = {
            "specversion": "1.0",
            "id": f"event {self._number}",
            "source": random.choice(SOURCES),
            "type": "llm.request" if random.random() < 0.98 else "disk.sampled",
            "subject": customer,
            "time": time.isoformat(),
            "data": self._data(),
        }
        if random.random() < 0.02 and customer not in {silence.customer for silence in SILENCES}:
            del event["time"]  # the recorded time
        return event

    def _time(self, customer: str, since: datetime, at: datetime) -> datetime:
        random = self._random
        chance = random.random()
        time = since + (at - since) * random.random()
        if chance < 0.03:
            time -= timedelta(minutes=random.randrange(30, 60 * 24 * 40))
        elif chance < 0.035:
            time = at + timedelta(minutes=random.randrange(1, 600))
        elif chance < 0.06:
            time = time.replace(minute=0, second=0, microsecond=0)
        for silence in SILENCES:
            if silence.customer == customer and silence.start <= time < silence.end:
                time = silence.start - timedelta(minutes=random.randrange(1, 60 * 24 * 20))
        return time

    def _data(self) -> JsonObject:
        random = self._random
        whole_input, whole_output = random.randrange(1, 80_000), random.randrange(0, 4_000)
        provider, model = random.choices(MODELS, (5, 2, 3, 2))[0]
        data: JsonObject = {"provider": provider, "model": model}
        data |= {"input_tokens": whole_input, "output_tokens": whole_output}
        if random.random() < 0.4:
            data["cached_input_tokens"] = random.randrange(0, whole_input // 2 + 1)
            data["cache_write_tokens"] = random.randrange(0, whole_input // 4 + 1)
        if random.random() < 0.3:
            data["reasoning_tokens"] = random.randrange(0, whole_output + 1)
        if random.random() < 0.08:
            data["status"] = random.choice(("failed", "pending", "succeeded"))
        if random.random() < 0.15:
            cost = Decimal(random.randrange(0, 50_000_000_000)).scaleb(-random.choice((12, 12, 11, 14)))
            data["cost_usd"] = format(cost, "f") if random.random() < 0.5 else cost
        elif random.random() < 0.04:
            del data["provider"], data["model"]  # no model and no cost: not unknown, there is none
        if random.random() < 0.15:
            data["parent_request"] = f"event {random.randrange(self._number + 1)}"
        if random.random() < 0.2:
            data |= {"latency_ms": random.randrange(10, 9_000), "feature": random.choice(("chat", "search"))}
        return data

    def _contradiction(self, event: JsonObject) -> JsonObject:
        return {**event, "data": {**event["data"], "output_tokens": event["data"]["output_tokens"] + 1}}

    def _broken(self, event: JsonObject, at: datetime) -> JsonObject:
        data = event["data"]
        broken: Sequence[JsonObject] = (
            {**event, "time": (at + timedelta(hours=24)).isoformat()},
            {**event, "time": "1979-12-31T23:59:59.999999+00:00"},
            {**event, "data": {**data, "input_tokens": -1}},
            {**event, "data": {**data, "output_tokens": "many"}},
            {**event, "data": {**data, "cost_usd": "1." + "3" * 39}},
            {**event, "data": {**data, "status": "perhaps"}},
            {name: value for name, value in event.items() if name != "subject"},
            {**event, "id": ""},
        )
        return self._random.choice(broken)


def respelled(random: Random, event: JsonObject) -> JsonObject:
    """The same content in another spelling: members in another order, whole numbers with a decimal point."""
    data = {
        name: Decimal(f"{value}.0") if isinstance(value, int) and random.random() < 0.5 else value
        for name, value in event["data"].items()
    }
    members_of_it = list({**event, "data": dict(reversed(data.items()))}.items())
    random.shuffle(members_of_it)
    return dict(members_of_it)


def corrections(random: Random, delivered: Sequence[Delivered]) -> list[TraceEntry]:
    """Voids, some before their event, and some restored."""
    found: list[TraceEntry] = []
    for delivery in random.sample(delivered, len(delivered) // 12):
        event = random.choice(delivery.events)
        if not event["id"]:
            continue
        shift = timedelta(minutes=random.choice((-600, 45, 3_000, 60_000)), microseconds=random.randrange(1, 999_999))
        at = min(
            max(delivery.recorded_at + shift, START + timedelta(minutes=1)), END - timedelta(minutes=random.random())
        )
        found.append(UsageWasVoided(at, event["source"], event["id"]))
        back = at + timedelta(days=random.randrange(1, 40))
        if random.random() < 0.35 and back < END:
            found.append(UsageWasRestored(back, event["source"], event["id"]))
    return found


def make_trace(seed: int, events: int = 24_000, deliveries: int = 700) -> Trace:
    """A trace of about `events` usage events in about `deliveries` deliveries, and all scripted entries."""
    random = Random(seed)
    traffic = Traffic(random)
    instants = delivery_instants(random, deliveries)
    each = max(1, events // len(instants))
    delivered = []
    since = START
    for at in instants:
        delivered.append(traffic.delivery(since, at, random.randrange(1, 2 * each + 1)))
        since = at
    entries: list[TraceEntry] = [*delivered, *scripted_entries(), *corrections(random, delivered)]
    entries.sort(key=lambda it: it.recorded_at)
    assert len({it.recorded_at for it in entries}) == len(entries), "every entry has an instant of its own"
    assert set(HOSTILE) < set(members())
    return Trace(tuple(entries), CHECKPOINTS, members())
