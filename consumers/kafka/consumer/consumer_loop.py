"""The loop of one consumer: read records from Kafka and append them to the log.

1. Add partitions that the group assigned, drop those that it revoked; what was not appended, their next consumer reads.
2. Start reading of new partitions, at the offset in the log (`partition_resumption`).
3. Pause all partitions while the fold does not keep up (`backpressure`).
4. Poll one run of one partition, and add it to the open run of that partition.
5. Append the open runs that are large or old enough, each in one append. When an append is fenced, another consumer
   has read on: drop the run and start the partition again.
6. About once a second: commit offsets, as a hint for monitoring, and report the status.

At the end append the open runs, wait for dead letters, and commit the last offsets.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import structlog
from kafka import OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaError, LogTruncationError, OffsetOutOfRangeError

from consumers.errors import ClientOutdated
from consumers.kafka.appending.appender import PartitionAppender, PartitionBatch
from consumers.kafka.consumer.assigned_partition import AssignedPartition
from consumers.kafka.consumer.assignment import Assignment
from consumers.kafka.consumer.backpressure import Backpressure
from consumers.kafka.consumer.options import ReadingOptions
from consumers.kafka.consumer.partition_resumption import PartitionResumption
from consumers.kafka.consumer.reporting import ConsumerReporter
from consumers.kafka.dead_letters.publisher import DeadLetterPublisher, letters_from_log, letters_of
from consumers.kafka.reading.reader import PartitionReader
from consumers.kafka.records.record_content import parts_of
from consumers.kafka.records.record_runs import RecordRun
from domain.errors import Fenced, LogError

POLL_SECONDS_MAX: Final = 0.2
PAUSED_POLL_SECONDS: Final = 0.02
#: Pauses after an error that may pass by itself double between these bounds.
RETRY_SECONDS_MIN: Final = 0.1
RETRY_SECONDS_MAX: Final = 5.0
FINISHING_SECONDS_MAX: Final = 2.0
#: A commit without an answer for so long no longer holds up the next one.
COMMIT_SECONDS_MAX: Final = 10.0

_logger = structlog.get_logger("meterfold.kafka")


class PartitionConsumer:
    """Reads the partitions assigned to a client until it is stopped. For one thread."""

    def __init__(
        self,
        reader: PartitionReader,
        assignment: Assignment,
        appender: PartitionAppender,
        dead_letters: DeadLetterPublisher,
        backpressure: Backpressure,
        reporting: ConsumerReporter,
        options: ReadingOptions,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader = reader
        self._client = reader.client
        self._assignment = assignment
        self._appender = appender
        self._dead_letters = dead_letters
        self._backpressure = backpressure
        self._reporting = reporting
        self._options = options
        self._monotonic = monotonic
        self._resumption = PartitionResumption(reader, appender, dead_letters, options, monotonic)
        self._states: dict[TopicPartition, AssignedPartition] = {}
        self._replay_ends: dict[TopicPartition, int] = {}
        self._paused = False
        self._commit_until = 0.0
        self._retry_seconds = RETRY_SECONDS_MIN

    def run(self, stopping: threading.Event) -> None:
        """Consume until `stopping` is set; a replay also ends at the end offsets from when it began.

        Errors of broker and log are reported and retried. `ClientOutdated` is raised when all is finished as at the
        end; any other error is a fault of ours and is raised.
        """
        while not stopping.is_set() and not self._is_replayed():
            try:
                self._step()
            except ClientOutdated:
                self._finish()
                raise
            except (KafkaError, LogError) as error:
                self._note_trouble(error)
                self._report()
                stopping.wait(self._retry_seconds)
                self._retry_seconds = min(2 * self._retry_seconds, RETRY_SECONDS_MAX)
            else:
                self._retry_seconds = RETRY_SECONDS_MIN
                self._reporting.recovered()
        self._finish()

    def _step(self) -> None:
        self._take_changes()
        self._start_partitions()
        self._apply_backpressure()
        polled = self._polled(self._poll_seconds())
        self._take_changes()
        now = self._monotonic()
        for partition, runs in polled.items():
            self._take(partition, runs, now)
        if not self._paused:
            self._append_due(now)
        if self._reporting.is_due(now):
            self._commit_hints()
            self._report()

    # -- assignment

    def _take_changes(self) -> None:
        for change in self._assignment.take_changes():
            for partition in change.partitions:
                gone = self._states.pop(partition, None)
                if gone is not None and gone.source is not None:
                    self._appender.forget(gone.source)
                    self._dead_letters.forget(gone.source)
                if change.kind == "assigned":
                    self._states[partition] = AssignedPartition(partition.topic, partition.partition)
        for partition, state in self._states.items():
            if state.source is not None and self._is_another_topic(partition, state):
                _logger.warning("topic_made_again", topic=partition.topic, partition=partition.partition)
                self._start_again(partition, state)

    def _is_another_topic(self, partition: TopicPartition, state: AssignedPartition) -> bool:
        return not state.is_read_by(self._reader.topic_id(partition.topic))

    def _start_again(self, partition: TopicPartition, state: AssignedPartition) -> None:
        if state.source is not None:
            self._appender.forget(state.source)
        state.unresolve(self._monotonic())
        self._reader.pause([partition])

    def _start_partitions(self) -> None:
        for partition in self._resumption.start(self._states):
            self._replay_ends.setdefault(partition, self._states[partition].end_offset or 0)
            if not self._paused:
                self._reader.resume([partition])

    def _apply_backpressure(self) -> None:
        too_high = self._backpressure.is_too_high()
        if too_high == self._paused:
            return
        self._paused = too_high
        reading = [partition for partition, state in self._states.items() if state.is_resolved()]
        if too_high:
            self._reader.pause(reading)
        else:
            self._reader.resume(reading)

    # -- records

    def _poll_seconds(self) -> float:
        if self._paused:
            return PAUSED_POLL_SECONDS
        now, options = self._monotonic(), self._options
        due = (state.due_in(now, options.bounds, options.batch_age_seconds_max) for state in self._states.values())
        return max(0.0, min((seconds for seconds in due if seconds is not None), default=POLL_SECONDS_MAX))

    def _polled(self, seconds: float) -> Mapping[TopicPartition, Iterable[RecordRun]]:
        """The polled runs by partition."""
        try:
            return self._reader.poll(seconds)
        except (OffsetOutOfRangeError, LogTruncationError) as error:
            # Starting again compares the log with the broker, and records what the broker lacks of what was read.
            for partition in error.args[0] if isinstance(error, OffsetOutOfRangeError) else error.divergent_offsets:
                if partition in self._states:
                    self._start_again(partition, self._states[partition])
        return {}

    def _take(self, partition: TopicPartition, runs: Iterable[RecordRun], now: float) -> None:
        state = self._states.get(partition)
        if state is None or not state.is_resolved():
            return
        for run in runs:
            if not state.is_read_by(run.topic_id) or not state.take(run, now):
                self._start_again(partition, state)
                return

    def _append_due(self, now: float) -> None:
        options = self._options
        for partition, state in self._states.items():
            due_in = state.due_in(now, options.bounds, options.batch_age_seconds_max)
            if due_in is not None and due_in <= 0 and not self._backpressure.is_too_high():
                self._append(partition, state)

    def _append(self, partition: TopicPartition, state: AssignedPartition) -> None:
        """Append the open run of a partition, and publish the dead letters of what was rejected."""
        run, source = state.open_run, state.source
        if run is None or source is None:
            return
        self._dead_letters.await_delivery(source)
        parts = parts_of(run, self._options.context_of(partition.topic))
        try:
            appended = self._appender.append(
                PartitionBatch(source, run.first_offset, run.next_offset, parts, run.leader_epoch)
            )
        except Fenced:
            self._reporting.fenced()
            _logger.warning(
                "append_fenced", topic=partition.topic, partition=partition.partition, offset=run.first_offset
            )
            self._start_again(partition, state)
            return
        state.appended(run)
        self._backpressure.appended(appended.position)
        self._reporting.appended(len(run), appended)
        if appended.rejected:
            self._dead_letters.post(source, letters_of(appended.rejected, source, run, parts))

    # -- commits and status

    def _commit_hints(self) -> None:
        """Commit offsets that are not committed yet; a failed commit is retried with the next report."""
        self._publish_again()
        hints = self._hints()
        if hints and self._monotonic() >= self._commit_until:
            self._commit_until = self._monotonic() + COMMIT_SECONDS_MAX
            self._client.commit_async(hints, self._committed)

    def _publish_again(self) -> None:
        for state in self._states.values():
            retry_offset = None if state.source is None else self._dead_letters.retry_offset(state.source)
            if state.source is not None and retry_offset is not None:
                rejected = self._appender.rejected_since(state.source, retry_offset)
                self._dead_letters.retry(state.source, letters_from_log(rejected, state.source))

    def _hints(self) -> dict[TopicPartition, OffsetAndMetadata]:
        """The offset of each partition below which all is in the log and all dead letters are delivered."""
        hints: dict[TopicPartition, OffsetAndMetadata] = {}
        if self._options.partitions:
            return hints
        for partition, state in self._states.items():
            if state.source is not None and state.appended_offset is not None:
                offset = self._dead_letters.delivered_below(state.source, state.appended_offset)
                if offset not in (None, state.committed_offset):
                    hints[partition] = OffsetAndMetadata(offset, "", -1)
        return hints

    def _committed(self, hints: Mapping[TopicPartition, OffsetAndMetadata], result: object) -> None:
        """Callback of the library at the end of a commit, called during a poll."""
        self._commit_until = 0.0
        if not isinstance(result, BaseException):
            for partition, hint in hints.items():
                if partition in self._states:
                    self._states[partition].committed_offset = hint.offset

    def _report(self) -> None:
        for partition, state in self._states.items():
            end = self._client.highwater(partition) if partition in self._client.assignment() else None
            if end is not None:
                state.end_offset = max(end, state.end_offset or 0) if state.is_resolved() else state.end_offset
        unpublished, fold_lag_seconds = self._dead_letters.unpublished, self._backpressure.lag_seconds()
        self._reporting.write(self._states, self._paused, unpublished, fold_lag_seconds, self._reader.silent_seconds())

    def _note_trouble(self, error: Exception) -> None:
        self._reporting.trouble(f"{type(error).__name__}: {error}")

    # -- the end

    def _is_replayed(self) -> bool:
        if self._options.replay is None or len(self._replay_ends) < len(self._options.partitions):
            return False
        return all(
            state.next_offset >= self._replay_ends[partition] and state.open_run is None
            for partition, state in self._states.items()
        )

    def _finish(self) -> None:
        """Finish as far as possible in little time; the next consumer does the rest."""
        try:
            self._take_changes()
            for partition, state in self._states.items():
                if state.is_resolved() and not self._paused:
                    self._append(partition, state)
            for state in self._states.values():
                if state.source is not None:
                    self._dead_letters.await_delivery(state.source, FINISHING_SECONDS_MAX)
            hints = self._hints()
            if hints:
                self._client.commit(hints, timeout_ms=int(FINISHING_SECONDS_MAX * 1_000))
        except (KafkaError, LogError) as error:
            self._note_trouble(error)
        self._dead_letters.close(FINISHING_SECONDS_MAX)
        self._reader.close(FINISHING_SECONDS_MAX)
