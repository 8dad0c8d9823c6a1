"""Rejected records are published as dead letters, listed, repaired and put back."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kafka import TopicPartition

from consumers.kafka.topics import READ_MESSAGE_BYTES_MAX, REJECTED_MESSAGE_BYTES_MAX
from domain.usage.decoding.single_event import RAW_KEPT_BYTES_MAX
from tests.consumers.kafka.broker.consumer_fleet import eventually, kafka_environment
from tests.consumers.kafka.broker.consuming import await_received, consuming, open_log, publish, usage
from tests.consumers.kafka.broker.running_broker import RunningBroker
from tests.meterfold_process import command_line, environment

pytestmark = pytest.mark.kafka


def letters_of(broker: RunningBroker, topic: str) -> list[Any]:
    """(key, value, headers without origin) of each letter, and its (partition, offset, index)."""
    found = []
    for record in broker.records(topic):
        headers = {name: value.decode() for name, value in record.headers}
        origin = tuple(int(headers.pop(f"meterfold-{name}")) for name in ("partition", "offset", "index"))
        headers.pop("meterfold-detail")
        found.append((record.key, record.value, headers, origin))
    return found


def test_letters_have_the_original_the_reason_and_the_origin(broker: RunningBroker, tmp_path: Path) -> None:
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
        ((key, value, headers, origin),) = letters_of(broker, rejected)
        assert (key, value, headers["meterfold-reason"], origin) == (None, b"not json", "not_json", (0, 0, 0))


@pytest.mark.parametrize("takes_large_ones", [True, False])
def test_large_letters_arrive_as_much_of_them_as_the_topic_takes(
    broker: RunningBroker, tmp_path: Path, takes_large_ones: bool
) -> None:
    topic = broker.fresh_topic(configuration={"max.message.bytes": str(READ_MESSAGE_BYTES_MAX)})
    of_rejected = {"max.message.bytes": str(REJECTED_MESSAGE_BYTES_MAX)} if takes_large_ones else {}
    rejected = broker.fresh_topic(prefix="rejected", configuration=of_rejected)
    large, larger = b"x" * (2 << 20), b"y" * (REJECTED_MESSAGE_BYTES_MAX + 1)
    with broker.producer(max_request_size=2 * len(larger), compression_type="gzip") as producer:
        producer.send(topic, key=b"large", value=large)
        producer.send(topic, key=b"larger", value=larger)
    with open_log(tmp_path / "data") as opened, consuming(opened, broker, topic, rejected_topic=rejected):
        eventually(lambda: len({record.value for record in broker.records(rejected)}) == 2, lambda: "not all arrived")
    arrived = {
        (record.key, record.value, dict(record.headers).get("meterfold-kept-bytes"))
        for record in broker.records(rejected)
    }
    kept = str(RAW_KEPT_BYTES_MAX).encode()
    whole = (b"large", large, None) if takes_large_ones else (None, large[:RAW_KEPT_BYTES_MAX], kept)
    assert arrived == {whole, (None, larger[:RAW_KEPT_BYTES_MAX], kept)}


def test_the_committed_offset_passes_no_letter_that_did_not_arrive_until_it_does(
    broker: RunningBroker, tmp_path: Path
) -> None:
    topic, rejected = broker.fresh_topic(), broker.fresh_topic(prefix="rejected")
    broker.delete_topic(rejected)
    publish(broker, topic, [usage(0), b"garbage", usage(1)])
    with open_log(tmp_path / "data") as opened, broker.admin() as admin:

        def committed() -> int | None:
            found = admin.list_group_offsets(["one"])["one"].get(TopicPartition(topic, 0))
            return None if found is None else int(found.offset)

        with consuming(opened, broker, topic, group="one", rejected_topic=rejected) as consumer:
            await_received(opened, 3)
            eventually(lambda: committed() == 1, committed)
            publish(broker, topic, [usage(2)])
            await_received(opened, 4)
        assert committed() == 1
        assert consumer.statuses[-1].letters_unpublished == 1
        publish(broker, topic, [usage(3)])
        with consuming(opened, broker, topic, group="one", rejected_topic=rejected) as consumer:
            await_received(opened, 5)
            broker.make_topic(rejected)
            eventually(lambda: committed() == 5, committed)
        assert [record.value for record in broker.records(rejected)] == [b"garbage"]


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
        lines = [msgspec.json.decode(line) for line in run(settings, "rejected", "dead-letters", "--json").splitlines()]
        by_key = {line["key"]: line for line in lines}
        assert by_key["bob"]["encoding"] == "base64"
        letter = by_key["ada"]
        assert (letter["topic"], letter["offset"], letter["reason"]) == (topic, 0, "not_json")
        letter["value"] += "}"
        repaired = tmp_path / "repaired.ndjson"
        repaired.write_bytes(msgspec.json.encode(letter) + b"\n")
        assert run(settings, "rejected", "retry", str(repaired)) == "put back 1 record\n"
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
