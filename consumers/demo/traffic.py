"""Demo traffic of a month: a pure function of the day, so that sending it again counts nothing twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import product
from random import Random
from typing import Any, Final, NamedTuple

import msgspec

DAYS: Final = 31
CUSTOMERS: Final = 300
NAMED_CUSTOMERS: Final = 40
WEEKDAY_EVENTS: Final = 2_400
WEEKEND_EVENTS: Final = 900
SOURCE: Final = "demo-gateway"
_SEED: Final = "meterfold-demo-1"
_FAILED_SHARE: Final = 0.02
_CACHED_SHARE: Final = 0.3

_FIRST: Final = (
    "amber", "birch", "cedar", "delta", "ember", "fjord", "glade", "harbor", "iris", "juniper",
    "kelp", "lumen", "maple", "north", "opal", "pine", "quartz", "river", "slate", "tidal",
)  # fmt: skip
_SECOND: Final = (
    "analytics", "bank", "books", "care", "cloud", "energy", "foods", "games",
    "health", "labs", "legal", "media", "motors", "robotics", "travel",
)  # fmt: skip
_ZONES: Final = ("America/New_York", "Europe/Berlin", "Asia/Tokyo", "UTC")
_FEATURES: Final = ("chat", "search", "summary", "agent")
#: Relative load of each hour, UTC: quiet nights, two peaks a day.
_HOURS: Final = (2, 1, 1, 1, 2, 3, 5, 8, 12, 14, 13, 11, 10, 13, 15, 15, 14, 12, 9, 7, 6, 5, 4, 3)


class Model(NamedTuple):
    """A model with the weight of its choice and its typical token counts."""

    provider: str
    name: str
    weight: int
    input_tokens: int
    output_tokens: int


_MODELS: Final = (
    Model("openai", "gpt-4o", 30, 1800, 320),
    Model("openai", "gpt-4o-mini", 35, 900, 180),
    Model("anthropic", "claude-sonnet-4-0", 20, 3200, 600),
    Model("google", "gemini-2.5-flash", 15, 1500, 250),
)


class Tier(NamedTuple):
    """A shared budget of the demo."""

    id: str
    name: str
    period_limit_usd: str


TIERS: Final = (
    Tier("demo-scale", "Scale", "250"),
    Tier("demo-team", "Team", "40"),
    Tier("demo-free", "Free", "3"),
)


def customer_ids() -> list[str]:
    """Return the ids of all customers, the one with most usage first."""
    names = [f"{first}-{second}" for first, second in product(_FIRST, _SECOND)]
    Random(_SEED).shuffle(names)  # noqa: S311 -- made-up traffic
    return names[:CUSTOMERS]


def named_customers(since: datetime) -> Iterator[dict[str, Any]]:
    """Yield the request bodies of the customers to create explicitly; the others are created by their first usage."""
    for rank, customer in enumerate(customer_ids()[:NAMED_CUSTOMERS]):
        tier = TIERS[min(rank // 8, len(TIERS) - 1)]
        yield {
            "id": customer,
            "name": customer.replace("-", " ").title(),
            "email": f"billing@{customer}.example",
            "time_zone": _ZONES[rank % len(_ZONES)],
            "markup_percentage": "20" if rank % 3 == 0 else "0",
            "budget": {"budget_id": tier.id},
            "effective_at": since.isoformat(),
        }


def days_until(now: datetime) -> list[date]:
    """Return the days of the month that ends now."""
    today = now.astimezone(UTC).date()
    return [today - timedelta(days=back) for back in reversed(range(DAYS))]


def events_of(day: date, until: datetime) -> list[bytes]:
    """Return the usage of a day before `until`, in order of time, each event a CloudEvent as one line of JSON."""
    rng = Random(f"{_SEED}/{day.isoformat()}")  # noqa: S311 -- made-up traffic
    customers = customer_ids()
    weights = [1 / (rank + 3) for rank in range(len(customers))]
    count = WEEKDAY_EVENTS if day.weekday() < 5 else WEEKEND_EVENTS
    instants = sorted(_instant(rng, day) for _ in range(count))
    chosen = rng.choices(customers, weights, k=count)
    events = [_event(rng, day, number, chosen[number], instants[number]) for number in range(count)]
    return [msgspec.json.encode(event) for event, instant in zip(events, instants, strict=True) if instant < until]


def _instant(rng: Random, day: date) -> datetime:
    (hour,) = rng.choices(range(24), _HOURS)
    seconds = hour * 3600 + rng.random() * 3600
    return datetime.combine(day, time(), UTC) + timedelta(seconds=round(seconds, 3))


def _event(rng: Random, day: date, number: int, customer: str, instant: datetime) -> dict[str, Any]:
    (model,) = rng.choices(_MODELS, [model.weight for model in _MODELS])
    input_tokens = 1 + int(rng.lognormvariate(0, 0.8) * model.input_tokens)
    output_tokens = 1 + int(rng.lognormvariate(0, 0.7) * model.output_tokens)
    failed = rng.random() < _FAILED_SHARE
    cached = input_tokens // 2 if rng.random() < _CACHED_SHARE else 0
    data = {
        "provider": model.provider,
        "model": model.name,
        "status": "failed" if failed else "succeeded",
        "input_tokens": input_tokens,
        "cached_input_tokens": cached,
        "output_tokens": 0 if failed else output_tokens,
        "latency_ms": 200 + 12 * output_tokens,
        "tags": [rng.choice(_FEATURES)],
    }
    return {
        "specversion": "1.0",
        "id": f"{day.isoformat()}-{number:05d}",
        "source": SOURCE,
        "type": "llm.request",
        "subject": customer,
        "time": instant.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "data": data,
    }
