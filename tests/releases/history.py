"""The history that a release leaves in its log: every lifecycle topic, and usage of every kind, in a few weeks.

It is played once for each release, on a clock and a randomness that are fixed. Add to it what is new in a release
before its log is written; what is written is never written again.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from starlette.testclient import TestClient

from api.app import create_app
from consumers.bootstrap import open_engine, open_partition_appender
from consumers.embedded.engine import EmbeddedEngine
from consumers.kafka.appending.appender import PartitionSource
from consumers.settings import Settings
from domain.log.commands import AnnounceClosings, SealLog
from domain.scope import Scope
from tests.consumers.kafka.appending.partition_polls import SOURCE, command, event, poll
from tests.engine_fixtures import CLOUDEVENTS, Api, JsonObject, SettableClock, key_for

BEGINS = datetime(2026, 1, 5, 8, tzinfo=UTC)
#: The instant at which the log is asked.
ASKED_AT = datetime(2026, 2, 20, 12, tzinfo=UTC)
ADMIN_KEY = "sk-of-the-log-of-a-release"
SEED = 46
OTHER = Scope("globex", "test")
_LOST = PartitionSource("cluster-1", "topic-2", "meterfold.usage", 3)


def settings_of(folder: Path) -> Settings:
    return Settings(data_dir=folder, intake_process=False, duckdb_threads=1, admin_key=ADMIN_KEY)


def play(folder: Path) -> None:
    """Play the history in a data folder that is absent or empty."""
    clock, random = SettableClock(BEGINS), Random(SEED)
    with open_engine(settings_of(folder), clock=clock, randomness=random.randbytes) as engine:
        own = Api(TestClient(create_app(engine)), ADMIN_KEY)
        other = Api(own.client, key_for(engine, OTHER))
        _catalogue(own)
        _customers(own)
        other.post("/v1/customers", {"id": "ada", "name": "Another Ada"})
        clock.advance(days=2)
        _usage(own, other)
        _corrections(own)
        clock.advance(days=7)
        _repricing(own)
        _runs(own)
        _backfills(own)
        _seal(engine, clock)
    clock.advance(days=1)
    with open_partition_appender(settings_of(folder), clock=clock, randomness=random.randbytes) as appender:
        created = command("customer.create", "kafka-customer", "k-1", name="From Kafka", markup_percentage="5")
        appender.append(poll([event("k-1", "kafka-customer"), event("k-1", "kafka-customer"), b"garbage", created]))
        appender.append(poll([command("customer.block", "kafka-customer", "k-2"), command("no.such", "x", "k-3")], 4))
        appender.truncated(SOURCE, 2)
        appender.accept_offset(SOURCE, 6, "restored from a mirror")
        appender.append(poll([event("k-2", "kafka-customer")], 0, _LOST))
        appender.records_lost(_LOST, 1, 20)
    clock.advance(days=20)
    with open_engine(settings_of(folder), clock=clock, randomness=random.randbytes) as engine:
        own = Api(TestClient(create_app(engine)), ADMIN_KEY)
        _ends(own)
        _seal(engine, clock)


def _catalogue(api: Api) -> None:
    api.post("/v1/meters", {"code": "storage", "event_type": "download", "aggregation": "sum", "value_property": "gb"})
    api.post("/v1/meters", {"code": "gone", "event_type": "download", "aggregation": "count"})
    api.patch("/v1/meters/storage", {"name": "Storage in GB"})
    api.delete("/v1/meters/gone")
    api.post("/v1/budgets", {"id": "gold", "period_limit_usd": "5", "duration": "1d", "name": "Gold"})
    api.post("/v1/budgets", {"id": "none", "total_limit_usd": "1"})
    api.patch("/v1/budgets/gold", {"period_limit_usd": "7.5"})
    api.delete("/v1/budgets/none")
    api.post("/v1/prices", {"provider": "acme", "model": "swift", "unit_prices": {"input": "20", "output": "100"}})
    api.post("/v1/discounts", {"percentage": "10", "customer": "bob"})
    charges = [{"code": "storage", "meter": "storage", "price": {"model": "standard", "amount": "0.05"}}]
    for code in ("startup", "growth", "old"):
        plan = {"code": code, "interval": "monthly", "currency": "EUR", "charges": charges}
        api.post("/v1/plans", plan)
    api.patch("/v1/plans/startup", {"name": "Startup"})
    api.delete("/v1/plans/old")
    api.post("/v1/coupons", {"code": "ten", "percentage": "10", "frequency": "recurring", "periods": 2})
    api.post("/v1/coupons", {"code": "five", "amount": "5", "currency": "EUR", "frequency": "once"})
    api.post("/v1/coupons", {"code": "never", "percentage": "1", "frequency": "once"})
    api.patch("/v1/coupons/ten", {"name": "Ten percent"})
    api.delete("/v1/coupons/never")


def _customers(api: Api) -> None:
    budget: JsonObject = {"budget_id": "gold"}
    api.post("/v1/customers", {"id": "ada", "name": "Ada", "email": "ada@example.com", "budget": budget})
    api.post("/v1/customers", {"id": "bob", "time_zone": "Europe/Vienna", "markup_percentage": "20"})
    api.post("/v1/customers", {"id": "carl"})
    api.patch("/v1/customers/ada", {"markup_percentage": "12.5", "metadata": {"tier": "a"}})
    api.post("/v1/customers/bob/block", None, 200)
    api.post("/v1/customers/bob/unblock", None, 200)
    api.patch("/v1/customers/carl", {"active": False})
    api.patch("/v1/customers/carl", {"active": True})
    for customer in ("ada", "bob"):
        api.post("/v1/subscriptions", {"id": f"of-{customer}", "customer": customer, "plan": "startup"})
    api.patch("/v1/subscriptions/of-ada", {"plan": "growth"})
    api.post("/v1/customers/ada/coupons", {"coupon": "ten"})
    api.post("/v1/customers/bob/coupons", {"coupon": "five"})
    api.post("/v1/customers/ada/portal-links", {})


def _event(number: int, customer: str, at: str, **data: object) -> JsonObject:
    given = {"provider": "acme", "model": "swift", "input_tokens": 1_000 * number, "output_tokens": 10, **data}
    envelope = {"specversion": "1.0", "source": "shop", "id": f"e-{number}", "type": "llm.request"}
    return {**envelope, "subject": customer, "time": at, "data": given}


def _usage(own: Api, other: Api) -> None:
    customers = ("ada", "bob", "carl", "dora")
    events = [_event(number, customers[number % 4], f"2026-01-0{1 + number % 7}T10:00:00Z") for number in range(24)]
    own.deliver(events)
    again = [events[3], {**events[4], "subject": "someone-else"}, {"id": "no event"}]
    own.deliver_bytes(_lines(again), CLOUDEVENTS)
    rich = {"cost_usd": "0.123456789012", "tags": ["a", "b"], "plan": {"seats": 3, "share": 0.25}, "latency_ms": 12.5}
    own.deliver(
        [
            _event(30, "ada", "2026-01-06T00:00:00Z", **rich),
            _event(31, "ada", "2026-01-06T01:00:00Z", model="gpt-4o", provider="openai"),
        ]
    )
    download = {"specversion": "1.0", "source": "shop", "type": "download"}
    for number, (customer, gigabytes) in enumerate((("ada", 2.5), ("bob", 40), ("ada", 7))):
        sent = {**download, "id": f"d-{number}", "subject": customer, "data": {"gb": gigabytes}}
        own.deliver([sent])
    other.deliver([_event(0, "ada", "2026-01-06T10:00:00Z")])
    carried = {"customer_identifier": "eve", "name": "Eve", "period_budget": 5}
    log = {
        "unique_id": "r-1",
        "model": "gpt-4o",
        "prompt_tokens": 5,
        "completion_tokens": 1,
        "customer_params": carried,
    }
    own.send("POST", "/respan/api/request-logs/create/", None, json={**log, "customer_params": carried})


def _corrections(api: Api) -> None:
    for number in (1, 2, 99):
        api.post("/v1/events/void", {"source": "shop", "id": f"e-{number}"}, 200)
    api.post("/v1/events/unvoid", {"source": "shop", "id": "e-2"}, 200)
    api.post("/v1/events/amend", {"source": "shop", "id": "e-5", "data": {"input_tokens": 50}}, 200)


def _repricing(api: Api) -> None:
    api.post("/v1/prices", {"provider": "acme", "model": "swift", "unit_prices": {"input": "2", "output": "10"}})
    for name in ("kept", "undone"):
        api.post("/v1/repricings", {"name": name, "customers": ["ada" if name == "kept" else "bob"]})
        previewed = api.get(f"/v1/repricings/{name}/preview")["previewed_at"]
        api.post(f"/v1/repricings/{name}/commit", {"previewed_at": previewed}, 200)
    api.post("/v1/repricings/undone/revert", None, 200)


def _runs(api: Api) -> None:
    """Corrections by filter, one of them reverted, and a replacement of an event by what is sent again."""
    for name, customer in (("billed-by-mistake", "dora"), ("undone", "bob")):
        api.post("/v1/corrections", {"name": name, "customers": [customer], "to": "2026-01-05T00:00:00Z"})
        previewed = api.get(f"/v1/corrections/{name}/preview")["previewed_at"]
        api.post(f"/v1/corrections/{name}/commit", {"previewed_at": previewed}, 200)
    api.post("/v1/corrections/undone/revert", None, 200)
    known_at = api.get("/v1/corrections")["position"]
    sent = _lines([_event(11, "dora", "2026-01-05T10:00:00Z", input_tokens=77)])
    headers = {"Content-Type": CLOUDEVENTS}
    api.send("POST", f"/v1/events/replace?known_at={known_at}", None, content=sent, headers=headers)


def _backfills(api: Api) -> None:
    """One that fills a gap, one that replaced a day and was reverted, and one that was given up."""
    ranges = {
        "gap": ("add", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"),
        "mistaken": ("replace", "2026-01-04T00:00:00Z", "2026-01-05T00:00:00Z"),
        "given-up": ("add", "2026-01-01T00:00:00Z", "2026-01-01T12:00:00Z"),
    }
    for number, (name, (mode, start, end)) in enumerate(ranges.items()):
        api.post("/v1/backfills", {"name": name, "mode": mode, "from": start, "to": end, "sources": ["shop"]})
        first = 200 + 10 * number
        events = [_event(first, "ada", start, input_tokens=500), _event(first + 1, "bob", start, input_tokens=600)]
        headers = {"Content-Type": CLOUDEVENTS}
        api.send("POST", f"/v1/backfills/{name}/events", 200, content=_lines(events), headers=headers)
    for name in ("gap", "mistaken"):
        previewed = api.get(f"/v1/backfills/{name}/preview")["previewed_at"]
        api.post(f"/v1/backfills/{name}/commit", {"previewed_at": previewed}, 200)
    api.post("/v1/backfills/mistaken/revert", None, 200)
    api.post("/v1/backfills/given-up/cancel", None, 200)


def _ends(api: Api) -> None:
    api.delete("/v1/customers/ada/portal-links")
    api.delete("/v1/customers/bob/coupons/1")
    api.delete("/v1/subscriptions/of-bob")
    issued = api.post("/v1/keys", {"name": "short", "scopes": ["read"]})
    api.delete(f"/v1/keys/{issued['id']}")
    api.delete("/v1/customers/carl")
    api.deliver([_event(99, "ada", "2026-01-31T23:30:00Z"), _event(100, "carl", "2026-02-01T00:30:00Z")])


def _seal(engine: EmbeddedEngine, clock: SettableClock) -> None:
    engine.commands.handle(AnnounceClosings(clock().replace(minute=0)))
    assert engine.wait_folded(engine.log.head_position(), 60)
    projector = engine.read_side.projector
    engine.commands.handle(SealLog(projector.position, projector.running_hash))
    assert engine.wait_folded(engine.log.head_position(), 60)


def _lines(events: list[JsonObject]) -> bytes:
    return json.dumps(events).encode()
