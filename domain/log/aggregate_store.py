"""Aggregates in the event log, through the repository and event store of the `eventsourcing` library."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar, cast
from uuid import UUID

from eventsourcing.application import Repository
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import AggregateRecorder, EventStore, JSONTranscoder, Mapper, StoredEvent

from domain.aggregate import Aggregate
from domain.event import LifecycleEvent
from domain.log.event_codec import decode_lifecycle, new_record
from domain.log.records import EventLog, NewRecord

A = TypeVar("A", bound=Aggregate)


class LifecycleMapper(Mapper[str]):
    """Maps lifecycle events by the codec of the log; the library's own would want dataclasses."""

    def __init__(self) -> None:
        super().__init__(JSONTranscoder())

    def to_stored_event(self, domain_event: DomainEventProtocol[str]) -> StoredEvent:
        record = new_record(cast(LifecycleEvent, domain_event))
        return StoredEvent(record.stream, record.version, record.topic, record.state)

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[str]:
        return cast("DomainEventProtocol[str]", decode_lifecycle(stored_event.topic, stored_event.state))


class EventLogRecorder(AggregateRecorder):
    """Any `EventLog` as the aggregate recorder that the library's event store asks for."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int]:
        return self._log.append(
            [NewRecord(str(one.originator_id), one.originator_version, one.topic, one.state) for one in stored_events]
        )

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        records = self._log.stream(str(originator_id), gt or 0)
        found = [one for one in records if lte is None or one.version <= lte]
        if desc:
            found.reverse()
        return [StoredEvent(one.stream, one.version, one.topic, one.state) for one in found[:limit]]


class AggregateStore:
    """Loads aggregates from a log and appends what they give."""

    def __init__(self, log: EventLog) -> None:
        self._events: EventStore[str] = EventStore(LifecycleMapper(), EventLogRecorder(log))
        self._repository: Repository[str] = Repository(self._events)

    def load(self, blank: A) -> A:
        """`blank`, an aggregate to which nothing has happened, with everything applied that is in its stream."""

        def replayed(_: A | None, events: Iterable[DomainEventProtocol[str]]) -> A:
            for event in events:
                blank.replay(cast(LifecycleEvent, event))
            return blank

        return self._repository.get(blank.id, projector_func=replayed)

    def append(self, *aggregates: Aggregate) -> int | None:
        """Append what these aggregates have given, all of it or nothing; answer the last position, None when they
        gave nothing.

        `Fenced` when the stream of one has moved since it was loaded.
        """
        events = [event for aggregate in aggregates for event in aggregate.collect_events()]
        if not events:
            return None
        recordings = self._events.put(cast("Sequence[DomainEventProtocol[str]]", events))
        return recordings[-1].notification.id
