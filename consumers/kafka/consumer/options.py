"""Options of one consumer: topics or partitions, the default scope, bounds of appends, replay."""

from __future__ import annotations

from typing import Final

import msgspec

from consumers.kafka.consumer.status import checked_name
from consumers.kafka.records.record_content import RecordContext
from consumers.kafka.records.record_runs import RunBounds
from consumers.settings import Settings
from domain.scope import DEFAULT_SCOPE, Scope, scope_of
from domain.usage.block_schema import BLOCK_EVENTS_MAX

BATCH_BYTES_MAX: Final = 16 * 1024 * 1024
BATCH_AGE_SECONDS_MAX: Final = 0.05


class Replay(msgspec.Struct, frozen=True):
    """Reading a partition again, from an offset to the end that the broker has at the start.

    A replay is a source of its own and disturbs no consumer of the group; `name` identifies its stream. Identities of
    events decide what counts, and commands are honoured once. Tombstones have no id and are left out.
    """

    name: str
    from_offset: int


class ReadingOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options of a consumer. `topics` are subscribed to as a group member; `partitions` are read without a group.

    `public_poll`: use only what kafka-python documents, as where a release of it lacks a name that is needed.
    """

    name: str
    scope: Scope = DEFAULT_SCOPE
    topics: tuple[str, ...] = ()
    customer_topics: tuple[str, ...] = ()
    partitions: tuple[tuple[str, int], ...] = ()
    replay: Replay | None = None
    public_poll: bool = False
    bounds: RunBounds = RunBounds(BLOCK_EVENTS_MAX, BATCH_BYTES_MAX)
    batch_age_seconds_max: float = BATCH_AGE_SECONDS_MAX

    def context_of(self, topic: str) -> RecordContext:
        """Return the context in which records of a topic are read."""
        if self.replay is not None:
            return RecordContext(self.scope, "left out")
        return RecordContext(self.scope, "delete the customer" if topic in self.customer_topics else "rejected")


def consumer_options(settings: Settings, name: str) -> ReadingOptions:
    """Return the options of a group consumer from the settings. Raises `InvalidInput` for an invalid name or scope."""
    return ReadingOptions(
        name=checked_name(name),
        scope=scope_of(settings.kafka_tenant, settings.kafka_environment),
        topics=tuple(dict.fromkeys(settings.kafka_usage_topics + settings.kafka_customer_topics)),
        customer_topics=settings.kafka_customer_topics,
        bounds=RunBounds(settings.kafka_batch_events_max, settings.kafka_batch_bytes_max),
        batch_age_seconds_max=settings.kafka_batch_seconds_max,
    )
