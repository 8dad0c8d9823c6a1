"""Resume reading of assigned partitions from the offset in the log, not from the committed offset.

1. Identify the source: cluster, topic id, partition. A re-created topic is another source.
2. Read the checkpoint from the log, and only then the offsets of the broker: another consumer may append in between,
   but the broker never has less of what was read. Every append below is fenced by that checkpoint.
3. Identify the source again, since the broker was asked by topic name.
4. Where the log says that the broker lacked what was read, read nothing until an operator has accepted that, however
   far the broker's end has come since.
5. Compare the checkpoint with the broker's offsets (`resume_offsets`). Records that the broker dropped unread are
   recorded in the log; a broker that lacks what was read is recorded, too, and stops the partition.
6. Publish dead letters again where the committed offset shows that some may be missing.
7. Seek.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import msgspec
import structlog
from kafka import TopicPartition

from consumers.kafka.appending.appender import PartitionAppender, PartitionSource
from consumers.kafka.appending.checkpoints import PartitionCheckpoint
from consumers.kafka.consumer.assigned_partition import RESOLVE_AGAIN_SECONDS, AssignedPartition
from consumers.kafka.consumer.options import ReadingOptions
from consumers.kafka.consumer.resume_offsets import BrokerTruncated, OffsetGap, resume_point
from consumers.kafka.dead_letters.publisher import DeadLetterPublisher, letters_from_log
from consumers.kafka.reading.reader import OffsetBounds, PartitionReader
from domain.errors import Fenced

_logger = structlog.get_logger("meterfold.kafka")


class _ResumeInputs(msgspec.Struct, frozen=True):
    """The offsets of a partition in log and broker. `epoch_end` as `resume_point` takes it."""

    source: PartitionSource
    checkpoint: PartitionCheckpoint
    bounds: OffsetBounds
    epoch_end: int | None


class PartitionResumption:
    """Starts reading of assigned partitions. For the consumer's own thread."""

    def __init__(
        self,
        reader: PartitionReader,
        appender: PartitionAppender,
        dead_letters: DeadLetterPublisher,
        options: ReadingOptions,
        monotonic: Callable[[], float],
    ) -> None:
        self._reader = reader
        self._appender = appender
        self._dead_letters = dead_letters
        self._options = options
        self._monotonic = monotonic

    def start(self, states: Mapping[TopicPartition, AssignedPartition]) -> Iterator[TopicPartition]:
        """Start the partitions that are due; yield each as soon as it is read.

        Raises what broker and log raise: partitions not yielded by then are retried by a later call.
        """
        now = self._monotonic()
        due = {
            partition: state
            for partition, state in states.items()
            if not state.is_resolved() and state.resolve_at <= now
        }
        for state in due.values():
            state.resolve_at = now + RESOLVE_AGAIN_SECONDS
        for partition, found in self._inputs(list(due)).items():
            if self._start(partition, due[partition], found):
                yield partition

    def _inputs(self, partitions: list[TopicPartition]) -> dict[TopicPartition, _ResumeInputs]:
        named = {partition: self._source(partition) for partition in partitions}
        sources = {partition: source for partition, source in named.items() if source is not None}
        if not sources:
            return {}
        checkpoints = {partition: self._appender.read_checkpoint(source) for partition, source in sources.items()}
        bounds = self._reader.bounds(list(sources))
        epoch_ends = {
            partition: self._reader.epoch_end(partition, read.leader_epoch, read.next_offset)
            for partition, read in checkpoints.items()
            if read.leader_epoch is not None and read.next_offset is not None
        }
        self._reader.refresh()
        return {
            partition: _ResumeInputs(source, checkpoints[partition], bounds[partition], epoch_ends.get(partition))
            for partition, source in sources.items()
            if self._source(partition) == source
        }

    def _source(self, partition: TopicPartition) -> PartitionSource | None:
        source, replay = self._reader.source(partition), self._options.replay
        if source is None or replay is None:
            return source
        return msgspec.structs.replace(source, topic_id=f"{source.topic_id}@{replay.name}")

    def _start(self, partition: TopicPartition, state: AssignedPartition, found: _ResumeInputs) -> bool:
        state.end_offset, in_log = found.bounds.end, found.checkpoint.next_offset
        if found.checkpoint.truncated_at is not None:
            self._stop(partition, state, found, found.checkpoint.truncated_at)
            return False
        match resume_point(self._wanted(found), found.bounds, found.epoch_end):
            case BrokerTruncated(end=end):
                if _is_recorded(partial(self._appender.truncated, found.source, end)):
                    self._stop(partition, state, found, end)
                return False
            case OffsetGap(from_offset, to_offset):
                if not _is_recorded(partial(self._appender.records_lost, found.source, from_offset, to_offset)):
                    return False
                offset = to_offset
                _logger.error(
                    "records_lost", of=f"{partition.topic}:{partition.partition}", first=from_offset, end=to_offset
                )
            case at:
                offset = at.offset
        if in_log is not None and not self._options.partitions:
            self._publish_again(partition, state, found.source, in_log)
        if not self._reader.seek(partition, offset, found.checkpoint.leader_epoch if offset == in_log else None):
            return False
        state.start(found.source, offset)
        _logger.info("partition_started", topic=partition.topic, partition=partition.partition, offset=offset)
        return True

    def _wanted(self, found: _ResumeInputs) -> int | None:
        """The offset to resume at by the log; for a new replay its first offset, or the broker's end if lower."""
        if found.checkpoint.next_offset is None and self._options.replay is not None:
            return min(self._options.replay.from_offset, found.bounds.end)
        return found.checkpoint.next_offset

    def _stop(self, partition: TopicPartition, state: AssignedPartition, found: _ResumeInputs, end: int) -> None:
        in_log = found.checkpoint.next_offset or 0
        reason = BrokerTruncated(in_log, end).advice(partition.topic, partition.partition, found.bounds.first)
        if state.stopped is None:
            _logger.error("partition_stopped", topic=partition.topic, partition=partition.partition, reason=reason)
        state.stop(reason, in_log, self._monotonic())

    def _publish_again(
        self, partition: TopicPartition, state: AssignedPartition, source: PartitionSource, in_log: int
    ) -> None:
        """Publish the dead letters from the committed offset on; without one, those of the last append."""
        state.committed_offset = committed = self._reader.committed(partition)
        if committed is None or committed < in_log:
            self._dead_letters.post(source, letters_from_log(self._appender.rejected_since(source, committed), source))


def _is_recorded(append: Callable[[], int]) -> bool:
    """Append a fact about the partition; False when another consumer has moved the partition's stream."""
    try:
        append()
    except Fenced:
        return False
    return True
