"""The topics that Meterfold reads and writes: how they are made, and what the cluster says of them.

Usage and commands stay in Kafka for `READ_RETENTION_HOURS`, which is how long every consumer may be away; once they
are read they are in the log for ever. Dead letters stay for `REJECTED_RETENTION_HOURS`, which is how long somebody
may take to repair them. Retention goes by the records' own timestamps, so a record whose timestamp is more than
`TIMESTAMP_BEFORE_HOURS_MAX` old is refused at its producer: it was given the time of its event, and would vanish
before it is read. The time of an event belongs into the event.
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
#: Of a batch of records, as it was compressed; the bound of a dead letter leaves room for what compressed well.
READ_MESSAGE_BYTES_MAX: Final = 8 * 1024 * 1024
REJECTED_MESSAGE_BYTES_MAX: Final = 2 * READ_MESSAGE_BYTES_MAX

_HOUR_MILLISECONDS: Final = 3_600_000

Purpose = Literal["usage", "customers", "rejected"]


class TopicPlan(msgspec.Struct, frozen=True):
    """A topic as it is to be made. `replication` None: as many copies as the cluster makes by default."""

    name: str
    purpose: Purpose
    partitions: int
    replication: int | None
    configuration: dict[str, str]


class MadeTopic(msgspec.Struct, frozen=True):
    """What became of a plan: made now, or there before, in which case it was left as it is."""

    name: str
    made: bool


class TopicState(msgspec.Struct, frozen=True):
    """A topic as the cluster has it; `partitions` None when it has none of this name.

    `records` counts what stands between the first and the last offset, `end_offset` all that were ever written.
    """

    name: str
    purpose: Purpose
    partitions: int | None
    replication: int | None
    records: int | None
    end_offset: int | None
    retention_hours: int | None


def purposes(settings: Settings) -> dict[str, Purpose]:
    """Every topic of the settings, once, in its order, and what it is for."""
    named: dict[str, Purpose] = {}
    for name in settings.kafka_usage_topics:
        named[name] = "usage"
    for name in settings.kafka_customer_topics:
        named.setdefault(name, "customers")
    named.setdefault(settings.kafka_rejected_topic, "rejected")
    return named


def plans(settings: Settings, partitions: int = PARTITIONS, replication: int | None = None) -> list[TopicPlan]:
    """The topics of the settings as they are to be made. Dead letters are few and get one partition."""
    return [
        TopicPlan(
            name, purpose, 1 if purpose == "rejected" else partitions, replication, configuration(purpose, replication)
        )
        for name, purpose in purposes(settings).items()
    ]


def configuration(purpose: Purpose, replication: int | None) -> dict[str, str]:
    """Kafka's settings of a topic."""
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
    """Make those that are not there, and wait until they can be written to.

    Raises `BrokerUnreachable`, and `BrokerRefused` for the first that the cluster would not make.
    """
    with broker_failures(settings), closing(KafkaAdminClient(**client_options(settings))) as admin:
        answer = admin.create_topics({plan.name: _asked(plan) for plan in wanted}, raise_errors=False)
        made = []
        for topic in answer["topics"]:
            error = for_code(topic["error_code"])
            if topic["error_code"] and error is not TopicAlreadyExistsError:
                reason = topic.get("error_message") or error.description or error.__name__
                raise BrokerRefused(f"Kafka does not make the topic {topic['name']}: {reason}")
            made.append(MadeTopic(topic["name"], topic["error_code"] == 0))
        admin.wait_for_topics([plan.name for plan in wanted])
        order = {plan.name: number for number, plan in enumerate(wanted)}
        return sorted(made, key=lambda topic: order[topic.name])


def _asked(plan: TopicPlan) -> dict[str, Any]:
    return {
        "num_partitions": plan.partitions,
        "replication_factor": -1 if plan.replication is None else plan.replication,
        "configs": plan.configuration,
    }


def describe_topics(settings: Settings) -> list[TopicState]:
    """What the cluster has of the topics of the settings. Raises `BrokerUnreachable` or `BrokerRefused`."""
    with broker_failures(settings), closing(KafkaAdminClient(**client_options(settings))) as admin:
        named = purposes(settings)
        found = {topic["name"]: topic for topic in admin.describe_topics(list(named))}
        return [_state(admin, name, purpose, found.get(name)) for name, purpose in named.items()]


def partitions_of(settings: Settings, topic: str) -> int:
    """How many partitions a topic has; `BrokerRefused` when the cluster has none of this name."""
    with broker_failures(settings), closing(KafkaAdminClient(**client_options(settings))) as admin:
        (described,) = admin.describe_topics([topic])
        if for_code(described["error_code"]) is UnknownTopicOrPartitionError:
            raise BrokerRefused(
                f"Kafka has no topic {topic}; make those of the settings: meterfold kafka topics --create"
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
    places = [TopicPartition(name, partition["partition_index"]) for partition in partitions]
    first, last = _offsets(admin, places, OffsetSpec.EARLIEST), _offsets(admin, places, OffsetSpec.LATEST)
    replication = min((len(partition["replica_nodes"]) for partition in partitions), default=None)
    return TopicState(name, purpose, len(partitions), replication, last - first, last, _retention_hours(admin, name))


def _offsets(admin: Any, places: Sequence[TopicPartition], end: OffsetSpec) -> int:
    """The first or last offsets of these partitions, added up."""
    found = admin.list_partition_offsets(dict.fromkeys(places, end))
    return sum(place.offset for place in found.values())


def _retention_hours(admin: Any, name: str) -> int | None:
    """None: for ever, in time."""
    asked = ConfigResource(ConfigResourceType.TOPIC, name, ["retention.ms"])
    told = admin.describe_configs([asked], config_filter="all")["topic"][name]
    milliseconds = int(told["retention.ms"]["value"])
    return None if milliseconds < 0 else milliseconds // _HOUR_MILLISECONDS
