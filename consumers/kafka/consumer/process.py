"""The process of one consumer, which outlives an absent broker.

1. Connect; while no broker answers, report why and retry. Read by the insides of kafka-python if all names that this
   needs are there, else by its public poll, and say so in log and status.
2. Join the group, or assign the partitions that were named.
3. Consume until stopped (`PartitionConsumer`), or until the client has to be replaced: then begin again.
"""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from collections.abc import Mapping
from types import FrameType
from typing import Any, Final

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import KafkaError

from consumers.errors import ClientOutdated
from consumers.kafka.appending.appender import PartitionAppender
from consumers.kafka.client_internals.needed_names import why_internals_are_not_used
from consumers.kafka.consumer.assignment import Assignment
from consumers.kafka.consumer.backpressure import Backpressure
from consumers.kafka.consumer.consumer_loop import RETRY_SECONDS_MAX, RETRY_SECONDS_MIN, PartitionConsumer
from consumers.kafka.consumer.options import ReadingOptions
from consumers.kafka.consumer.reporting import ConsumerReporter
from consumers.kafka.dead_letters.publisher import DeadLetterPublisher
from consumers.kafka.reading.public_poll import FETCHING, PublicPollReader
from consumers.kafka.reading.reader import PartitionReader
from consumers.kafka.topics import REJECTED_MESSAGE_BYTES_MAX

CONNECTING_SECONDS_MAX: Final = 3.0
RECONNECT_MILLISECONDS_MAX: Final = 2_000
#: Upper bound of the time until a created, grown or re-created topic is noticed.
METADATA_MILLISECONDS_MAX: Final = 5_000
PARTITION_FETCH_BYTES_MAX: Final = 4 * 1024 * 1024
#: Pause before a client is replaced, the shortest one; and how long a client must have lasted for it.
REPLACING_SECONDS: Final = 1.0
LASTING_SECONDS: Final = 60.0
LETTER_BLOCK_MILLISECONDS_MAX: Final = 5_000
HEARTBEATS_OF_SESSION: Final = 6
#: A process that was asked to stop ends within this, whatever it waits for: the log has what was appended.
STOPPING_SECONDS_MAX: Final = 9.0
#: Decoding makes many short-lived objects and no cycles: with the default of 700, collection takes a tenth of the time.
GARBAGE_OBJECTS_MIN: Final = 50_000


class ConsumerProcess:
    """One consumer from connecting to its end."""

    def __init__(
        self,
        connection: Mapping[str, Any],
        group: Mapping[str, Any],
        rejected_topic: str,
        appender: PartitionAppender,
        backpressure: Backpressure,
        reporting: ConsumerReporter,
        options: ReadingOptions,
    ) -> None:
        """`connection`: client options with secrets. `group`: those of a group member, unused for named partitions."""
        self._connection = connection
        self._group = group
        self._rejected_topic = rejected_topic
        self._appender = appender
        self._backpressure = backpressure
        self._reporting = reporting
        self._options = options
        self._public_poll = why_internals_are_not_used() or ("it is asked for" if options.public_poll else None)

    def run(self, stopping: threading.Event) -> None:
        """Consume until `stopping` is set or a replay is done."""
        if self._public_poll is not None:
            self._reporting.public_poll(self._public_poll)
        pause: float | None = None
        while not stopping.is_set():
            reader, begun = self._connected(stopping), time.monotonic()
            if reader is None:
                return
            try:
                self._consume(reader, stopping)
            except ClientOutdated as error:
                self._reporting.trouble(f"the client is replaced: {error}")
                pause = pause_before_replacing(pause, time.monotonic() - begun)
                stopping.wait(pause)
            else:
                return

    def _consume(self, reader: PartitionReader, stopping: threading.Event) -> None:
        assignment = Assignment(reader.client)
        if self._options.partitions:
            named = [TopicPartition(topic, number) for topic, number in self._options.partitions]
            reader.client.assign(named)
            assignment.on_partitions_assigned(named)
        else:
            reader.client.subscribe(list(self._options.topics), listener=assignment)
        dead_letters = DeadLetterPublisher(self._producer, self._rejected_topic)
        PartitionConsumer(
            reader, assignment, self._appender, dead_letters, self._backpressure, self._reporting, self._options
        ).run(stopping)

    def _connected(self, stopping: threading.Event) -> PartitionReader | None:
        """A reader whose client has reached a broker; None when stopped before."""
        pause = RETRY_SECONDS_MIN
        while not stopping.is_set():
            try:
                return self._reader()
            except (KafkaError, OSError) as error:
                self._reporting.trouble(f"no broker answers: {type(error).__name__}: {error}")
                self._reporting.write({}, False, 0, 0.0, 0.0)
            stopping.wait(pause)
            pause = min(2 * pause, RETRY_SECONDS_MAX)
        return None

    def _reader(self) -> PartitionReader:
        if self._public_poll is None:
            # Imported here because its import fails where the library lacks a name.
            from consumers.kafka.client_internals.internal_reader import InternalReader

            return InternalReader(self._client(), self._options.bounds)
        topics = self._options.topics or tuple({topic for topic, _ in self._options.partitions})
        return PublicPollReader(self._client(**FETCHING), self._connection, topics)

    def _client(self, **fetching: int) -> KafkaConsumer:
        group = {} if self._options.partitions else self._group
        return KafkaConsumer(
            **self._connection,
            **group,
            **({"max_partition_fetch_bytes": PARTITION_FETCH_BYTES_MAX} | fetching),
            partition_assignment_strategy=[CooperativeStickyAssignor],
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            allow_auto_create_topics=False,
            metadata_max_age_ms=METADATA_MILLISECONDS_MAX,
            reconnect_backoff_max_ms=RECONNECT_MILLISECONDS_MAX,
        )

    def _producer(self) -> Any:
        return KafkaProducer(
            **self._connection,
            max_block_ms=LETTER_BLOCK_MILLISECONDS_MAX,
            max_request_size=REJECTED_MESSAGE_BYTES_MAX,
            allow_auto_create_topics=False,
            linger_ms=5,
        )


def pause_before_replacing(last_pause: float | None, lasted_seconds: float) -> float:
    """Return the seconds to wait before a client is replaced: twice the last pause if it did not last long.

    What makes it necessary may stay, and each new client makes its group share out the partitions again.
    """
    if last_pause is None or lasted_seconds >= LASTING_SECONDS:
        return REPLACING_SECONDS
    return min(2 * last_pause, RETRY_SECONDS_MAX)


def group_options(group: str, session_seconds: float) -> dict[str, Any]:
    """Return the client options of a group member with this session time-out."""
    session_ms = round(session_seconds * 1_000)
    return {
        "group_id": group,
        "session_timeout_ms": session_ms,
        "heartbeat_interval_ms": session_ms // HEARTBEATS_OF_SESSION,
    }


def stopping_on_signals() -> threading.Event:
    """Return an event that SIGTERM and Ctrl+C set. A process still running `STOPPING_SECONDS_MAX` later is ended."""
    stopping = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        if not stopping.is_set():
            last_resort = threading.Timer(STOPPING_SECONDS_MAX, os._exit, (0,))
            last_resort.daemon = True
            last_resort.start()
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    return stopping


def tune_memory() -> None:
    """Make garbage collection rare, for a process that only decodes."""
    gc.set_threshold(GARBAGE_OBJECTS_MIN, 20, 50)
