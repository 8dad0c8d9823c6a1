"""Queries and commands to the Kafka client other than polling: metadata, offsets, seek, pause and resume.

The group may revoke a partition at any moment, in the thread of the library, so all calls tolerate that.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import LeaderNotAvailableError, NoError, for_code
from kafka.protocol.consumer import OffsetForLeaderEpochRequest

from consumers.kafka.appending.batches import PartitionSource
from consumers.kafka.consumer.resume_offsets import OffsetBounds

ASKING_MILLISECONDS_MAX: Final = 5_000


class BrokerView:
    """Metadata as the client has it, offsets as the broker answers them, and what to fetch. For one thread.

    The library does not publish topic ids: they are read from its private state.
    """

    def __init__(self, client: KafkaConsumer) -> None:
        self._client = client
        self._cluster: Any = client._cluster  # noqa: SLF001
        self._manager: Any = client._manager  # noqa: SLF001
        self._subscription: Any = client._subscription  # noqa: SLF001
        self._fetcher: Any = client._fetcher  # noqa: SLF001

    def source(self, partition: TopicPartition) -> PartitionSource | None:
        """Return the identity of a partition as it is now; None while the client does not know the topic."""
        topic_id = self.topic_id(partition.topic)
        cluster_id = self._cluster.cluster_id
        if topic_id is None or cluster_id is None:
            self._cluster.request_update()
            return None
        return PartitionSource(cluster_id, topic_id, partition.topic, partition.partition)

    def topic_id(self, topic: str) -> str | None:
        """Return the id of a topic, which differs after a topic was re-created; None while it is not known."""
        found = self._cluster.topic_id(topic)
        return str(found) if found is not None and found.int else None

    def refresh(self) -> None:
        """Refresh the topic metadata from the broker. Raises what the library raises."""

        async def refreshed() -> None:
            asking = self._manager.call_soon(self._cluster.refresh_metadata)
            await self._manager.wait_for(asking, ASKING_MILLISECONDS_MAX)

        self._manager.run(refreshed)

    def bounds(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, OffsetBounds]:
        """Return the offsets that the broker has. Raises what the library raises, after `ASKING_MILLISECONDS_MAX`."""
        firsts = self._client.beginning_offsets(partitions, timeout_ms=ASKING_MILLISECONDS_MAX)
        ends = self._client.end_offsets(partitions, timeout_ms=ASKING_MILLISECONDS_MAX)
        return {partition: OffsetBounds(firsts[partition], ends[partition]) for partition in partitions}

    def epoch_ends(self, epochs: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        """Return the end offset of the records of a leader epoch, and of those before it, for each partition.

        0 where the broker does not know such an epoch. Raises what the library raises, after
        `ASKING_MILLISECONDS_MAX` for each partition.
        """
        return {partition: self._epoch_end(partition, epoch) for partition, epoch in epochs.items()}

    def _epoch_end(self, partition: TopicPartition, epoch: int) -> int:
        node = self._cluster.leader_for_partition(partition)
        if node in (None, -1):
            raise LeaderNotAvailableError(f"{partition.topic}:{partition.partition} has no leader")
        of_topic = OffsetForLeaderEpochRequest.OffsetForLeaderTopic
        asked = of_topic.OffsetForLeaderPartition(
            partition=partition.partition, current_leader_epoch=-1, leader_epoch=epoch
        )
        request = OffsetForLeaderEpochRequest(
            replica_id=-1, topics=[of_topic(topic=partition.topic, partitions=[asked])]
        )

        async def answered() -> Any:
            return await self._manager.wait_for(self._manager.send(request, node_id=node), ASKING_MILLISECONDS_MAX)

        (found,) = self._manager.run(answered).topics[0].partitions
        error = for_code(found.error_code)
        if error is not NoError:
            raise error(f"{partition.topic}:{partition.partition}")
        return max(0, int(found.end_offset))

    def committed(self, partition: TopicPartition) -> int | None:
        """Return the committed offset of the group: a hint that may be absent or wrong."""
        found: int | None = self._client.committed(partition, timeout_ms=ASKING_MILLISECONDS_MAX)
        return found

    def seek(self, partition: TopicPartition, offset: int, leader_epoch: int | None = None) -> bool:
        """Continue reading at an offset; False when the group has just revoked the partition.

        With the leader epoch of the record before it, the library detects that the broker no longer has that record.
        """
        try:
            self._client.seek(partition, offset)
            if leader_epoch is not None:
                self._subscription.seek(partition, OffsetAndMetadata(offset, "", leader_epoch))
        except (AssertionError, KeyError, ValueError):
            return False
        self._drop_parked(partition)
        return True

    def free_drained(self) -> None:
        """Drop the library's current records when they are used up. Call this before every poll.

        The library returns the records of resumed partitions only while it has no current ones, and takes used-up ones
        for current.
        """
        if self._fetcher._next_partition_records is not None and not self._fetcher._next_partition_records:  # noqa: SLF001
            self._fetcher._next_partition_records = None  # noqa: SLF001

    def _drop_parked(self, partition: TopicPartition) -> None:
        """Drop what was fetched before a partition was paused: after a seek it is of another offset.

        The library fetches nothing more of a partition while it keeps such records, which can be for ever.
        """
        parked = self._fetcher._paused_partition_records.pop(partition, None)  # noqa: SLF001
        if parked is not None:
            parked.drain()
        self._fetcher._paused_completed_fetches.pop(partition, None)  # noqa: SLF001

    def position(self, partition: TopicPartition) -> int | None:
        """Return the offset that the library reads next; None when it has none or the partition was revoked.

        Raises what the library raises, after `ASKING_MILLISECONDS_MAX`.
        """
        if partition not in self._client.assignment():
            return None
        found: int | None = self._client.position(partition, timeout_ms=ASKING_MILLISECONDS_MAX)
        return found

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        """Stop fetching these partitions; revoked ones are skipped."""
        for partition in partitions:
            with suppress(KeyError):
                self._client.pause(partition)

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        """Fetch these partitions again; revoked ones are skipped."""
        for partition in partitions:
            with suppress(KeyError):
                self._client.resume(partition)

    def keep_pending_join(self) -> None:
        """Keep a group join under way, so that the next poll waits for it.

        The library drops a join that began because a topic's partitions changed: once the group leader has assigned
        them, the library sees no reason to join any more and never takes up its assignment.
        """
        coordinator: Any = getattr(self._client, "_coordinator", None)
        if getattr(coordinator, "_join_task", None) is not None and not coordinator.need_rejoin():
            coordinator.request_rejoin()

    def silent_seconds(self) -> float:
        """Return the seconds since the broker last answered a metadata request, which the client repeats by itself."""
        answered_ms: float = self._cluster._last_successful_refresh_ms  # noqa: SLF001
        return max(0.0, time.monotonic() - answered_ms / 1_000)
