"""Usage and commands over Kafka: every mode, two scopes, duplicates over HTTP, rejected records, tombstones."""

from __future__ import annotations

from typing import Any

import msgspec

from tests.engine_fixtures import JsonObject
from tests.golden.history_of_usage import event
from tests.golden.stage import CUSTOMERS, USAGE, Stage

_DATA: JsonObject = {"provider": "acme", "model": "swift", "input_tokens": 12_345, "output_tokens": 678}
_BATCHED = [("content-type", b"application/cloudevents-batch+json")]
_OF_ACME = [("meterfold-tenant", b"acme")]
_OF_TEST = [("meterfold-environment", b"test")]


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value)


def _binary(members: JsonObject) -> tuple[bytes, list[tuple[str, bytes]]]:
    """The event in the binary mode of CloudEvents."""
    attributes = [(f"ce_{name}", str(value).encode()) for name, value in members.items() if name != "data"]
    return _json(members["data"]), [*attributes, ("content-type", b"application/json")]


def _command(command_id: str, kind: str, about: str, **data: Any) -> bytes:
    return _json(event(command_id, about, None, type=kind, source="crm", data=data))


def begin_kafka(stage: Stage) -> None:
    """Publish usage in each mode, customers by commands and by usage, and records that cannot be decoded."""
    now = stage.clock()
    stage.publish(_json(event("kafka 1", "kay", now, data=_DATA)), "kay")
    stage.publish(_json(event("kafka 2", None, None, data={**_DATA, "status": "failed"})), "by-key", partition=1)
    value, headers = _binary(event("kafka 3", "kay", now, data={**_DATA, "input_tokens": 5}))
    stage.publish(value, "kay", headers=headers)
    events = [event(f"kafka batch {number}", "ada", now, data=_DATA) for number in range(3)]
    mixed = [*events, event("kit made", "kit", None, type="customer.create", source="crm", data={"name": "Kit"})]
    stage.publish(_json([*mixed, 7, events[0]]), headers=_BATCHED)
    stage.publish(_command("kay 1", "customer.create", "kay", name="Kay", markup_percentage="20"), "kay", CUSTOMERS)
    stage.publish(_command("kurt 1", "customer.create", "kurt", email="kurt@example.org"), "kurt", CUSTOMERS)
    tier = _command("tier 1", "budget.create", "kafka tier", period_limit_usd="0.02", duration="1d")
    stage.publish(tier, "kafka tier", CUSTOMERS, 1)
    joined = _command("kay 2", "customer.update", "kay", budget={"budget_id": "kafka tier"})
    stage.publish(joined, "kay", CUSTOMERS)
    stage.publish(b"{no json", "kay")
    stage.publish(_json(event("no model", "kay", now, data={"input_tokens": "many"})), "kay")
    stage.publish(_json(event("kafka acme", "ada", now, data=_DATA)), "ada", headers=_OF_ACME)
    stage.publish(_command("test 1", "customer.create", "kay", name="Kay in test"), "kay", headers=_OF_TEST)
    stage.publish(None, "nobody on usage")


def command_over_kafka(stage: Stage) -> None:
    """Publish every kind of command, some dated back or ahead, some refused, one twice; end a life by a tombstone."""
    said: tuple[tuple[str, str, str, JsonObject], ...] = (
        ("kay 3", "customer.block", "kay", {"reason": "unpaid"}),
        ("kay 4", "customer.unblock", "kay", {"effective_at": "2025-02-20T00:00:00Z"}),
        ("kit 2", "customer.deactivate", "kit", {}),
        ("kit 3", "customer.update", "kit", {"metadata": {"a": {"b": 1}}, "effective_at": "2025-01-26T00:00:00Z"}),
        ("kit 4", "customer.reactivate", "kit", {"effective_at": "2025-02-25T00:00:00Z"}),
        ("kit 5", "customer.update", "kit", {"metadata": {"a": None, "c": 2}}),
        ("kay 5", "customer.update", "kay", {"markup_percentage": "1", "effective_at": "2025-01-25T00:00:00Z"}),
        ("tier 2", "budget.update", "kafka tier", {"period_limit_usd": "0.5", "model_limits": {"swift": None}}),
        ("tier 3", "budget.create", "short-lived", {"total_limit_usd": 1}),
        ("tier 4", "budget.delete", "short-lived", {}),
        ("bad 1", "customer.update", "kay", {"no_such_field": 1}),
        ("bad 2", "customer.create", "kay", {}),
        ("bad 3", "budget.delete", "nothing", {}),
        ("kay 3", "customer.block", "kay", {"reason": "unpaid"}),
        ("new 1", "customer.block", "blocked at first", {}),
        ("new 2", "customer.create", "short life", {"markup_percentage": 10}),
    )
    for command_id, kind, about, data in said:
        stage.publish(_command(command_id, kind, about, **data), about, CUSTOMERS)
    stage.publish(None, "kurt", CUSTOMERS)
    stage.publish(_json(event("short 1", "short life", stage.clock(), data=_DATA)), "short life", CUSTOMERS)
    stage.publish(_command("new 3", "customer.delete", "short life"), "short life", CUSTOMERS)
    stage.publish(_command("new 4", "customer.update", "short life", name="too late"), "short life", CUSTOMERS)
    stage.publish(_json(event("short 2", "short life", None, data=_DATA)), "short life", CUSTOMERS)


def meet_over_kafka(stage: Stage) -> None:
    """Duplicates and conflicts between HTTP and Kafka, voids of Kafka events, and usage of an ended life."""
    now = stage.clock()
    by_http, by_kafka = event("http first", "kay", now, data=_DATA), event("kafka first", "kay", now, data=_DATA)
    stage.admin.deliver([by_http])
    stage.publish(_json(by_http), "kay")
    stage.publish(_json({**by_http, "data": {**_DATA, "input_tokens": 1}}), "kay", partition=1)
    stage.publish(_json(by_kafka), "kay")
    stage.admin.deliver([by_kafka, {**by_kafka, "subject": "somebody else"}])
    for event_id in ("kafka 1", "kafka to come"):
        stage.admin.post("/v1/events/void", {"source": "gateway", "id": event_id}, 200)
    stage.publish(_json(event("kafka to come", "kay", now, data=_DATA)), "kay", partition=1)
    stage.publish(_json(event("of a life before", "kurt", "2025-02-01T00:00:00Z", data=_DATA)), "kurt")
    stage.publish(_json(event("of a life after", "kurt", None, data=_DATA)), "kurt")
    stage.publish(_json(event("kafka late", "ada", "2025-01-25T12:00:00+05:30", data=_DATA)), "ada", partition=1)


def lose_records(stage: Stage) -> None:
    """Lose two records before they are read, and read a third."""
    lost = [_json(event(f"lost {number}", "kay", stage.clock(), data=_DATA)) for number in range(3)]
    stage.lose(lost, USAGE, 1)
