"""Records lost and commands refused, over all partitions of Kafka topics."""

from __future__ import annotations

import msgspec

from projections.queries.snapshot import PAGE_ROWS_MAX, Snapshot


class PartitionLosses(msgspec.Struct, frozen=True):
    """Records that the broker dropped before they were read, and commands that broke a rule."""

    records_lost: int
    commands_refused: int


def partition_losses(snapshot: Snapshot) -> PartitionLosses:
    """The losses of every partition that was ever read, added up."""
    records_lost, commands_refused = 0, 0
    after: str | None = None
    while found := snapshot.sources(after, PAGE_ROWS_MAX):
        records_lost += sum(source.records_lost for source in found)
        commands_refused += sum(source.commands_refused for source in found)
        after = found[-1].stream
    return PartitionLosses(records_lost, commands_refused)
