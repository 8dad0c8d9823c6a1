"""Usage over HTTP: models with and without prices, other types; late, repeated, voided and rejected events."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec

from tests.engine_fixtures import CLOUDEVENT, CLOUDEVENTS, NDJSON, JsonObject
from tests.golden.history_of_customers import ACME, HOSTILE, TEST
from tests.golden.stage import Stage, utc

SEEN = tuple(f"seen-{number}" for number in range(1, 7))
CREATED = (
    "ada", "ada", "eli", "eli", "lord", "kolkata", "month-end-29", "month-end-31", "in-the-gap", "ivy", "own-limit",
    "jon", "doomed", "hostile-tier", "kim", "lou", "opening-total", "moe", "dora", "gone", "gus", "hal", "ahead",
    "back",
)  # fmt: skip
MODELS = (
    ("acme", "swift"), ("acme", "deep"), ("volt", "dated"), ("volt", "later"), ("openai", "gpt-4o"),
    ("", "nobody-knows"),
)  # fmt: skip


def event(event_id: str, customer: str | None, time: str | datetime | None, **more: Any) -> JsonObject:
    """A CloudEvent; `data` and everything else as given."""
    sent_time = time.isoformat() if isinstance(time, datetime) else time
    attributes = {"id": event_id, "source": "gateway", "type": "llm.request", "subject": customer, "time": sent_time}
    given = {name: value for name, value in attributes.items() if value is not None}
    return {"specversion": "1.0", **given, **more}


def send_usage(stage: Stage, name: str, count: int, since: str) -> None:
    """Send requests of all customers between an instant and now, in three forms of body."""
    events = [_request(stage, f"{name} {number}", since) for number in range(count)]
    third = count // 3
    stage.admin.deliver(events[:third])
    stage.keys_of("ingester").deliver(events[third : 2 * third], as_lines=True)
    stage.admin.deliver(events[2 * third :])
    for key in (ACME, TEST):
        own = [{**one, "subject": "ada"} for one in events[:3]]
        stage.keys_of(key).deliver(own)


def _request(stage: Stage, event_id: str, since: str) -> JsonObject:
    random = stage.random
    customer = random.choice(CREATED + SEEN + HOSTILE)
    span = (stage.clock() - utc(since)) // timedelta(microseconds=1)
    time = utc(since) + timedelta(microseconds=random.randrange(span))
    provider, model = random.choice(MODELS)
    entered, answered = random.randrange(70_000), random.randrange(3_000)
    data: JsonObject = {
        "model": model,
        "input_tokens": entered,
        "output_tokens": answered,
        **({"provider": provider} if provider else {}),
        **({"cached_input_tokens": entered // 3} if random.random() < 0.3 else {}),
        **({"cache_write_tokens": entered // 7} if random.random() < 0.2 else {}),
        **({"reasoning_tokens": answered // 2} if random.random() < 0.3 else {}),
        **({"status": "failed"} if random.random() < 0.1 else {}),
        **({"tags": random.sample(["eu", "batch", "ü"], 2)} if random.random() < 0.3 else {}),
        **({"team": random.choice(["red", "blue"]), "deep": {"er": 1}} if random.random() < 0.4 else {}),
        **({"subscription": "sub-1"} if random.random() < 0.1 else {}),
    }
    if random.random() < 0.15:
        data["cost_usd"] = random.choice(("0.012345678912", 0.05, "0", "1e-12"))
    return event(event_id, customer, time, data=data)


def send_catalogue_usage(stage: Stage, name: str) -> None:
    """Send events for custom meters, request trees, and the rarer members of `data`."""
    now = stage.clock()
    for number in range(12):
        customer = ("ada", "eli", "seen-6")[number % 3]
        size = {"gb": (number * 7 % 5) + number / 8, "tier": "hot" if number % 2 else None}
        data: JsonObject = {"size": size, "zone": ("a", "b")[number % 2], "host": f"host-{number % 4}"}
        if number == 11:
            data["size"] = {"gb": "not a number"}
        time = now - timedelta(hours=5 * number, minutes=number)
        stage.admin.deliver([event(f"{name} disk {number}", customer, time, type="disk.measured", data=data)])
    tree = [
        event(f"{name} root", "kim", now - timedelta(hours=2), data={"model": "deep", "provider": "acme", **_TOKENS}),
        event(f"{name} child", "kim", now - timedelta(hours=1), data={**_CHILD, "parent_request": f"{name} root"}),
        event(f"{name} orphan", "kim", now - timedelta(hours=1), data={**_CHILD, "parent_request": "nobody"}),
        event(f"{name} pending", "gus", now - timedelta(hours=1), data={"model": "swift", "status": "pending"}),
        event(f"{name} held", "gus", now, data={**_CHILD, "hold_id": "hold-1", "latency_ms": 12.5, "ttft_ms": "3.25"}),
        event(f"{name} own cost", "gus", now, data={"cost_usd": "0.333333333333"}),
        event(f"{name} dear", "gus", now, data={"cost_usd": 0.1, "model": "swift", "provider": "acme"}),
        event(f"{name} ping", "ada", now, type="ping", traceparent="00-1"),
        event(f"{name} unheard", "ada", now, type="nobody.meters.this", data={"x": 1}),
    ]
    stage.admin.deliver(tree)
    headers = {"Content-Type": CLOUDEVENT, "X-Meterfold-Customer": "from-header"}
    body = msgspec.json.encode(event(f"{name} by header", None, None, data=_CHILD))
    stage.admin.send("POST", "/v1/events", 200, headers, content=body)
    by_data = [
        event(f"{name} by id", None, now, data={**_CHILD, "customerId": "from-data"}),
        event(f"{name} by user", None, now, data={**_CHILD, "user": "from-user"}),
    ]
    stage.admin.deliver_bytes(msgspec.json.encode(by_data), "application/json")


_TOKENS: JsonObject = {"input_tokens": 30_000, "output_tokens": 900, "reasoning_tokens": 300}
_CHILD: JsonObject = {"model": "swift", "provider": "acme", "input_tokens": 1_001, "output_tokens": 7}


def send_bad_usage(stage: Stage) -> None:
    """Send events rejected each for another reason, duplicates, and conflicts (the id of another event)."""
    now = stage.clock()
    good = event("twice", "ada", now, data=_CHILD)
    bad: list[Any] = [
        good,
        good,
        {**good, "data": {**_CHILD, "input_tokens": 1_002}},
        {**good, "data": {**_CHILD, "input_tokens": 1_001.0}},
        event("no customer", None, now),
        event("no time", "ada", "yesterday"),
        event("too early", "ada", "1979-12-31T23:59:59Z"),
        event("too late", "ada", now + timedelta(hours=24)),
        event("just in time", "ada", now + timedelta(hours=24) - timedelta(microseconds=1), data=_CHILD),
        event("bad tokens", "ada", now, data={"input_tokens": -1}),
        event("bad parts", "ada", now, data={"input_tokens": 1, "cached_input_tokens": 2}),
        event("bad cost", "ada", now, data={"cost_usd": "0.0000000000001"}),
        event("bad status", "ada", now, data={"status": "perhaps"}),
        {**good, "id": ".."},
        {**good, "id": "old", "specversion": "0.3"},
        {"id": "hardly anything"},
        7,
    ]
    stage.admin.deliver(bad)
    stage.admin.deliver([event("two days ahead", "ada", now + timedelta(hours=48))])
    lines = b'{"specversion": "1.0"\nnot json at all \xff\xfe\n' + msgspec.json.encode(good) + b"\n"
    stage.admin.deliver_bytes(lines, NDJSON)
    stage.admin.deliver_bytes(b"[]", CLOUDEVENTS)
    stage.admin.deliver_bytes(b"{}", "text/plain", 415)


def send_late_usage(stage: Stage, name: str, time: str) -> None:
    """Send one event of that time for some customers each, in periods and lives that have ended by now."""
    customers = ("ada", "eli", "lord", "dora", "gone", "seen-4", "jon", "lou", "month-end-31", "ivy", *HOSTILE)
    data = {**_TOKENS, "provider": "acme", "model": "deep"}
    stage.admin.deliver([event(f"{name} {one}", one, utc(time), source="late", data=data) for one in customers])


def correct_usage(stage: Stage) -> None:
    """Void present and future events, restore some, and void all events of a customer."""
    now = stage.clock()
    for event_id in ("first 0", "first 1", "january root", "january disk 3", "month end 5"):
        stage.admin.post("/v1/events/void", {"source": "gateway", "id": event_id, "reason": "a mistake"}, 200)
    stage.admin.post("/v1/events/unvoid", {"source": "gateway", "id": "first 1"}, 200)
    stage.admin.deliver([event("only one", "only-voided", now, data=_CHILD)])
    for event_id in ("only one", "still to come", "comes and stays"):
        stage.admin.post("/v1/events/void", {"source": "gateway", "id": event_id}, 200)
    later = [event(one, "void-first", now, data=_CHILD) for one in ("still to come", "comes and stays")]
    stage.admin.deliver(later)
    stage.admin.post("/v1/events/unvoid", {"source": "gateway", "id": "comes and stays"}, 200)
    stage.admin.post("/v1/events/void", {"source": "gateway", "id": "never comes"}, 200)
