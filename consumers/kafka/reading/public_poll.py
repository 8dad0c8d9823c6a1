"""Read by the public poll of kafka-python: only what the library documents, with an object for each record.

It is slower than `client_internals`, and returns the same runs. Three things that the insides of the library tell are
found out by other means, each before the records concerned are returned:

1. *The topic.* The public poll fetches by name, and does not tell of which topic records are. So the ids of the topics
   are asked for before the first fetch and after each poll that brought records. As no id comes back, records between
   two equal answers are of that topic. When an id has changed, everything fetched is dropped with the client.
2. *The log.* Records are of the log that was read when the leader epoch of the first one is that of the last one
   before. When it is a later one, the last record before is looked up with a client of its own: its epoch tells whether
   it is one that was read, since a broker that lost records writes others with a later epoch. An earlier one is of a
   log that is no more. The same look-up is made where reading resumes.
3. *The position.* What an exception of the client or a rebalance makes it skip is seen by its position.

And one that no record tells: the library may never take up what the group has assigned to it, when a join takes longer
than a poll. It is seen by a client that is still joining while the broker's group is not, and the client is replaced.

Weaker than by the insides:

- The client asks any broker for the ids. If that broker has not yet heard of the new topic that another one already
  serves, records that the new topic has beyond the offset read are taken for the old one's until the next poll, and
  then read again as the new one's. No event counts twice and no command with an id is honoured twice; a rejected
  record is reported twice, and a tombstone deletes its customer twice.
- A transaction's marker tells no epoch. If a new leader was elected between the last record and its marker, and the
  next consumer reads by the insides, it stops the partition although nothing was lost. `meterfold kafka accept` helps.
- A batch in snappy, and a header with a name that is not UTF-8, cannot be read: the partition waits, and says so.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import Any, Final

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import (
    CorruptRecordError,
    IllegalStateError,
    KafkaError,
    KafkaTimeoutError,
    LogTruncationError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    UnsupportedCodecError,
)

from consumers.errors import ClientOutdated
from consumers.kafka.appending.batches import PartitionSource
from consumers.kafka.reading.described_topics import cluster_id_of, described_topics
from consumers.kafka.reading.reader import ASKING_MILLISECONDS_MAX, PartitionReader, offset_bounds
from consumers.kafka.records.record_runs import RecordRun

#: Client options that bound what is fetched at once: every poll returns all of it.
FETCHING: Final = {"max_partition_fetch_bytes": 1 << 20, "fetch_max_bytes": 16 << 20}
#: How often the topics are asked for when no records come.
TOPICS_SECONDS: Final = 5.0
LOOKING_BACK_SECONDS_MAX: Final = 30.0
_LOOKING_POLL_MILLISECONDS: Final = 200
#: How often a client that is joining its group is compared with the group.
GROUP_SECONDS: Final = 5.0
#: The states of a client that has not joined its group, as `KafkaConsumer.group_metadata` tells them. Where a release
#: tells none, or in other words, nothing can be seen.
_NOT_JOINED: Final = frozenset({"<unjoined>", "<rebalancing>"})
#: States of a group at the broker in which nobody is joining.
_AT_REST: Final = frozenset({"Stable", "Empty", "Dead"})
#: By how much more records are looked back on when none was found: a marker of a transaction is no record.
_LOOKING_FURTHER: Final = 16


class PublicPollReader(PartitionReader):
    """Reads `topics` by the public poll. A client that raised `ClientOutdated` must not be used any more."""

    def __init__(self, client: KafkaConsumer, connection: Mapping[str, Any], topics: Sequence[str]) -> None:
        """`connection`: client options with secrets. `client` must not have polled before.

        Raises what the library raises when no broker answers; then the client is closed.
        """
        super().__init__(client)
        self._connection = connection
        self._topics = topics
        self._next: dict[TopicPartition, int] = {}
        self._epochs: dict[TopicPartition, int | None] = {}
        with ExitStack() as opened:
            opened.callback(client.close, autocommit=False)
            self._admin = opened.enter_context(
                closing(KafkaAdminClient(**connection, request_timeout_ms=ASKING_MILLISECONDS_MAX))
            )
            self._cluster_id = cluster_id_of(self._admin)
            self._known = described_topics(self._admin, topics)
            opened.pop_all()
        self._answered_at = self._asked_at = self._compared_at = time.monotonic()
        self._left_behind = False  # when it was last compared with its group

    def source(self, partition: TopicPartition) -> PartitionSource | None:
        """Return the identity of a partition, by the description of its topic when this client began."""
        topic_id = self.topic_id(partition.topic)
        if topic_id is None or self._cluster_id is None:
            return None
        return PartitionSource(self._cluster_id, topic_id, partition.topic, partition.partition)

    def topic_id(self, topic: str) -> str | None:
        """Return the id that the topic had when this client began."""
        found = self._known.get(topic)
        return None if found is None else found.id

    def refresh(self) -> None:
        """Ask for the topics. Raises `ClientOutdated` when one is not what it was when this client began."""
        try:
            found = described_topics(self._admin, self._topics)
            self._answered_at = time.monotonic()
        finally:
            self._asked_at = time.monotonic()
        changed = [topic for topic, before in self._known.items() if found[topic] != before]
        if changed:
            raise ClientOutdated(f"{', '.join(changed)} was created, deleted or created again, or has more partitions")

    def silent_seconds(self) -> float:
        """Return the seconds since a broker last described the topics."""
        return time.monotonic() - self._answered_at

    def seek(self, partition: TopicPartition, offset: int, leader_epoch: int | None = None) -> bool:
        """Continue reading at an offset."""
        try:
            self.client.seek(partition, offset)
        except (AssertionError, KeyError, ValueError):
            return False
        self._next[partition], self._epochs[partition] = offset, leader_epoch
        return True

    def poll(self, seconds: float) -> Mapping[TopicPartition, Sequence[RecordRun]]:
        """Return all that was fetched, as one run for each partition."""
        self._refresh_regularly()
        try:
            self._check_group()
            return self._moved() or self._polled(seconds)
        except NoOffsetForPartitionError:
            return {}  # just assigned; its offset is not known yet
        except (OffsetOutOfRangeError, LogTruncationError, CorruptRecordError, UnsupportedCodecError) as error:
            raise _outdated(error) from error
        except (KafkaError, ClientOutdated):
            raise
        except Exception as error:  # every codec has its own; the library would not end the next poll
            raise _outdated(error) from error

    def close(self, seconds_max: float) -> None:
        """Close both clients."""
        super().close(seconds_max)
        self._admin.close()

    def _refresh_regularly(self) -> None:
        if time.monotonic() - self._asked_at >= TOPICS_SECONDS:
            try:
                self.refresh()
            except KafkaError:
                return  # `silent_seconds` tells it

    def _check_group(self) -> None:
        """Raise `ClientOutdated` when the group was not joining while this client was, at two looks in a row."""
        if time.monotonic() - self._compared_at < GROUP_SECONDS:
            return
        self._compared_at = time.monotonic()
        left_behind = self._is_left_behind()
        if left_behind and self._left_behind:
            raise ClientOutdated("it does not take up what the group has assigned to it")
        self._left_behind = left_behind

    def _is_left_behind(self) -> bool:
        member = self.client.group_metadata()
        if member.group_id is None or getattr(member, "state", None) not in _NOT_JOINED:
            return False
        try:
            group = self._admin.describe_groups([member.group_id])[member.group_id]
        except KafkaError:
            return False  # it has no coordinator at present
        return group["group_state"] in _AT_REST

    def _moved(self) -> dict[TopicPartition, list[RecordRun]]:
        """Empty runs at the positions of partitions which are not read on where the last run ended."""
        positions = {partition: self._position(partition) for partition in self._next}
        moved = {partition: found for partition, found in positions.items() if found != self._next[partition]}
        for partition in moved:
            del self._next[partition]
        return {partition: [RecordRun.starting_at(found)] for partition, found in moved.items() if found is not None}

    def _polled(self, seconds: float) -> dict[TopicPartition, list[RecordRun]]:
        """Poll; the positions are noted when all is known to be right, so that after an error they have moved."""
        polled = self.client.poll(int(seconds * 1_000), max_records=sys.maxsize)
        runs: dict[TopicPartition, list[RecordRun]] = {}
        for partition, first in self._next.items():
            after = self._position(partition)
            if after is not None and after > first:
                run = run_of(polled.get(partition, ()), first, after, self._epochs.get(partition))
                self._check_log(partition, first, polled.get(partition, ()))
                runs[partition] = [run]
        if runs:
            self.refresh()
        for partition, (run,) in runs.items():
            run.topic_id = self.topic_id(partition.topic)
            self._next[partition], self._epochs[partition] = run.next_offset, run.leader_epoch
        return runs

    def _position(self, partition: TopicPartition) -> int | None:
        """The offset that the library reads next; None when it has none or the partition was revoked."""
        if partition not in self.client.assignment():
            return None
        try:
            found: int | None = self.client.position(partition, timeout_ms=ASKING_MILLISECONDS_MAX)
        except (IllegalStateError, KeyError):  # revoked between the two questions
            return None
        return found

    def _check_log(self, partition: TopicPartition, first_offset: int, records: Sequence[Any]) -> None:
        """Raise `ClientOutdated` unless the records follow those that were read."""
        known, found = self._epochs.get(partition), _known_epoch(records[0].leader_epoch) if records else None
        if known is None or found is None or found == known:
            return
        if found < known or self.epoch_end(partition, known, first_offset) < first_offset:
            raise ClientOutdated(f"{partition.topic}:{partition.partition} has other records than were read")

    def epoch_end(self, partition: TopicPartition, epoch: int, read_to: int) -> int:
        """Find the first record of a later epoch below `read_to`, looking back from there as far as necessary.

        0 when the last record read, or the first after it, is of an earlier epoch: epochs never decrease in a log, so
        the broker has none of the epoch asked for. It takes up to `LOOKING_BACK_SECONDS_MAX` for each look.
        """
        with self._looking_back(partition) as client:
            bounds = offset_bounds(client, [partition])[partition]
            last_read = max(bounds.first, read_to - 1)
            next_epochs = (found for _, found in _epochs_between(client, partition, last_read, bounds.end))
            if next(next_epochs, epoch) < epoch:
                return 0
            below, span = min(read_to, bounds.end), 1
            while bounds.first < below:
                start = max(bounds.first, below - span)
                epochs = list(_epochs_between(client, partition, start, below))
                if start == bounds.first or any(found <= epoch for _, found in epochs):
                    return next((offset for offset, found in epochs if found > epoch), below)
                span *= _LOOKING_FURTHER
            return below

    @contextmanager
    def _looking_back(self, partition: TopicPartition) -> Iterator[KafkaConsumer]:
        """A client of its own, which has fetched nothing before. It sees aborted records, too: they have epochs."""
        options = {"enable_auto_commit": False, "auto_offset_reset": "none", "allow_auto_create_topics": False}
        client = KafkaConsumer(**self._connection, **options, **FETCHING)
        with closing(client):
            client.assign([partition])
            yield client


def _epochs_between(
    client: KafkaConsumer, partition: TopicPartition, start: int, below: int
) -> Iterator[tuple[int, int]]:
    """The offset and leader epoch of each record that the broker has with `start` <= offset < `below`."""
    client.seek(partition, start)
    deadline = time.monotonic() + LOOKING_BACK_SECONDS_MAX
    while client.position(partition) < below:
        if time.monotonic() > deadline:
            raise KafkaTimeoutError(f"no answer for {partition.topic}:{partition.partition} from offset {start} on")
        for record in client.poll(_LOOKING_POLL_MILLISECONDS).get(partition, ()):
            if record.offset < below:
                yield record.offset, record.leader_epoch


def run_of(records: Sequence[Any], first_offset: int, next_offset: int, epoch_before: int | None = None) -> RecordRun:
    """Return records that were polled of one partition, all that it has from `first_offset` to below `next_offset`."""
    headers = [tuple((name, value) for name, value in record.headers) for record in records]
    return RecordRun(
        first_offset,
        next_offset,
        [record.offset for record in records],
        [record.timestamp for record in records],
        [record.key for record in records],
        [record.value for record in records],
        headers if any(headers) else None,
        sum(len(record.value) for record in records if record.value is not None),
        _known_epoch(records[-1].leader_epoch) if records else epoch_before,
    )


def _known_epoch(epoch: int | None) -> int | None:
    """None for the library's -1, an epoch that is not known."""
    return None if epoch is None or epoch < 0 else epoch


def _outdated(error: Exception) -> ClientOutdated:
    return ClientOutdated(f"{type(error).__name__}: {error}")
