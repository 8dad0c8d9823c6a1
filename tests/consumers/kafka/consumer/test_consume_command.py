"""`meterfold consume` and `meterfold kafka accept` as an operator uses them."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import msgspec
import pytest

from consumers.kafka.appending.batches import PartitionBatch
from tests.consumers.kafka.broker.consumer_fleet import ENDING_SECONDS_MAX, eventually, fleet, kafka_environment
from tests.consumers.kafka.broker.consuming import await_received, open_log, publish, usage
from tests.consumers.kafka.broker.running_broker import RunningBroker, running_broker
from tests.consumers.kafka.consumer.test_resume_offsets import source_of
from tests.meterfold_process import command_line, environment

pytestmark = pytest.mark.kafka

STOP_SECONDS_MAX = 10.0


def meterfold(settings: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command_line(*arguments), env=environment(**settings), capture_output=True, text=True, timeout=60, check=False
    )


def test_a_stopped_partition_goes_on_with_what_the_broker_has_once_it_is_accepted(
    broker: RunningBroker, tmp_path: Path
) -> None:
    topic = broker.fresh_topic()
    broker.make_topic(f"{topic}.customers")
    settings = kafka_environment(broker, topic)
    data = ("--data", str(tmp_path / "data"))
    publish(broker, topic, [usage(number) for number in range(10)])
    with open_log(tmp_path / "data") as opened, fleet(opened.folder, settings) as consumers:
        opened.appender().append(PartitionBatch(source_of(broker, topic), 0, 1_000, []))
        consumers.start(0)
        eventually(
            lambda: any(one.stopped for status in consumers.statuses() for one in status.partitions), consumers.said
        )
        accepting = ("kafka", "accept", "--topic", topic, "--partition", "0", "--json", *data)
        ended = meterfold(settings, *accepting)
        assert ended.returncode == 0, ended.stderr
        accepted = msgspec.json.decode(ended.stdout)
        assert (accepted["in_log"], accepted["next_offset"], accepted["end_offset"]) == (1_000, 0, 10)
        await_received(opened, 10)
        again = meterfold(settings, *accepting)
        assert again.returncode == 3
        assert "has nothing to accept" in again.stderr


def test_a_consumer_waits_for_its_broker_and_ends_in_time_whether_it_is_there_or_not(tmp_path: Path) -> None:
    with running_broker(tmp_path / "broker") as broker:
        topic = broker.fresh_topic()
        broker.make_topic(f"{topic}.customers")
        settings = kafka_environment(broker, topic)
        with open_log(tmp_path / "data") as opened, fleet(opened.folder, settings) as consumers:
            broker.own.kill()
            consumers.start(0)
            eventually(lambda: any(status.trouble for status in consumers.statuses()), consumers.said)
            begun = time.monotonic()
            assert consumers.end(0) == 0
            assert time.monotonic() - begun < STOP_SECONDS_MAX
            consumers.start(1)
            broker.own.start()
            publish(broker, topic, [usage(1)])
            await_received(opened, 1)
            broker.own.kill()
            time.sleep(1)
            begun = time.monotonic()
            assert consumers.end(1) == 0
            assert time.monotonic() - begun < min(STOP_SECONDS_MAX, ENDING_SECONDS_MAX)
            broker.own.start()


@pytest.mark.parametrize(
    ("arguments", "settings", "said"),
    [
        ((), {}, "METERFOLD_KAFKA_BOOTSTRAP"),
        (("--partition", "usage"), {"METERFOLD_KAFKA_BOOTSTRAP": "127.0.0.1:1"}, "TOPIC:NUMBER"),
        (("--from-offset", "3"), {"METERFOLD_KAFKA_BOOTSTRAP": "127.0.0.1:1"}, "--partition"),
        (("--name", "../x"), {"METERFOLD_KAFKA_BOOTSTRAP": "127.0.0.1:1"}, "name"),
    ],
)
def test_wrong_use_is_refused_at_once(
    tmp_path: Path, arguments: tuple[str, ...], settings: dict[str, str], said: str
) -> None:
    ended = meterfold(settings, "consume", "--data", str(tmp_path / "data"), *arguments)
    assert ended.returncode == 2
    assert said in ended.stderr
