"""A replay into Kafka: the usage that a log holds, published again in the order of the log, at a limited rate.

1. Refuse a log in which a backfill, a correction by filter or a replacement decided what counts.
2. Read all corrections ahead: an event that is voided is left out, one that is amended is published as it is now.
3. Read the log block by block; make each accepted event from its row, as one JSON record keyed by its customer.
4. Send it, when the rate allows; bound what is not acknowledged yet.

The identity of an event is kept, so what is published twice counts once. `acknowledged_position` tells up to which log
position everything was acknowledged: from the next one on a replay that was stopped goes on.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Final

import msgspec

from consumers.embedded.data_folder import DataFolder
from consumers.embedded.replaying.log_range import position_of
from consumers.errors import LogNotPublishable, RangeInvalid
from consumers.kafka.producing.file_producer import STRUCTURED, Bounds, Produced, Record, partition_of, sending
from consumers.kafka.topics import partitions_of
from consumers.settings import Settings
from domain.backfills.events import BACKFILL_COMMITTED
from domain.correction_runs.events import CORRECTION_RUN_COMMITTED
from domain.corrections.events import (
    USAGE_AMENDED,
    USAGE_REPLACED,
    USAGE_RESTORED,
    USAGE_VOIDED,
    CorrectionEvent,
    UsageAmended,
    UsageRestored,
)
from domain.log.blocks import decode_free, decode_typed, read_header
from domain.log.event_codec import decode_lifecycle
from domain.log.records import USAGE_BATCH_TOPIC, LogRecord
from domain.log.sqlite.event_log import SQLiteEventLog
from domain.scope import Scope
from domain.usage.received_members import Members, members_text, received_members

READ_RECORDS_MAX: Final = 16
#: Topics of records that decide which events count, in a way that a replay into Kafka does not follow.
_NOT_PUBLISHED: Final = {
    BACKFILL_COMMITTED: "a backfill",
    CORRECTION_RUN_COMMITTED: "a correction by filter",
    USAGE_REPLACED: "a replacement of events",
}
CORRECTIONS_READ_MAX: Final = 1_000
#: Sending pauses only for as long as is worth it.
PAUSE_SECONDS_MIN: Final = 0.005

Identity = tuple[Scope, str, str]
#: Called after every block, with the position that was read and the last one of the range.
Advance = Callable[[int, int], None]


class Published(msgspec.Struct):
    """Progress of a replay into Kafka. `voided`: events that were left out. `others`: records that are no usage."""

    topic: str
    events: int = 0
    acknowledged: int = 0
    voided: int = 0
    amended: int = 0
    rejected: int = 0
    others: int = 0
    #: Everything up to this log position is acknowledged.
    acknowledged_position: int = 0


class Corrected(msgspec.Struct, frozen=True):
    """What the corrections of a log make of events: those that are void, and the blocks of those that were amended."""

    voided: frozenset[Identity]
    amended: dict[Identity, int]


class Pace:
    """Lets so many events a second pass, by sleeping."""

    def __init__(
        self,
        rate: float,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`rate`: events per second at most."""
        self._rate = rate
        self._monotonic = monotonic
        self._sleep = sleep
        self._next = monotonic()

    def wait(self) -> None:
        """Return when the next event may pass. Time in which none came is not made up for."""
        now = self._monotonic()
        self._next = max(self._next, now - PAUSE_SECONDS_MIN) + 1 / self._rate
        if self._next - now >= PAUSE_SECONDS_MIN:
            self._sleep(self._next - now)


class Publication:
    """Publishes the usage of a data folder's log. `published` is kept up to date, also when the run fails."""

    def __init__(self, settings: Settings, topic: str, pace: Pace, bounds: Bounds | None = None) -> None:
        self.published = Published(topic)
        self._settings = settings
        self._pace = pace
        self._bounds = Bounds() if bounds is None else bounds
        self._under_way: deque[tuple[int, int]] = deque()  # position of a block, and the events up to its end
        self._seen: set[Identity] = set()  # amended events that were published

    def run(self, first: str | None, end: str | None, advance: Advance) -> None:
        """Publish what arrived from `first` on and before `end`: positions, instants or days in UTC; None: all.

        Raises `LogNotPublishable`, `RangeInvalid`, `BrokerUnreachable`, `BrokerRefused` or `KafkaMisconfigured`.
        """
        with closing(SQLiteEventLog(DataFolder(self._settings.data_dir).log)) as log:
            _check_publishable(log)
            begins, ends = _range(log, first, end)
            self.published.acknowledged_position = begins - 1
            partitions = partitions_of(self._settings, self.published.topic)
            corrected = _corrections(log)
            produced = Produced("", self.published.topic)
            with sending(self._settings, self._bounds, produced, ()) as sender:
                for record in _records(log, begins, ends):
                    for one in self._kafka_records(log, record, corrected, partitions):
                        self._pace.wait()
                        sender.send(one)
                        self.published.events += 1
                        self._note(produced.acknowledged)
                    self._under_way.append((record.position, self.published.events))
                    self._note(produced.acknowledged)
                    advance(record.position, ends - 1)
            self._note(produced.acknowledged)

    def _note(self, acknowledged: int) -> None:
        """Note what was acknowledged, in the order in which it was sent."""
        self.published.acknowledged = acknowledged
        while self._under_way and self._under_way[0][1] <= acknowledged:
            self.published.acknowledged_position, _ = self._under_way.popleft()

    def _kafka_records(
        self, log: SQLiteEventLog, record: LogRecord, corrected: Corrected, partitions: int
    ) -> Iterator[Record]:
        if record.topic != USAGE_BATCH_TOPIC:
            self.published.others += 1
            return
        header = read_header(record.state)
        headers = _headers(header.scope)
        for members in _accepted(record.state):
            if members is None:
                self.published.rejected += 1
                continue
            identity = (header.scope, str(members["source"]), str(members["id"]))
            if identity in corrected.voided or identity in self._seen:
                self.published.voided += identity in corrected.voided
                continue
            if identity in corrected.amended:
                self._seen.add(identity)
                self.published.amended += 1
                members = _amended(log, corrected.amended[identity])
            yield _record(members, headers, partitions)


def _check_publishable(log: SQLiteEventLog) -> None:
    for topic, what in _NOT_PUBLISHED.items():
        for record in log.records_of_topic(topic, 0, 1):
            raise LogNotPublishable(
                f"the log has {what}, at position {record.position}: what counts since then is not told by events "
                "alone, so it is not published. `meterfold replay --into DIR` makes a store of it that can be looked at"
            )


def _range(log: SQLiteEventLog, first: str | None, end: str | None) -> tuple[int, int]:
    found = [
        (name, default if text is None else position_of(log, text))
        for name, text, default in (("from", first, 1), ("to", end, log.head_position() + 1))
    ]
    for name, position in found:
        if position is None:
            raise RangeInvalid(name, "must be a log position, an RFC 3339 instant with an offset, or a day")
    (_, begins), (_, ends) = found
    return max(1, begins or 1), min(ends or 1, log.head_position() + 1)


def _records(log: SQLiteEventLog, begins: int, ends: int) -> Iterator[LogRecord]:
    position = begins - 1
    while position < ends - 1 and (found := log.read(position, READ_RECORDS_MAX, ends - 1)):
        yield from found
        position = found[-1].position


def _corrections(log: SQLiteEventLog) -> Corrected:
    """What the corrections of the whole log come to: for each event the last void or restoration, and amendment."""
    found = sorted(_corrections_of(log, (USAGE_VOIDED, USAGE_RESTORED, USAGE_AMENDED)), key=lambda one: one[0])
    voided: set[Identity] = set()
    amended: dict[Identity, int] = {}
    for position, event in found:
        identity = (Scope(event.tenant, event.environment), event.source, event.id)
        if isinstance(event, UsageAmended):
            amended[identity] = position
        elif isinstance(event, UsageRestored):
            voided.discard(identity)
        else:
            voided.add(identity)
    return Corrected(frozenset(voided), amended)


def _corrections_of(log: SQLiteEventLog, topics: Iterable[str]) -> Iterator[tuple[int, CorrectionEvent]]:
    for topic in topics:
        position = 0
        while records := log.records_of_topic(topic, position, CORRECTIONS_READ_MAX):
            for record in records:
                event = decode_lifecycle(record.topic, record.state)
                if isinstance(event, CorrectionEvent):
                    yield record.position, event
            position = records[-1].position


def _accepted(block: bytes) -> Iterator[Members | None]:
    """The members of the events of a block, in order; None for one that intake rejected."""
    typed, free = decode_typed(block).to_pylist(), decode_free(block).to_pylist()
    for columns, more in zip(typed, free, strict=True):
        yield None if columns["reason"] is not None else received_members({**columns, **more})


def _amended(log: SQLiteEventLog, position: int) -> Members:
    [record] = log.read(position - 1, 1)
    event = decode_lifecycle(record.topic, record.state)
    if not isinstance(event, UsageAmended):
        raise TypeError(f"there is no amendment at log position {position}")
    [members] = _accepted(event.block)
    if members is None:
        raise TypeError(f"the amendment at log position {position} was rejected")
    return members


def _record(members: Members, headers: tuple[tuple[str, bytes], ...], partitions: int) -> Record:
    subject = members.pop("subject")
    if subject is not None:
        members["subject"] = subject
    key = subject.encode() if subject else None
    partition = None if key is None else partition_of(key, partitions)
    return Record(members_text(members).encode(), STRUCTURED, 1, 0, key, partition, headers)


def _headers(scope: Scope) -> tuple[tuple[str, bytes], ...]:
    return (("meterfold-tenant", scope.tenant.encode()), ("meterfold-environment", scope.environment.encode()))
