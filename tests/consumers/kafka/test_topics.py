"""`meterfold kafka topics` creates the topics of the settings once, and shows what exists."""

from __future__ import annotations

import json

import pytest
from kafka.errors import InvalidTimestampError

from api.cli.output.exit_codes import ExitCode
from consumers.errors import BrokerRefused
from consumers.kafka.topics import create_topics, describe_topics, plans
from consumers.settings import Settings
from tests.consumers.kafka.broker.running_broker import RunningBroker
from tests.meterfold_process import free_port, meterfold

pytestmark = pytest.mark.kafka

HOUR_MILLISECONDS = 3_600_000


@pytest.fixture
def settings(broker: RunningBroker, request: pytest.FixtureRequest) -> Settings:
    name = "".join(letter for letter in request.node.name if letter.isalnum())
    return Settings(
        kafka_bootstrap=broker.bootstrap,
        kafka_usage_topics=(f"{name}.usage", f"{name}.more"),
        kafka_customer_topics=(f"{name}.customers",),
        kafka_rejected_topic=f"{name}.rejected",
    )


def test_topics_are_made_once_and_described(broker: RunningBroker, settings: Settings) -> None:
    assert {topic.partitions for topic in describe_topics(settings)} == {None}
    assert [made.made for made in create_topics(settings, plans(settings, partitions=3))] == [True] * 4
    again = create_topics(settings, plans(settings, partitions=5))
    assert [made.made for made in again] == [False] * 4
    with broker.producer() as producer:
        producer.send(settings.kafka_usage_topics[1], value=b"{}")
    states = describe_topics(settings)
    assert [topic.name for topic in states] == [made.name for made in again]
    assert [(topic.purpose, topic.partitions, topic.records, topic.retention_hours) for topic in states] == [
        ("usage", 3, 0, 168),
        ("usage", 3, 1, 168),
        ("customers", 3, 0, 168),
        ("rejected", 1, 0, 2160),
    ]


def test_a_record_that_would_vanish_at_once_is_refused(broker: RunningBroker, settings: Settings) -> None:
    create_topics(settings, plans(settings))
    with broker.producer() as producer:
        now_ms = producer.send(settings.kafka_usage_topics[0], value=b"{}").get(60).timestamp
        late = producer.send(settings.kafka_usage_topics[0], value=b"{}", timestamp_ms=now_ms - 25 * HOUR_MILLISECONDS)
        with pytest.raises(InvalidTimestampError):
            late.get(60)


def test_the_command_makes_topics_and_shows_them(broker: RunningBroker) -> None:
    made = json.loads(meterfold("kafka", "topics", "--create", "--bootstrap", broker.bootstrap, "--json"))["data"]
    shown = json.loads(meterfold("kafka", "topics", "--bootstrap", broker.bootstrap, "--json"))["data"]
    assert [topic["name"] for topic in shown] == ["meterfold.usage", "meterfold.customers", "meterfold.rejected"]
    assert [topic["partitions"] for topic in made] == [topic["partitions"] for topic in shown]
    assert {topic["made"] for topic in shown} == {False}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], ExitCode.WRONG_USE),
        (["--bootstrap", "nonsense"], ExitCode.WRONG_USE),
        (["--partitions", "3", "--bootstrap", "127.0.0.1:1"], ExitCode.WRONG_USE),
        (["--bootstrap", f"127.0.0.1:{free_port()}"], ExitCode.UNREACHABLE),
    ],
)
def test_the_command_ends_with_a_code_that_says_why(arguments: list[str], code: ExitCode) -> None:
    assert meterfold("kafka", "topics", *arguments, status=code) == ""


def test_what_the_cluster_cannot_do_is_refused(broker: RunningBroker, settings: Settings) -> None:
    with pytest.raises(BrokerRefused, match=r"replic"):
        create_topics(settings, plans(settings, replication=9))
    assert {topic.partitions for topic in describe_topics(settings)} == {None}


def test_three_copies_ask_for_two_that_acknowledge() -> None:
    chosen = [plan.configuration.get("min.insync.replicas") for plan in plans(Settings(), replication=3)]
    assert chosen == ["2", "2", "2"]
