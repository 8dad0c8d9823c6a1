"""The identity of topics and partitions, asked for by what kafka-python documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from kafka import KafkaAdminClient, TopicPartition
from kafka.errors import UnknownTopicOrPartitionError, for_code

from consumers.kafka.appending.batches import PartitionSource

_NO_ID: Final = "00000000-0000-0000-0000-000000000000"


class DescribedTopic(msgspec.Struct, frozen=True):
    """A topic as the broker describes it. `id` None: the broker is older than topic ids."""

    id: str | None
    partitions: int


def described_topics(admin: KafkaAdminClient, names: Sequence[str]) -> dict[str, DescribedTopic | None]:
    """Ask a broker for topics; None for each that does not exist. Raises what the library raises."""
    answers = {topic["name"]: topic for topic in admin.describe_topics(list(names))}
    return {name: _described(name, answers.get(name)) for name in names}


def _described(name: str, answer: Mapping[str, Any] | None) -> DescribedTopic | None:
    error = None if answer is None else for_code(answer["error_code"])
    if answer is None or error is UnknownTopicOrPartitionError:
        return None
    if error is not None and answer["error_code"]:
        raise error(name)
    topic_id = str(answer.get("topic_id") or _NO_ID)
    return DescribedTopic(None if topic_id == _NO_ID else topic_id, len(answer["partitions"]))


def described_source(admin: KafkaAdminClient, partition: TopicPartition) -> PartitionSource | None:
    """Ask a broker for the identity of a partition; None when there is none. Raises what the library raises."""
    found, cluster_id = described_topics(admin, [partition.topic])[partition.topic], cluster_id_of(admin)
    if found is None or found.id is None or cluster_id is None or partition.partition >= found.partitions:
        return None
    return PartitionSource(cluster_id, found.id, partition.topic, partition.partition)


def cluster_id_of(admin: KafkaAdminClient) -> str | None:
    """Ask a broker for the id of the cluster. Raises what the library raises."""
    cluster_id: str | None = admin.describe_cluster()["cluster_id"]
    return cluster_id
