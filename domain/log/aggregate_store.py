"""Storage of aggregates in the event log, by the repository and event store of the `eventsourcing` library."""

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
from domain.log.log_end import LogEnd
from domain.log.records import EventLog, NewRecord

A = TypeVar("A", bound=Aggregate)


class LifecycleMapper(Mapper[str]):
    """The library's mapper for lifecycle events, with the codec of the log; its own mapper needs dataclasses."""

    def __init__(self) -> None:
        super().__init__(JSONTranscoder())

    def to_stored_event(self, domain_event: DomainEventProtocol[str]) -> StoredEvent:
        """Encode a lifecycle event."""
        record = new_record(cast(LifecycleEvent, domain_event))
        return StoredEvent(record.stream, record.version, record.topic, record.state)

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[str]:
        """Decode a lifecycle event."""
        return cast("DomainEventProtocol[str]", decode_lifecycle(stored_event.topic, stored_event.state))


class EventLogRecorder(AggregateRecorder):
    """An adapter from any `EventLog` to the library's aggregate recorder."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int]:
        """Append events to the log and return their positions."""
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
        """The events of one aggregate with versions above `gt` and up to `lte`."""
        records = self._log.stream(str(originator_id), gt or 0)
        found = [one for one in records if lte is None or one.version <= lte]
        if desc:
            found.reverse()
        return [StoredEvent(one.stream, one.version, one.topic, one.state) for one in found[:limit]]


class AggregateStore:
    """Loads aggregates from a log and appends their new events."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._events: EventStore[str] = EventStore(LifecycleMapper(), EventLogRecorder(log))
        self._repository: Repository[str] = Repository(self._events)

    def load(self, blank: A) -> A:
        """Apply the events of its stream to `blank`, a new aggregate, and return it."""
        if isinstance(blank, LogEnd):
            blank.load_from(self._log)
            return blank

        def replayed(_: A | None, events: Iterable[DomainEventProtocol[str]]) -> A:
            for event in events:
                blank.replay(cast(LifecycleEvent, event))
            return blank

        return self._repository.get(blank.id, projector_func=replayed)

    def append(self, *aggregates: Aggregate) -> int | None:
        """Append the new events of these aggregates, all or none; return the last position, None if there are none.

        `Fenced` if the stream of one has new events since it was loaded.
        """
        events = [event for aggregate in aggregates for event in aggregate.collect_events()]
        if not events:
            return None
        recordings = self._events.put(cast("Sequence[DomainEventProtocol[str]]", events))
        return recordings[-1].notification.id
