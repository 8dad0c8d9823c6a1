"""What a consumer is told: whose records are where, how large its appends are, and what it does at which time."""

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
    """Reading again what was read before, from an offset to the end that the broker has at the start.

    A replay is a source of its own, so it disturbs no consumer of the group; `name` makes its stream. Identities decide
    what counts, commands are honoured once. Tombstones have no id: they are left out.
    """

    name: str
    from_offset: int


class ReadingOptions(msgspec.Struct, frozen=True, kw_only=True):
    """`topics` are subscribed to as a member of the group; with `partitions` those alone are read, without a group."""

    name: str
    scope: Scope = DEFAULT_SCOPE
    topics: tuple[str, ...] = ()
    customer_topics: tuple[str, ...] = ()
    partitions: tuple[tuple[str, int], ...] = ()
    replay: Replay | None = None
    bounds: RunBounds = RunBounds(BLOCK_EVENTS_MAX, BATCH_BYTES_MAX)
    batch_age_seconds_max: float = BATCH_AGE_SECONDS_MAX

    def facts_of(self, topic: str) -> RecordContext:
        """How records of a topic are read."""
        if self.replay is not None:
            return RecordContext(self.scope, "left out")
        return RecordContext(self.scope, "delete the customer" if topic in self.customer_topics else "rejected")


def consumer_options(settings: Settings, name: str) -> ReadingOptions:
    """How a consumer of the group reads, by the settings. `InvalidInput` for a name or a scope that cannot be."""
    return ReadingOptions(
        name=checked_name(name),
        scope=scope_of(settings.kafka_tenant, settings.kafka_environment),
        topics=tuple(dict.fromkeys(settings.kafka_usage_topics + settings.kafka_customer_topics)),
        customer_topics=settings.kafka_customer_topics,
        bounds=RunBounds(settings.kafka_batch_events_max, settings.kafka_batch_bytes_max),
        batch_age_seconds_max=settings.kafka_batch_seconds_max,
    )
