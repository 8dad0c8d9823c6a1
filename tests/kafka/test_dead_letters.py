"""What cannot be counted is published as dead letters, listed, repaired and put back."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.kafka.consumer_fleet import eventually, kafka_environment
from tests.kafka.consuming import await_received, consuming, open_log, usage
from tests.kafka.running_broker import RunningBroker
from tests.meterfold_process import command_line, environment


def letters_of(broker: RunningBroker, topic: str) -> list[Any]:
    """(key, value, headers without place) of each letter, and its (partition, offset, index)."""
    found = []
    for record in broker.records(topic):
        headers = {name: value.decode() for name, value in record.headers}
        place = tuple(int(headers.pop(f"meterfold-{name}")) for name in ("partition", "offset", "index"))
        headers.pop("meterfold-detail")
        found.append((record.key, record.value, headers, place))
    return found


@pytest.mark.slow
def test_letters_have_the_original_the_reason_and_the_place(broker: RunningBroker, tmp_path: Path) -> None:
    topic, rejected = broker.fresh_topic(), broker.fresh_topic(prefix="rejected")
    binary = [("ce_id", b"9"), ("ce_source", b"gw"), ("ce_type", b"llm.request"), ("ce_subject", b"ada")]
    batch = b"[" + usage(1) + b',{"no": "event"},' + usage(2) + b"]"
    with broker.producer() as producer:
        producer.send(topic, key=b"k1", value=b"not json")
        producer.send(topic, key=b"k2", value=batch, headers=[("content-type", b"application/cloudevents-batch+json")])
        producer.send(topic, key=b"k3", value=b"{}", headers=binary)
        producer.send(topic, key=b"k4", value=b"nor this", headers=[("meterfold-tenant", b"acme")])
        producer.send(topic, key=b"k5", value=b"x" * 100_000)
        producer.send(topic, key=b"k6", value=None)
    with (
        open_log(tmp_path / "data") as opened,
        consuming(opened, broker, topic, rejected_topic=rejected, customer_topics=()),
    ):
        await_received(opened, 8)
        eventually(lambda: len(broker.records(rejected)) == 6, lambda: letters_of(broker, rejected))
    ours = {"meterfold-topic": topic, "meterfold-tenant": "default", "meterfold-environment": "prod"}
    attributes = {name: value.decode() for name, value in binary}
    assert letters_of(broker, rejected) == [
        (b"k1", b"not json", ours | {"meterfold-reason": "not_json"}, (0, 0, 0)),
        (b"k2", b'{"no": "event"}', ours | {"meterfold-reason": "specversion_unsupported"}, (0, 1, 1)),
        (b"k3", b"{}", ours | attributes | {"meterfold-reason": "specversion_unsupported"}, (0, 2, 0)),
        (
            b"k4",
            b"nor this",
            {"meterfold-topic": topic, "meterfold-tenant": "acme", "meterfold-reason": "not_json"},
            (0, 3, 0),
        ),
        (b"k5", b"x" * 100_000, ours | {"meterfold-reason": "not_json"}, (0, 4, 0)),
        (b"k6", None, ours | {"meterfold-reason": "not_json"}, (0, 5, 0)),
    ]


@pytest.mark.slow
def test_letters_of_an_append_whose_offset_was_not_committed_are_published_again(
    broker: RunningBroker, tmp_path: Path
) -> None:
    topic, rejected = broker.fresh_topic(), broker.fresh_topic(prefix="rejected")
    with broker.producer() as producer:
        producer.send(topic, key=b"k", value=b"not json")
    with open_log(tmp_path / "data") as opened:
        with consuming(opened, broker, topic, group="first"):
            await_received(opened, 1)  # its letters go to a topic that is not there, as if it had died
        with consuming(opened, broker, topic, group="second", rejected_topic=rejected):
            eventually(lambda: len(broker.records(rejected)) == 1, lambda: letters_of(broker, rejected))
        ((key, value, headers, place),) = letters_of(broker, rejected)
        assert (key, value, headers["meterfold-reason"], place) == (None, b"not json", "not_json", (0, 0, 0))


@pytest.mark.slow
def test_letters_are_listed_repaired_and_put_back(broker: RunningBroker, tmp_path: Path) -> None:
    topic = broker.fresh_topic()
    settings = kafka_environment(broker, topic)
    rejected = f"{topic}.rejected"
    broker.make_topic(rejected, partitions=2)
    broken = usage(7)[:-1]
    with broker.producer() as producer:
        producer.send(topic, key=b"ada", value=broken, headers=[("trace", b"t")])
        producer.send(topic, key=b"bob", value=b"\xff\xfe")
    with open_log(tmp_path / "data") as opened, consuming(opened, broker, topic, rejected_topic=rejected):
        await_received(opened, 2)
        eventually(lambda: len(broker.records(rejected)) == 2, lambda: letters_of(broker, rejected))
        lines = [msgspec.json.decode(line) for line in run(settings, "rejected", "list", "--json").splitlines()]
        by_key = {line["key"]: line for line in lines}
        assert by_key["bob"]["encoding"] == "base64"
        letter = by_key["ada"]
        assert (letter["topic"], letter["offset"], letter["reason"]) == (topic, 0, "not_json")
        letter["value"] += "}"
        repaired = tmp_path / "repaired.ndjson"
        repaired.write_bytes(msgspec.json.encode(letter) + b"\n")
        assert run(settings, "rejected", "retry", str(repaired)) == "put back 1 records\n"
        await_received(opened, 3)
        back = broker.records(topic)[-1]
        assert (back.key, back.value) == (b"ada", usage(7))
        assert dict(back.headers)["trace"] == b"t"
        assert not [name for name, _ in back.headers if name == "meterfold-reason"]
        assert run(settings, "rejected", "retry", "--reason", "no_such_reason") == "put back 0 records\n"


def run(settings: dict[str, str], *arguments: str) -> str:
    ended = subprocess.run(
        command_line(*arguments), env=environment(**settings), capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout
