"""Read by the insides of kafka-python: fetches by topic id, batches decoded as a whole, questions to the leader.

The library does not publish topic ids, nor where a leader epoch ends: they are read from its private state. Its own
behaviour is set right at three places: `_free_drained`, `_keep_pending_join` and `_drop_parked`.

Importing this module fails where the library lacks one of the names in `needed_names`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import LeaderNotAvailableError, NoError, NoOffsetForPartitionError, for_code
from kafka.protocol.consumer import OffsetForLeaderEpochRequest

from consumers.kafka.appending.batches import PartitionSource
from consumers.kafka.client_internals.column_fetcher import read_in_columns
from consumers.kafka.reading.reader import ASKING_MILLISECONDS_MAX, PartitionReader
from consumers.kafka.records.record_runs import RecordRun, RunBounds


class InternalReader(PartitionReader):
    """Reads by a client that has not polled before. A run ends at the first batch at which it reaches its bounds."""

    def __init__(self, client: KafkaConsumer, bounds: RunBounds) -> None:
        super().__init__(client)
        self._cluster: Any = client._cluster  # noqa: SLF001
        self._coordinator: Any = client._coordinator  # noqa: SLF001
        self._fetcher: Any = client._fetcher  # noqa: SLF001
        self._manager: Any = client._manager  # noqa: SLF001
        self._subscription: Any = client._subscription  # noqa: SLF001
        read_in_columns(self._fetcher, self._cluster, bounds)

    def source(self, partition: TopicPartition) -> PartitionSource | None:
        """Return the identity in the metadata of the client, which are refreshed while it is None."""
        topic_id = self.topic_id(partition.topic)
        cluster_id = self._cluster.cluster_id
        if topic_id is None or cluster_id is None:
            self._cluster.request_update()
            return None
        return PartitionSource(cluster_id, topic_id, partition.topic, partition.partition)

    def topic_id(self, topic: str) -> str | None:
        """Return the id in the metadata of the client."""
        found = self._cluster.topic_id(topic)
        return str(found) if found is not None and found.int else None

    def refresh(self) -> None:
        """Refresh the metadata of the client."""

        async def refreshed() -> None:
            asking = self._manager.call_soon(self._cluster.refresh_metadata)
            await self._manager.wait_for(asking, ASKING_MILLISECONDS_MAX)

        self._manager.run(refreshed)

    def epoch_end(self, partition: TopicPartition, epoch: int, read_to: int) -> int:
        """Ask the leader of the partition. 0 when it does not know such an epoch."""
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

    def seek(self, partition: TopicPartition, offset: int, leader_epoch: int | None = None) -> bool:
        """Continue reading at an offset, of which the library checks the epoch before it fetches."""
        try:
            self.client.seek(partition, offset)
            if leader_epoch is not None:
                self._subscription.seek(partition, OffsetAndMetadata(offset, "", leader_epoch))
        except (AssertionError, KeyError, ValueError):
            return False
        self._drop_parked(partition)
        return True

    def poll(self, seconds: float) -> Mapping[TopicPartition, Sequence[RecordRun]]:
        """Return at most one run, of one partition."""
        self._free_drained()
        self._keep_pending_join()
        try:
            polled: dict[TopicPartition, list[RecordRun]] = self.client.poll(int(seconds * 1_000), max_records=1)
        except NoOffsetForPartitionError:
            return {}  # just assigned; its offset is not known yet
        return polled

    def silent_seconds(self) -> float:
        """Return the seconds since the client last refreshed its metadata."""
        answered_ms: float = self._cluster._last_successful_refresh_ms  # noqa: SLF001
        return max(0.0, time.monotonic() - answered_ms / 1_000)

    def _free_drained(self) -> None:
        """Drop the library's current records when they are used up.

        The library returns the records of resumed partitions only while it has no current ones, and takes used-up ones
        for current.
        """
        if self._fetcher._next_partition_records is not None and not self._fetcher._next_partition_records:  # noqa: SLF001
            self._fetcher._next_partition_records = None  # noqa: SLF001

    def _keep_pending_join(self) -> None:
        """Keep a group join under way, so that the next poll waits for it.

        The library drops a join that began because a topic's partitions changed: once the group leader has assigned
        them, the library sees no reason to join any more and never takes up its assignment.
        """
        if self._coordinator._join_task is not None and not self._coordinator.need_rejoin():  # noqa: SLF001
            self._coordinator.request_rejoin()

    def _drop_parked(self, partition: TopicPartition) -> None:
        """Drop what was fetched before a partition was paused: after a seek it is of another offset.

        The library fetches nothing more of a partition while it keeps such records, which can be for ever.
        """
        parked = self._fetcher._paused_partition_records.pop(partition, None)  # noqa: SLF001
        if parked is not None:
            parked.drain()
        self._fetcher._paused_completed_fetches.pop(partition, None)  # noqa: SLF001
