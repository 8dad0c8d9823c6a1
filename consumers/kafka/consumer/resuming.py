"""How reading of an assigned partition starts: the log says where, not the broker.

1. Which records these are: cluster, topic id, partition. A topic that was made again is another source.
2. The end of its stream in the log, and only then what the broker has: another consumer may append in between, but the
   broker never has less of what was read. What is appended below holds for that very end, or is fenced.
3. Ask again which topic it is: the broker was asked by name.
4. Where the log says that the broker lacked what was read, nothing is read until an operator has accepted that,
   however far its end has come since.
5. The offset that the log goes on from, against what the broker has (`starting_places`). Records that it dropped unread
   are told in the log; one that lacks what was read is told there, too, and stops the partition.
6. Where the committed offset shows that dead letters may be missing, they are published again.
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
from consumers.kafka.consumer.broker_view import BrokerView
from consumers.kafka.consumer.options import ReadingOptions
from consumers.kafka.consumer.resume_offsets import Ahead, Lost, OffsetBounds, starting_place
from consumers.kafka.dead_letters.publisher import DeadLetterPublisher, letters_again
from domain.errors import Fenced

_logger = structlog.get_logger("meterfold.kafka")


class _Found(msgspec.Struct, frozen=True):
    """What log and broker say of a partition. `epoch_end` as `starting_place` takes it."""

    source: PartitionSource
    end: PartitionCheckpoint
    bounds: OffsetBounds
    epoch_end: int | None


class PartitionResumption:
    """Starts partitions. For the consumer's own thread."""

    def __init__(
        self,
        view: BrokerView,
        appender: PartitionAppender,
        letters: DeadLetterPublisher,
        options: ReadingOptions,
        monotonic: Callable[[], float],
    ) -> None:
        self._view = view
        self._appender = appender
        self._letters = letters
        self._options = options
        self._monotonic = monotonic

    def start(self, states: Mapping[TopicPartition, AssignedPartition]) -> Iterator[TopicPartition]:
        """Start those whose time has come; each is told as soon as it is read.

        Raises what broker and log raise: then those not yet told are tried again by the next call.
        """
        now = self._monotonic()
        due = {place: state for place, state in states.items() if not state.is_resolved() and state.resolve_at <= now}
        for state in due.values():
            state.resolve_at = now + RESOLVE_AGAIN_SECONDS
        for place, found in self._found(list(due)).items():
            if self._start(place, due[place], found):
                yield place

    def _found(self, places: list[TopicPartition]) -> dict[TopicPartition, _Found]:
        named = {place: self._source(place) for place in places}
        sources = {place: source for place, source in named.items() if source is not None}
        if not sources:
            return {}
        ends = {place: self._appender.end(source) for place, source in sources.items()}
        bounds = self._view.bounds(list(sources))
        epochs = {place: end.leader_epoch for place, end in ends.items() if end.leader_epoch is not None}
        epoch_ends = self._view.epoch_ends(epochs)
        self._view.refresh()
        return {
            place: _Found(source, ends[place], bounds[place], epoch_ends.get(place))
            for place, source in sources.items()
            if self._source(place) == source
        }

    def _source(self, place: TopicPartition) -> PartitionSource | None:
        source, replay = self._view.source(place), self._options.replay
        if source is None or replay is None:
            return source
        return msgspec.structs.replace(source, topic_id=f"{source.topic_id}@{replay.name}")

    def _start(self, place: TopicPartition, state: AssignedPartition, found: _Found) -> bool:
        state.end_offset, in_log = found.bounds.end, found.end.next_offset
        if found.end.truncated_at is not None:
            self._stop(place, state, found, found.end.truncated_at)
            return False
        match starting_place(self._wanted(found), found.bounds, found.epoch_end):
            case Ahead(end=end):
                if _is_told(partial(self._appender.truncated, found.source, end)):
                    self._stop(place, state, found, end)
                return False
            case Lost(from_offset, to_offset):
                if not _is_told(partial(self._appender.records_lost, found.source, from_offset, to_offset)):
                    return False
                offset = to_offset
                _logger.error("records_lost", of=f"{place.topic}:{place.partition}", first=from_offset, end=to_offset)
            case at:
                offset = at.offset
        if in_log is not None and not self._options.partitions:
            self._publish_again(place, state, found.source, in_log)
        if not self._view.seek(place, offset, found.end.leader_epoch if offset == in_log else None):
            return False
        state.start(found.source, offset)
        _logger.info("partition_started", topic=place.topic, partition=place.partition, offset=offset)
        return True

    def _wanted(self, found: _Found) -> int | None:
        """From where on to read; of a replay that has begun to be, what it was told, or the end where that is below."""
        if found.end.next_offset is None and self._options.replay is not None:
            return min(self._options.replay.from_offset, found.bounds.end)
        return found.end.next_offset

    def _stop(self, place: TopicPartition, state: AssignedPartition, found: _Found, end: int) -> None:
        in_log = found.end.next_offset or 0
        reason = Ahead(in_log, end).advice(place.topic, place.partition, found.bounds.first)
        if state.stopped is None:
            _logger.error("partition_stopped", topic=place.topic, partition=place.partition, reason=reason)
        state.stop(reason, in_log, self._monotonic())

    def _publish_again(
        self, place: TopicPartition, state: AssignedPartition, source: PartitionSource, in_log: int
    ) -> None:
        """Letters from the committed offset on; without one, those of the last append."""
        state.committed_offset = committed = self._view.committed(place)
        if committed is None or committed < in_log:
            self._letters.post(source, letters_again(self._appender.rejected_since(source, committed), source))


def _is_told(tell: Callable[[], int]) -> bool:
    """Whether it stands in the log now; not when another consumer has moved the partition's stream."""
    try:
        tell()
    except Fenced:
        return False
    return True
