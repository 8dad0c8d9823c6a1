"""Records of Kafka into the log: the loop of one consumer.

1. Take on partitions that the group gave, drop those that it took: what of them is not appended is read by the next.
2. Start what is not read yet: the log says where (`partition_starting`).
3. Pause everything while the fold does not keep up.
4. Poll one run of one partition, and add it to what is open of that partition.
5. Append what is due, being large or old enough: one append each. Fenced: somebody else read on; forget, start again.
6. About once a second: commit offsets, as a hint for monitors, and tell the status.

At the end what is open is appended, dead letters are waited for, and the last offsets are committed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import structlog
from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaError, LogTruncationError, NoOffsetForPartitionError, OffsetOutOfRangeError

from consumers.kafka.appending.appender import PartitionAppender, PartitionBatch
from consumers.kafka.consumer.assigned_partition import AssignedPartition
from consumers.kafka.consumer.assignment import Assignment
from consumers.kafka.consumer.backpressure import Backpressure
from consumers.kafka.consumer.broker_view import BrokerView
from consumers.kafka.consumer.options import ReadingOptions
from consumers.kafka.consumer.reporting import ConsumerReporting
from consumers.kafka.consumer.resuming import PartitionResumption
from consumers.kafka.dead_letters.publisher import DeadLetterPublisher, letters_again, letters_of
from consumers.kafka.records.column_fetcher import polled_run
from consumers.kafka.records.record_content import parts_of
from consumers.kafka.records.record_runs import RecordRun
from domain.errors import Fenced, LogError

POLL_SECONDS_MAX: Final = 0.2
PAUSED_POLL_SECONDS: Final = 0.02
#: Records of one plain poll, where the quick way to read is not to be had.
PLAIN_POLL_RECORDS_MAX: Final = 10_000
#: After something that may get better by itself: pauses that double between these two.
RETRY_SECONDS_MIN: Final = 0.1
RETRY_SECONDS_MAX: Final = 5.0
FINISHING_SECONDS_MAX: Final = 2.0
#: A commit that nothing was heard of for so long is not waited for.
COMMIT_SECONDS_MAX: Final = 10.0

_logger = structlog.get_logger("meterfold.kafka")


class PartitionConsumer:
    """Reads what a client is assigned, until it is told to stop. For one thread."""

    def __init__(
        self,
        client: KafkaConsumer,
        assignment: Assignment,
        appender: PartitionAppender,
        letters: DeadLetterPublisher,
        pressure: Backpressure,
        reporting: ConsumerReporting,
        options: ReadingOptions,
        *,
        in_columns: bool,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`in_columns`: whether polls of `client` answer runs, as `read_in_columns` said."""
        self._client = client
        self._assignment = assignment
        self._appender = appender
        self._letters = letters
        self._pressure = pressure
        self._reporting = reporting
        self._options = options
        self._in_columns = in_columns
        self._monotonic = monotonic
        self._view = BrokerView(client)
        self._starting = PartitionResumption(self._view, appender, letters, options, monotonic)
        self._states: dict[TopicPartition, AssignedPartition] = {}
        self._ends: dict[TopicPartition, int] = {}
        self._paused = False
        self._commit_until = 0.0
        self._retry_seconds = RETRY_SECONDS_MIN

    def run(self, stopping: threading.Event) -> None:
        """Consume until `stopping` is set; a replay also ends at the end that there was when it began.

        Raises what is nobody's fault but ours; what broker or log refuse is told and tried again.
        """
        while not stopping.is_set() and not self._is_replayed():
            try:
                self._step()
            except (KafkaError, LogError) as error:
                self._note_trouble(error)
                self._report()
                stopping.wait(self._retry_seconds)
                self._retry_seconds = min(2 * self._retry_seconds, RETRY_SECONDS_MAX)
            else:
                self._retry_seconds = RETRY_SECONDS_MIN
                self._reporting.well()
        self._finish()

    def _step(self) -> None:
        self._take_changes()
        self._start_partitions()
        self._heed_pressure()
        polled = self._polled(self._poll_seconds())
        self._view.see_join_through()
        self._take_changes()
        now = self._monotonic()
        for place, runs in polled.items():
            self._take(place, runs, now)
        if not self._paused:
            self._append_due(now)
        if self._reporting.is_due(now):
            self._commit_hints()
            self._report()

    # -- partitions that come and go

    def _take_changes(self) -> None:
        for change in self._assignment.take_changes():
            for place in change.partitions:
                gone = self._states.pop(place, None)
                if gone is not None and gone.source is not None:
                    self._appender.forget(gone.source)
                    self._letters.forget(gone.source)
                if change.kind == "assigned":
                    self._states[place] = AssignedPartition(place.topic, place.partition)
        for place, state in self._states.items():
            if state.source is not None and self._is_another_topic(place, state):
                _logger.warning("topic_made_again", topic=place.topic, partition=place.partition)
                self._start_again(place, state)

    def _is_another_topic(self, place: TopicPartition, state: AssignedPartition) -> bool:
        return not state.is_read_by(self._view.topic_id(place.topic))

    def _start_again(self, place: TopicPartition, state: AssignedPartition) -> None:
        if state.source is not None:
            self._appender.forget(state.source)
        state.unresolve(self._monotonic())
        self._view.pause([place])

    def _start_partitions(self) -> None:
        for place in self._starting.start(self._states):
            self._ends.setdefault(place, self._states[place].end_offset or 0)
            if not self._paused:
                self._view.resume([place])

    def _heed_pressure(self) -> None:
        too_high = self._pressure.is_too_high()
        if too_high == self._paused:
            return
        self._paused = too_high
        reading = [place for place, state in self._states.items() if state.is_resolved()]
        if too_high:
            self._view.pause(reading)
        else:
            self._view.resume(reading)

    # -- records

    def _poll_seconds(self) -> float:
        if self._paused:
            return PAUSED_POLL_SECONDS
        now, options = self._monotonic(), self._options
        due = (state.due_in(now, options.bounds, options.batch_age_seconds_max) for state in self._states.values())
        return max(0.0, min((seconds for seconds in due if seconds is not None), default=POLL_SECONDS_MAX))

    def _polled(self, seconds: float) -> Mapping[TopicPartition, Iterable[RecordRun]]:
        """The runs that came of each partition."""
        wait_ms = int(seconds * 1_000)
        self._view.free_drained()
        try:
            return self._client.poll(wait_ms, max_records=1) if self._in_columns else self._plain_runs(wait_ms)
        except (OffsetOutOfRangeError, LogTruncationError) as error:
            # Where it goes on is found out again, and what the broker lacks of what was read is told then.
            for place in error.args[0] if isinstance(error, OffsetOutOfRangeError) else error.divergent_offsets:
                if place in self._states:
                    self._start_again(place, self._states[place])
        except NoOffsetForPartitionError:
            pass  # just assigned; its place is about to be found out
        return {}

    def _plain_runs(self, wait_ms: int) -> dict[TopicPartition, list[RecordRun]]:
        """Runs from where the library was before a poll to where it is after it: between them nothing was left out."""
        before = {place: self._view.position(place) for place, state in self._states.items() if state.is_resolved()}
        polled = self._client.poll(wait_ms, max_records=PLAIN_POLL_RECORDS_MAX)
        runs = {}
        for place, first in before.items():
            after = self._view.position(place)
            if first is not None and after is not None and after > first:
                runs[place] = [polled_run(polled.get(place, ()), first, after)]
        return runs

    def _take(self, place: TopicPartition, runs: Iterable[RecordRun], now: float) -> None:
        state = self._states.get(place)
        if state is None or not state.is_resolved():
            return
        for run in runs:
            if not state.is_read_by(run.topic_id) or not state.take(run, now):
                self._start_again(place, state)
                return

    def _append_due(self, now: float) -> None:
        options = self._options
        for place, state in self._states.items():
            due_in = state.due_in(now, options.bounds, options.batch_age_seconds_max)
            if due_in is not None and due_in <= 0 and not self._pressure.is_too_high():
                self._append(place, state)

    def _append(self, place: TopicPartition, state: AssignedPartition) -> None:
        """One append of what is open of a partition, and the dead letters that come of it."""
        run, source = state.open_run, state.source
        if run is None or source is None:
            return
        self._letters.await_delivery(source)
        parts = parts_of(run, self._options.facts_of(place.topic))
        try:
            appended = self._appender.append(
                PartitionBatch(source, run.first_offset, run.next_offset, parts, run.leader_epoch)
            )
        except Fenced:
            self._reporting.fenced()
            _logger.warning("append_fenced", topic=place.topic, partition=place.partition, offset=run.first_offset)
            self._start_again(place, state)
            return
        state.appended(run)
        self._pressure.appended(appended.position)
        self._reporting.appended(len(run), appended)
        if appended.rejected:
            self._letters.post(source, letters_of(appended.rejected, source, run, parts))

    # -- what others are told

    def _commit_hints(self) -> None:
        """Commit what is not committed yet; what fails is tried again with the next report."""
        self._publish_again()
        hints = self._hints()
        if hints and self._monotonic() >= self._commit_until:
            self._commit_until = self._monotonic() + COMMIT_SECONDS_MAX
            self._client.commit_async(hints, self._committed)

    def _publish_again(self) -> None:
        for state in self._states.values():
            again_from = None if state.source is None else self._letters.again_from(state.source)
            if state.source is not None and again_from is not None:
                rejected = self._appender.rejected_since(state.source, again_from)
                self._letters.post_again(state.source, letters_again(rejected, state.source))

    def _hints(self) -> dict[TopicPartition, OffsetAndMetadata]:
        """Of each partition the offset before which all is in the log, and its letters have arrived."""
        hints: dict[TopicPartition, OffsetAndMetadata] = {}
        if self._options.partitions:
            return hints
        for place, state in self._states.items():
            if state.source is not None and state.appended_offset is not None:
                offset = self._letters.arrived_below(state.source, state.appended_offset)
                if offset not in (None, state.committed_offset):
                    hints[place] = OffsetAndMetadata(offset, "", -1)
        return hints

    def _committed(self, hints: Mapping[TopicPartition, OffsetAndMetadata], result: object) -> None:
        """The library tells how a commit ended, while it is polled."""
        self._commit_until = 0.0
        if not isinstance(result, BaseException):
            for place, hint in hints.items():
                if place in self._states:
                    self._states[place].committed_offset = hint.offset

    def _report(self) -> None:
        for place, state in self._states.items():
            end = self._client.highwater(place) if place in self._client.assignment() else None
            if end is not None:
                state.end_offset = max(end, state.end_offset or 0) if state.is_resolved() else state.end_offset
        unpublished, fold_lag_seconds = self._letters.unpublished, self._pressure.lag_seconds()
        self._reporting.write(self._states, self._paused, unpublished, fold_lag_seconds, self._view.silent_seconds())

    def _note_trouble(self, error: Exception) -> None:
        self._reporting.trouble(f"{type(error).__name__}: {error}")

    # -- the end

    def _is_replayed(self) -> bool:
        if self._options.replay is None or len(self._ends) < len(self._options.partitions):
            return False
        return all(
            state.next_offset >= self._ends[place] and state.open_run is None for place, state in self._states.items()
        )

    def _finish(self) -> None:
        """As well as it goes in little time: what is not done now, the next consumer does."""
        try:
            self._take_changes()
            for place, state in self._states.items():
                if state.is_resolved() and not self._paused:
                    self._append(place, state)
            for state in self._states.values():
                if state.source is not None:
                    self._letters.await_delivery(state.source, FINISHING_SECONDS_MAX)
            hints = self._hints()
            if hints:
                self._client.commit(hints, timeout_ms=int(FINISHING_SECONDS_MAX * 1_000))
        except (KafkaError, LogError) as error:
            self._note_trouble(error)
        self._letters.close(FINISHING_SECONDS_MAX)
        self._client.close(autocommit=False, timeout_ms=int(FINISHING_SECONDS_MAX * 1_000))
