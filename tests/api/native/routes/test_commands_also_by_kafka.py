"""A command leaves the same events in the log, whether it came by HTTP or by Kafka."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from consumers.embedded.engine import EmbeddedEngine
from domain.budgets.events import BudgetEvent
from domain.commands.received import COMMAND_KINDS
from domain.customers.events import CustomerCreated, CustomerEvent, CustomerUpdated
from domain.customers.personal_data import open_personal
from domain.customers.personal_keys import PersonalKeys
from domain.log.event_codec import decode_lifecycle
from domain.log.records import USAGE_BATCH_TOPIC, EventLog
from domain.scope import DEFAULT_SCOPE
from tests.consumers.kafka.appending.partition_polls import appender_on, command, poll
from tests.engine_fixtures import Api, SettableClock, engine_on, http
from tests.fakes.event_log import InMemoryEventLog
from tests.fakes.personal_keys import InMemoryPersonalKeys

CUSTOMER, BUDGET = "/v1/customers/acme", "/v1/budgets/gold"
CREATED_AT, BLOCKED_AT = "2026-01-01T00:00:00+01:00", "2026-01-02T00:00:00Z"
EFFECTIVE = {datetime.fromisoformat(text).astimezone(UTC) for text in (CREATED_AT, BLOCKED_AT)}
NEW_CUSTOMER = {
    "name": "Ada",
    "email": "ada@example.com",
    "metadata": {"tier": 1},
    "currency": "eur",
    "group_identifier": "team/7",
    "payment_provider": {"name": "stripe", "customer_id": "cus_7"},
    "usage_period": {"duration": "1w"},
    "budget": {"period_limit_usd": "25.00", "duration": "1mo", "budget_id": "gold"},
    "opening_spend_usd": "3",
    "effective_at": CREATED_AT,
}
CHANGES = {
    "name": None,
    "group_identifier": None,
    "metadata": {"tier": None, "seats": 2},
    "payment_provider": {"customer_id": None},
    "usage_period": None,
    "active": False,
}
NEW_BUDGET = {"name": "Gold", "period_limit_usd": "100.0", "duration": "1mo", "model_limits": {"m": {"limit_usd": "1"}}}
BUDGET_CHANGES = {"name": None, "tokens_per_minute": 5, "model_limits": {"m": None}}

#: Kind, subject and data of each command, and the request that says the same.
STEPS: list[tuple[str, str, dict[str, Any], str, str, dict[str, Any] | None]] = [
    ("budget.create", "gold", NEW_BUDGET, "POST", "/v1/budgets", {"id": "gold", **NEW_BUDGET}),
    ("budget.update", "gold", BUDGET_CHANGES, "PATCH", BUDGET, BUDGET_CHANGES),
    ("customer.create", "acme", NEW_CUSTOMER, "POST", "/v1/customers", {"id": "acme", **NEW_CUSTOMER}),
    ("customer.update", "acme", CHANGES, "PATCH", CUSTOMER, CHANGES),
    ("customer.reactivate", "acme", {}, "PATCH", CUSTOMER, {"active": True}),
    ("customer.deactivate", "acme", {}, "PATCH", CUSTOMER, {"active": False}),
    ("customer.block", "acme", {"effective_at": BLOCKED_AT}, "POST", CUSTOMER + "/block", {"effective_at": BLOCKED_AT}),
    ("customer.unblock", "acme", {}, "POST", CUSTOMER + "/unblock", {}),
    ("customer.delete", "acme", {}, "DELETE", CUSTOMER, None),
    ("budget.delete", "gold", {}, "DELETE", BUDGET, None),
]


def by_http(api: Api, engine: EmbeddedEngine) -> list[Any]:
    for kind, _, _, method, path, body in STEPS:
        sent: dict[str, Any] = {} if body is None else {"content": msgspec.json.encode(body)}
        media_type = "application/merge-patch+json" if method == "PATCH" else "application/json"
        answer = api.send(method, path, None, {"X-Meterfold-Reason": kind, "Content-Type": media_type}, **sent)
        assert answer.status_code in (200, 201, 204), answer.text
    return told(engine.log, engine.keys)


def by_kafka() -> list[Any]:
    log, keys = InMemoryEventLog(), InMemoryPersonalKeys()
    sent = [command(kind, subject, kind, reason=kind, **data) for kind, subject, data, _, _, _ in STEPS]
    done = appender_on(log, keys).append(poll(sent))
    assert {outcome.outcome for outcome in done.commands} == {"honoured"}
    return told(log, keys)


def told(log: EventLog, keys: PersonalKeys) -> list[Any]:
    """What the events of customers and budgets say, apart from who caused them, when, and how they are encrypted."""
    found = []
    for record in log.read(0, 1_000):
        event = None if record.topic == USAGE_BATCH_TOPIC else decode_lifecycle(record.topic, record.state)
        if not isinstance(event, CustomerEvent | BudgetEvent):
            continue
        members = msgspec.structs.asdict(event)
        del members["recorded_at"]
        members["provenance"] = event.provenance.reason
        members["effective_at"] = event.effective_at if event.effective_at in EFFECTIVE else None
        if isinstance(event, CustomerCreated | CustomerUpdated) and event.personal is not None:
            members["personal"] = (
                event.personal.key_id,
                open_personal(keys, event.personal, DEFAULT_SCOPE, event.customer_id),
            )
        found.append((record.topic, members))
    return found


def test_every_kind_of_command_leaves_the_same_events(tmp_path: Path) -> None:
    assert {kind for kind, *_ in STEPS} == set(COMMAND_KINDS)
    clock = SettableClock(datetime(2026, 3, 10, tzinfo=UTC))
    with engine_on(tmp_path, clock) as engine, http(engine) as api:
        expected = by_http(api, engine)
    assert by_kafka() == expected
    assert [topic for topic, _ in expected] == [
        "budget.created",
        "budget.updated",
        "customer.created",
        "customer.updated",
        "customer.deactivated",
        "customer.reactivated",
        "customer.deactivated",
        "customer.blocked",
        "customer.unblocked",
        "customer.deleted",
        "budget.deleted",
    ]
