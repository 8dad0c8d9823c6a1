"""Values exactly on a bound: instants at which something begins or ends, sizes of tiers, limits, halves."""

from __future__ import annotations

from typing import Any

from tests.engine_fixtures import JsonObject, customer_path
from tests.golden.history_of_usage import event
from tests.golden.stage import Stage

#: Ends of months and days in several zones, of anchored periods, changes of clocks, and when facts begin to hold.
INSTANTS = (
    "2025-01-13T17:00:00Z",
    "2025-01-20T00:00:00Z",
    "2025-01-31T11:22:33Z",
    "2025-01-31T23:00:00Z",
    "2025-02-01T00:00:00Z",
    "2025-02-01T05:00:00Z",
    "2025-02-02T07:30:00Z",
    "2025-02-03T10:00:00Z",
)
_CUSTOMERS = ("ada", "eli", "jon", "in-the-gap", "month-end-31", "lou", "seen-1")
_LIFE_ENDS = "2025-02-14T18:20:00Z"
_LATER_FROM = "2025-01-05T00:00:00Z"


def _deep(input_tokens: int, output_tokens: int = 1) -> JsonObject:
    return {"provider": "acme", "model": "deep", "input_tokens": input_tokens, "output_tokens": output_tokens}


def open_edges(stage: Stage) -> None:
    """Set a price whose costs end in half of the last decimal, and limits that are met exactly."""
    tie = {"provider": "acme", "model": "tie", "unit_prices": {"input": "0.0000005", "output": "0.0000015"}}
    stage.admin.post("/v1/prices", tie)
    stage.admin.post("/v1/customers", {"id": "exact total", "budget": {"total_limit_usd": "0.5"}})
    period = {"period_limit_usd": "0.5", "soft_limit_usd": "0.5", "duration": "1y"}
    by_model = {"model_limits": {"swift": {"limit_usd": "0.5"}}}
    stage.admin.post("/v1/customers", {"id": "exact period", "budget": {**period, **by_model}})


def send_edges(stage: Stage) -> None:
    """Send events at exact instants, of exact sizes, for exact amounts."""
    times = [
        event(f"edge {customer} {time}", customer, time, source="edges", data=_deep(999))
        for customer in _CUSTOMERS
        for time in INSTANTS
        if time < stage.clock().isoformat()
    ]
    dated = {"provider": "volt", "model": "dated", "input_tokens": 1_000_003}
    sizes: list[tuple[str, JsonObject]] = [(f"size {size}", _deep(size)) for size in (20_000, 20_001, 60_000, 60_001)]
    halves: list[tuple[str, JsonObject]] = [
        (f"half {tokens}", {"provider": "acme", "model": "tie", "input_tokens": tokens}) for tokens in (1, 3, 5)
    ]
    others: list[tuple[str, JsonObject]] = [*sizes, *halves, ("half out", {**halves[0][1], "output_tokens": 2})]
    now = stage.clock()
    alone = [event(f"edge {name}", "edges only", now, source="edges", data=data) for name, data in others]
    alone.append(event("edge price", "edges only", "2025-02-01T00:00:00Z", source="edges", data=dated))
    spent = {"cost_usd": "0.5", "model": "swift", "provider": "acme"}
    exact = [event(f"edge {one}", one, now, source="edges", data=spent) for one in ("exact total", "exact period")]
    stage.admin.deliver([*times, *alone, *exact])


def send_at_closing(stage: Stage) -> None:
    """Send an event of January at the instant at which January closes, and a fact of that instant."""
    late = event("edge closing", "jon", "2025-01-31T12:00:00Z", source="edges", data=_deep(5_000))
    stage.admin.deliver([late])
    stage.admin.patch(customer_path("lou"), {"markup_percentage": "3", "effective_at": "2025-01-20T00:00:00Z"})


def send_where_lives_end(stage: Stage) -> None:
    """Send events at the instant of a deletion, just before it, and at instants from which prices apply."""
    before = "2025-02-14T18:19:59.999999Z"
    events: list[Any] = [
        event(f"edge {customer} {time}", customer, time, source="edges", data=_deep(7))
        for customer in ("gone", "seen-4", "dora")
        for time in (before, _LIFE_ENDS)
    ]
    for model, time in (("dated", "2025-02-01T00:00:00Z"), ("dated", "2025-01-01T00:00:00Z"), ("later", _LATER_FROM)):
        data = {"provider": "volt", "model": model, "input_tokens": 1_000_003}
        events.append(event(f"edge {model} {time}", "edges only", time, source="edges", data=data))
    stage.admin.deliver(events)
