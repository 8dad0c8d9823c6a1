"""How reading of an assigned partition starts: the log says where, not the broker.

1. Which records these are: cluster, topic id, partition. A topic that was made again is another source.
2. The offset that the log goes on from, against what the broker has (`starting_places`).
3. Records that the broker dropped unread are told in the log; a broker that has less than the log stops the partition.
4. Where the committed offset shows that a consumer ended between an append and its hint, the dead letters of that
   append are published again.
5. Seek.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import msgspec
import structlog
from kafka import TopicPartition

from consumers.kafka.assigned_partition import RESOLVE_AGAIN_SECONDS, AssignedPartition
from consumers.kafka.broker_view import BrokerView
from consumers.kafka.dead_letters import LetterBox, letters_again
from consumers.kafka.reading_options import ReadingOptions
from consumers.kafka.starting_places import Ahead, Lost, OffsetBounds, starting_place
from consumers.partition_appending import PartitionAppender, PartitionSource
from domain.errors import Fenced

_logger = structlog.get_logger("meterfold.kafka")


class PartitionStarting:
    """Starts partitions. For the consumer's own thread."""

    def __init__(
        self,
        view: BrokerView,
        appender: PartitionAppender,
        letters: LetterBox,
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
        sources: dict[TopicPartition, PartitionSource] = {}
        for place, state in due.items():
            state.resolve_at = now + RESOLVE_AGAIN_SECONDS
            source = self._view.source(place)
            if source is not None:
                sources[place] = self._of_replay(source)
        if not sources:
            return
        bounds = self._view.bounds(list(sources))
        for place, source in sources.items():
            if self._start(place, due[place], source, bounds[place]):
                yield place

    def _of_replay(self, source: PartitionSource) -> PartitionSource:
        replay = self._options.replay
        if replay is None:
            return source
        return msgspec.structs.replace(source, topic_id=f"{source.topic_id}@{replay.name}")

    def _start(
        self, place: TopicPartition, state: AssignedPartition, source: PartitionSource, bounds: OffsetBounds
    ) -> bool:
        state.end_offset = bounds.end
        in_log = self._appender.next_offset(source)
        if state.stopped is not None and in_log == state.appended_offset:
            state.stop(state.stopped, self._monotonic())
            return False
        wanted = self._options.replay.from_offset if in_log is None and self._options.replay else in_log
        found = starting_place(wanted, bounds)
        match found:
            case Ahead():
                state.appended_offset = in_log
                state.stop(found.advice(place.topic, place.partition), self._monotonic())
                _logger.error("partition_stopped", topic=place.topic, partition=place.partition, reason=state.stopped)
                return False
            case Lost(from_offset, to_offset):
                if not self._told_of_loss(source, found):
                    return False
                offset = to_offset
                _logger.error("records_lost", of=f"{place.topic}:{place.partition}", first=from_offset, end=to_offset)
            case _:
                offset = found.offset
        if in_log is not None and not self._options.partitions:
            self._publish_again(place, state, source, in_log)
        if not self._view.seek(place, offset):
            return False
        state.start(source, offset)
        _logger.info("partition_started", topic=place.topic, partition=place.partition, offset=offset)
        return True

    def _told_of_loss(self, source: PartitionSource, lost: Lost) -> bool:
        """Whether it stands in the log now; not when another consumer has moved the partition's stream."""
        try:
            self._appender.records_lost(source, lost.from_offset, lost.to_offset)
        except Fenced:
            return False
        return True

    def _publish_again(
        self, place: TopicPartition, state: AssignedPartition, source: PartitionSource, in_log: int
    ) -> None:
        state.committed_offset = self._view.committed(place)
        if state.committed_offset is None or state.committed_offset < in_log:
            self._letters.post(source, letters_again(self._appender.last_rejected(source), source))
