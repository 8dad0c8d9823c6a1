"""The events of a Kafka topic are loaded into a backfill: those of its range alone, as a consumer would read them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from tests.api.cli.shell import Shell
from tests.consumers.kafka.broker.running_broker import RunningBroker, given_or_running_broker

pytestmark = pytest.mark.kafka

NINE: Final = datetime(2026, 4, 3, 9, tzinfo=UTC)
APRIL_3: Final = ("--from", "2026-04-03T08:00:00Z", "--to", "2026-04-03T14:00:00Z")
TENANT: Final = "meterfold-tenant"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with given_or_running_broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


def event(event_id: str, hour: int | None = 9, **members: Any) -> dict[str, Any]:
    """An event of the source "topic"; without an hour it tells no time."""
    time = {} if hour is None else {"time": f"2026-04-03T{hour:02}:00:00Z"}
    return {"specversion": "1.0", "source": "topic", "id": event_id, "type": "job.done", **time, **members}


def sent(broker: RunningBroker, *records: tuple[str | None, Any, dict[str, str]]) -> str:
    """Send (key, value, headers) to three partitions of a fresh topic, recorded at nine o'clock; return its name."""
    topic = broker.fresh_topic(partitions=3, configuration={"retention.ms": "-1"})
    with broker.producer() as producer:
        for number, (key, value, headers) in enumerate(records):
            producer.send(
                topic,
                key=None if key is None else key.encode(),
                value=value if value is None or isinstance(value, bytes) else json.dumps(value).encode(),
                headers=[(name, text.encode()) for name, text in headers.items()],
                partition=number % 3,
                timestamp_ms=int(NINE.timestamp() * 1000),
            )
    return topic


def load(shell: Shell, broker: RunningBroker, name: str, topic: str, *options: str) -> Any:
    ended = shell.run("backfill", "load", name, "--topic", topic, "--bootstrap", broker.bootstrap, "--json", *options)
    assert ended.err == ""
    loaded = json.loads(ended.out)
    assert loaded["topic"] == topic
    return loaded


def counted(shell: Shell, name: str, *customers: str) -> list[tuple[str, str, str]]:
    """The events of these customers after the commit, as (id, customer, time)."""
    shell.json("backfill", "commit", name, "--yes")
    shown = [one for customer in customers for one in shell.json("events", "list", "--customer", customer)["data"]]
    return sorted((one["id"], one["customer"], one["time"]) for one in shown)


def test_records_of_every_mode_are_loaded(shell: Shell, broker: RunningBroker) -> None:
    shell.json("backfill", "open", "topic-modes", *APRIL_3, "--source", "topic")
    attributes = {"ce_specversion": "1.0", "ce_source": "topic", "ce_id": "binary", "ce_type": "job.done"}
    attributes |= {"ce_time": "2026-04-03T11:00:00Z"}
    topic = sent(
        broker,
        ("topic-ann", event("structured", subject="topic-bob"), {}),
        ("topic-ann", event("keyed"), {}),
        ("topic-ann", [event("batched 1"), event("batched 2", 10, subject=None)], {}),
        (
            "topic-ann",
            {"units": {"pages": 2}},
            attributes | {"ce_subject": "topic-cy", "ce_time": "2026-04-03T11:00:00Z"},
        ),
        ("topic-ann", event("of the record's time", None), {}),
        (None, json.dumps(event("on two lines", subject="topic-gus"), indent=1).encode(), {}),
    )
    found = load(shell, broker, "topic-modes", topic)
    assert (found["outcomes"], found["loaded"], found["left_out"]) == ([], 7, 0)
    nine = "2026-04-03T09:00:00.000000Z"
    assert counted(shell, "topic-modes", "topic-ann", "topic-bob", "topic-cy", "topic-gus") == [
        ("batched 1", "topic-ann", nine),
        ("batched 2", "topic-ann", "2026-04-03T10:00:00.000000Z"),
        ("binary", "topic-cy", "2026-04-03T11:00:00.000000Z"),
        ("keyed", "topic-ann", nine),
        ("of the record's time", "topic-ann", nine),
        ("on two lines", "topic-gus", nine),
        ("structured", "topic-bob", nine),
    ]


def test_what_is_outside_of_the_backfill_is_left_out_and_told(shell: Shell, broker: RunningBroker) -> None:
    shell.json("backfill", "open", "topic-outside", *APRIL_3, "--customer", "topic-dan", "--source", "topic-outside")
    topic = sent(
        broker,
        ("topic-dan", event("too early", hour=7, source="topic-outside"), {}),
        ("topic-dan", event("at the end", hour=14, source="topic-outside"), {}),
        ("eve", event("of another customer", source="topic-outside"), {}),
        ("topic-dan", event("of another source", source="topic"), {}),
        ("topic-dan", event("of another tenant", source="topic-outside"), {TENANT: "acme"}),
        ("topic-dan", event("a command", source="topic-outside", type="customer.block"), {}),
        ("topic-dan", None, {}),
        ("topic-dan", event("wanted", source="topic-outside"), {}),
        ("topic-dan", event("without an offset", source="topic-outside", time="2026-04-03T09:00:00"), {}),
        ("topic-dan", b"garbage", {}),
    )
    found = load(shell, broker, "topic-outside", topic)
    assert (found["events"], found["loaded"], found["rejected"], found["left_out"]) == (3, 1, 2, 6)
    assert sorted(one["reason"] for one in found["outcomes"]) == ["not_json", "time_invalid"]
    assert counted(shell, "topic-outside", "topic-dan") == [("wanted", "topic-dan", "2026-04-03T09:00:00.000000Z")]
    told = shell.run("backfill", "load", "topic-outside", "--topic", topic, "--bootstrap", broker.bootstrap)
    assert (told.code, "backfill 'topic-outside' was committed" in told.err) == (3, True)


def test_a_topic_that_is_loaded_again_counts_once(shell: Shell, broker: RunningBroker) -> None:
    shell.json("backfill", "open", "topic-again", *APRIL_3, "--source", "topic-again")
    topic = sent(broker, *[("fay", event(str(number), source="topic-again"), {}) for number in range(10)])
    load(shell, broker, "topic-again", topic)
    assert load(shell, broker, "topic-again", topic)["loaded"] == 10
    done = shell.json("backfill", "commit", "topic-again", "--yes")["committed"]
    assert (done["counted"], done["duplicate"]) == (10, 10)


def test_a_topic_that_is_missing_or_empty_is_told(shell: Shell, broker: RunningBroker) -> None:
    shell.json("backfill", "open", "topic-empty", *APRIL_3, "--source", "topic-empty")
    at = ("--bootstrap", broker.bootstrap)
    missing = shell.run("backfill", "load", "topic-empty", "--topic", "not-there", *at)
    assert (missing.code, "Kafka has no topic not-there" in missing.err) == (3, True)
    shown = shell.run("backfill", "load", "topic-empty", "--topic", broker.fresh_topic(partitions=2), *at)
    assert (shown.code, "0 events" in shown.out) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "give FILE, or --topic TOPIC"),
        (("FILE", "--topic", "t"), 2, "give FILE or --topic, not both"),
        (("FILE", "--tenant", "acme"), 2, "--tenant, --environment and --bootstrap need --topic TOPIC"),
        (("--topic", "t", "--tenant", "No!"), 2, "--tenant"),
    ],
)
def test_wrong_use_is_told(shell: Shell, tmp_path: Path, arguments: tuple[str, ...], code: int, message: str) -> None:
    file = tmp_path / "usage.ndjson"
    file.write_text("")
    if shell.run("backfill", "show", "topic-misused").code:
        shell.json("backfill", "open", "topic-misused", *APRIL_3, "--source", "topic-misused")
    ended = shell.run("backfill", "load", "topic-misused", *(str(file) if one == "FILE" else one for one in arguments))
    assert (ended.code, ended.out) == (code, ""), ended
    assert message in ended.err
