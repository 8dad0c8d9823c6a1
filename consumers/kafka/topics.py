"""Create and describe the topics that Meterfold reads and writes.

Usage and commands stay in Kafka for `READ_RETENTION_HOURS`: all consumers together may be down for that long. Once
read they are in the log for ever. Dead letters stay for `REJECTED_RETENTION_HOURS`, the time there is to repair them.
Retention goes by the timestamps of records, so brokers refuse a record whose timestamp is more than
`TIMESTAMP_BEFORE_HOURS_MAX` old: it was given the time of its event and would expire before it is read. The time of
an event belongs in the event.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any, Final, Literal

import msgspec
from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, OffsetSpec
from kafka.errors import TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code

from consumers.errors import BrokerRefused
from consumers.kafka.connection import broker_failures, client_options
from consumers.settings import Settings

PARTITIONS: Final = 6
PARTITIONS_MAX: Final = 1_000
REPLICATION_MAX: Final = 9
READ_RETENTION_HOURS: Final = 7 * 24
REJECTED_RETENTION_HOURS: Final = 90 * 24
TIMESTAMP_BEFORE_HOURS_MAX: Final = 24
#: Bounds of a record batch as compressed. Dead letters get room for records of batches that compressed well.
READ_MESSAGE_BYTES_MAX: Final = 8 * 1024 * 1024
REJECTED_MESSAGE_BYTES_MAX: Final = 2 * READ_MESSAGE_BYTES_MAX

_HOUR_MILLISECONDS: Final = 3_600_000

Purpose = Literal["usage", "customers", "rejected"]


class TopicPlan(msgspec.Struct, frozen=True):
    """A topic to create. `replication` None: the default of the cluster."""

    name: str
    purpose: Purpose
    partitions: int
    replication: int | None
    configuration: dict[str, str]


class MadeTopic(msgspec.Struct, frozen=True):
    """The result of creating a topic; `made` is false when it existed, in which case it was left as it is."""

    name: str
    made: bool


class TopicState(msgspec.Struct, frozen=True):
    """A topic as the cluster has it; all numbers are None when there is no topic of this name.

    Over all partitions, `records` sums last minus first offset, and `end_offset` sums the last offsets: all records
    ever written. `retention_hours` None: for ever, in time.
    """

    name: str
    purpose: Purpose
    partitions: int | None
    replication: int | None
    records: int | None
    end_offset: int | None
    retention_hours: int | None


def purposes(settings: Settings) -> dict[str, Purpose]:
    """Return the purpose of every topic of the settings, in the order of the settings, each topic once."""
    named: dict[str, Purpose] = {}
    for name in settings.kafka_usage_topics:
        named[name] = "usage"
    for name in settings.kafka_customer_topics:
        named.setdefault(name, "customers")
    named.setdefault(settings.kafka_rejected_topic, "rejected")
    return named


def plans(settings: Settings, partitions: int = PARTITIONS, replication: int | None = None) -> list[TopicPlan]:
    """Return the topics of the settings as they are to be created. Dead letters are few and get one partition."""
    return [
        TopicPlan(
            name, purpose, 1 if purpose == "rejected" else partitions, replication, configuration(purpose, replication)
        )
        for name, purpose in purposes(settings).items()
    ]


def configuration(purpose: Purpose, replication: int | None) -> dict[str, str]:
    """Return Kafka's topic-level configuration."""
    rejected = purpose == "rejected"
    retention_hours = REJECTED_RETENTION_HOURS if rejected else READ_RETENTION_HOURS
    chosen = {
        "cleanup.policy": "delete",
        "retention.ms": str(retention_hours * _HOUR_MILLISECONDS),
        "max.message.bytes": str(REJECTED_MESSAGE_BYTES_MAX if rejected else READ_MESSAGE_BYTES_MAX),
        "message.timestamp.type": "CreateTime",
        "message.timestamp.before.max.ms": str(TIMESTAMP_BEFORE_HOURS_MAX * _HOUR_MILLISECONDS),
    }
    if replication is not None and replication > 2:
        chosen["min.insync.replicas"] = "2"
    return chosen


def create_topics(settings: Settings, wanted: Sequence[TopicPlan]) -> list[MadeTopic]:
    """Create the topics that do not exist, and wait until they can be written to.

    Raises `BrokerUnreachable`, and `BrokerRefused` for the first that the cluster does not create.
    """
    with broker_failures(settings), closing(KafkaAdminClient(**client_options(settings))) as admin:
        answer = admin.create_topics({plan.name: _creation_request(plan) for plan in wanted}, raise_errors=False)
        made = []
        for topic in answer["topics"]:
            error = for_code(topic["error_code"])
            if topic["error_code"] and error is not TopicAlreadyExistsError:
                reason = topic.get("error_message") or error.description or error.__name__
                raise BrokerRefused(f"Kafka did not create the topic {topic['name']}: {reason}")
            made.append(MadeTopic(topic["name"], topic["error_code"] == 0))
        admin.wait_for_topics([plan.name for plan in wanted])
        order = {plan.name: number for number, plan in enumerate(wanted)}
        return sorted(made, key=lambda topic: order[topic.name])


def _creation_request(plan: TopicPlan) -> dict[str, Any]:
    return {
        "num_partitions": plan.partitions,
        "replication_factor": -1 if plan.replication is None else plan.replication,
        "configs": plan.configuration,
    }


def describe_topics(settings: Settings) -> list[TopicState]:
    """Return the state of every topic of the settings. Raises `BrokerUnreachable` or `BrokerRefused`."""
    with broker_failures(settings), closing(KafkaAdminClient(**client_options(settings))) as admin:
        named = purposes(settings)
        found = {topic["name"]: topic for topic in admin.describe_topics(list(named))}
        return [_state(admin, name, purpose, found.get(name)) for name, purpose in named.items()]


def partitions_of(settings: Settings, topic: str) -> int:
    """Return the number of partitions of a topic. Raises `BrokerRefused` when there is no topic of this name."""
    with broker_failures(settings), closing(KafkaAdminClient(**client_options(settings))) as admin:
        (described,) = admin.describe_topics([topic])
        if for_code(described["error_code"]) is UnknownTopicOrPartitionError:
            raise BrokerRefused(
                f"Kafka has no topic {topic}; create the topics of the settings with: meterfold kafka topics --create"
            )
        if described["error_code"]:
            raise for_code(described["error_code"])(topic)
        return len(described["partitions"])


def _state(admin: Any, name: str, purpose: Purpose, described: Mapping[str, Any] | None) -> TopicState:
    if described is None or for_code(described["error_code"]) is UnknownTopicOrPartitionError:
        return TopicState(name, purpose, None, None, None, None, None)
    if described["error_code"]:
        raise for_code(described["error_code"])(name)
    partitions = described["partitions"]
    named = [TopicPartition(name, partition["partition_index"]) for partition in partitions]
    first, last = _offset_sum(admin, named, OffsetSpec.EARLIEST), _offset_sum(admin, named, OffsetSpec.LATEST)
    replication = min((len(partition["replica_nodes"]) for partition in partitions), default=None)
    return TopicState(name, purpose, len(partitions), replication, last - first, last, _retention_hours(admin, name))


def _offset_sum(admin: Any, partitions: Sequence[TopicPartition], end: OffsetSpec) -> int:
    """The sum of the first or last offsets of these partitions."""
    found = admin.list_partition_offsets(dict.fromkeys(partitions, end))
    return sum(answer.offset for answer in found.values())


def _retention_hours(admin: Any, name: str) -> int | None:
    """None: for ever, in time."""
    resource = ConfigResource(ConfigResourceType.TOPIC, name, ["retention.ms"])
    values = admin.describe_configs([resource], config_filter="all")["topic"][name]
    milliseconds = int(values["retention.ms"]["value"])
    return None if milliseconds < 0 else milliseconds // _HOUR_MILLISECONDS
