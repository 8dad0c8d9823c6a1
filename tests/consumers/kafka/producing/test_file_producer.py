"""`meterfold produce` publishes the events of a file keyed by customer, and reports how many were acknowledged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from api.cli.output.exit_codes import ExitCode
from consumers.errors import BrokerRefused, BrokerUnreachable, FileUnreadable
from consumers.kafka.producing.file_producer import Bounds, Production
from consumers.settings import Settings
from tests.consumers.kafka.broker.running_broker import RunningBroker, running_broker
from tests.meterfold_process import ROOT, free_port, meterfold

pytestmark = pytest.mark.kafka

TRACE = ROOT / "docs" / "start" / "azure-llm-inference-2023-code.csv"
MAP = ROOT / "docs" / "start" / "azure-llm-trace.map.yml"


def event(number: int, customer: str, **data: object) -> bytes:
    members = {"specversion": "1.0", "id": f"e-{number}", "source": "test", "type": "llm.request", "subject": customer}
    return json.dumps({**members, "data": data}).encode()


def settings(broker: RunningBroker) -> Settings:
    return Settings(kafka_bootstrap=broker.bootstrap)


def test_lines_arrive_as_they_stand_under_their_customers(broker: RunningBroker, tmp_path: Path) -> None:
    topic = broker.fresh_topic(partitions=3)
    sent = [event(number, f"customer-{number % 7}") for number in range(50)] + [b"garbage", b'{"subject": "']
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"\n".join(sent))
    production = Production(file, None, topic)
    ends: list[int] = []
    production.run(settings(broker), 1, [("meterfold-tenant", b"acme")], ends.append)
    assert (production.produced.events, production.produced.records, production.produced.acknowledged) == (52, 52, 52)
    assert (ends, max(ends)) == (sorted(ends), file.stat().st_size)
    records = broker.records(topic)
    assert sorted(record.value for record in records) == sorted(sent)
    headers = [("content-type", b"application/cloudevents+json"), ("meterfold-tenant", b"acme")]
    assert {tuple(record.headers) for record in records} == {tuple(headers)}
    keyed = [record for record in records if record.key is not None]
    assert [record.key.decode() for record in keyed] == [json.loads(record.value)["subject"] for record in keyed]
    numbers = [int(json.loads(record.value)["id"].removeprefix("e-")) for record in keyed if record.partition == 0]
    assert numbers == sorted(numbers)


def test_a_mapped_file_is_published_in_batches(broker: RunningBroker) -> None:
    single, batched = broker.fresh_topic(partitions=3), broker.fresh_topic(partitions=3)
    arguments = ("produce", str(TRACE), "--map", str(MAP), "--bootstrap", broker.bootstrap, "--json")
    printed = json.loads(meterfold(*arguments, "--topic", single))
    assert (printed["events"], printed["records"], printed["acknowledged"]) == (8819, 8819, 8819)
    printed = json.loads(meterfold(*arguments, "--topic", batched, "--batch", "100"))
    assert (printed["events"], printed["acknowledged"]) == (8819, 8819)
    assert printed["records"] == sum(broker.ends(batched).values()) <= 8819 // 100 + 3
    alone: dict[int, list[object]] = {0: [], 1: [], 2: []}
    for record in broker.records(single):
        alone[record.partition].append(json.loads(record.value))
    gathered: dict[int, list[object]] = {0: [], 1: [], 2: []}
    for record in broker.records(batched):
        assert (record.key, dict(record.headers)) == (None, {"content-type": b"application/cloudevents-batch+json"})
        gathered[record.partition] += json.loads(record.value)
    assert gathered == alone


def test_little_is_under_way_at_once(broker: RunningBroker, tmp_path: Path) -> None:
    topic = broker.fresh_topic()
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"\n".join(event(number, "ada") for number in range(20)))
    production = Production(file, None, topic, Bounds(unacknowledged_records_max=3))
    under_way: list[int] = []
    production.run(
        settings(broker),
        1,
        [],
        lambda done: under_way.append(production.produced.events - production.produced.acknowledged),
    )
    assert max(under_way) <= 3
    assert production.produced.acknowledged == 20


def test_a_topic_that_is_not_there_is_named_and_not_made(broker: RunningBroker, tmp_path: Path) -> None:
    file = tmp_path / "events.ndjson"
    file.write_bytes(event(1, "ada"))
    with pytest.raises(BrokerRefused, match=r"no.such.topic.*topics --create"):
        Production(file, None, "no.such.topic").run(settings(broker), 1, [], lambda done: None)
    with broker.admin() as admin:
        assert "no.such.topic" not in admin.list_topics()


def test_a_refused_record_ends_the_run_with_the_acknowledged_count(broker: RunningBroker, tmp_path: Path) -> None:
    topic = broker.fresh_topic(configuration={"max.message.bytes": "10000"})
    file = tmp_path / "events.ndjson"
    incompressible = "".join(chr(0x100 + (number * 7919) % 40_000) for number in range(40_000))
    file.write_bytes(b"\n".join((event(1, "ada"), event(2, "ada", note=incompressible), event(3, "ada"))))
    production = Production(file, None, topic)
    with pytest.raises(BrokerRefused, match="MessageSizeTooLarge"):
        production.run(settings(broker), 1, [], lambda done: None)
    assert production.produced.acknowledged == sum(broker.ends(topic).values()) < 3


def test_a_lost_broker_is_reported_with_the_acknowledged_count(tmp_path: Path) -> None:
    bounds = Bounds(unacknowledged_records_max=10, delivery_seconds_max=3.0)
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"\n".join(event(number, "ada") for number in range(1_000)))
    with running_broker(tmp_path / "broker") as broker:
        production = Production(file, None, broker.fresh_topic(), bounds)

        def kill_half_way(done: int) -> None:
            if production.produced.events == 500:
                broker.own.kill()

        with pytest.raises(BrokerUnreachable):
            production.run(settings(broker), 1, [], kill_half_way)
        assert 0 < production.produced.acknowledged <= 500
        broker.own.start()
        assert sum(broker.ends(production.produced.topic).values()) >= production.produced.acknowledged


def test_a_file_that_cannot_be_read_is_no_failure_of_kafka(broker: RunningBroker, tmp_path: Path) -> None:
    production = Production(tmp_path, None, broker.fresh_topic())
    with pytest.raises(FileUnreadable, match="directory"):
        production.run(settings(broker), 1, [], lambda done: None)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], ExitCode.WRONG_USE),
        (["--bootstrap", f"127.0.0.1:{free_port()}"], ExitCode.UNREACHABLE),
        (["--environment", "moon", "--bootstrap", "127.0.0.1:1"], ExitCode.WRONG_USE),
        (["--tenant", "Ä", "--bootstrap", "127.0.0.1:1"], ExitCode.WRONG_USE),
    ],
)
def test_the_command_ends_with_a_code_that_says_why(arguments: list[str], code: ExitCode) -> None:
    assert meterfold("produce", str(TRACE), "--map", str(MAP), *arguments, status=code) == ""


def test_the_command_refuses_a_topic_that_is_not_there(broker: RunningBroker) -> None:
    arguments = ("--map", str(MAP), "--topic", "no.such.topic", "--bootstrap", broker.bootstrap)
    assert meterfold("produce", str(TRACE), *arguments, status=ExitCode.REFUSED) == ""
