"""What did not get through from the partitions of Kafka topics, over all of them. Pure."""

from __future__ import annotations

import msgspec

from projections.queries.snapshot import PAGE_ROWS_MAX, Snapshot


class PartitionLosses(msgspec.Struct, frozen=True):
    """Records that the broker dropped before they were read, and commands that broke a rule."""

    records_lost: int
    commands_refused: int


def losses(snapshot: Snapshot) -> PartitionLosses:
    """Summed over every partition that was ever read."""
    records_lost, commands_refused = 0, 0
    after: str | None = None
    while found := snapshot.sources(after, PAGE_ROWS_MAX):
        records_lost += sum(source.records_lost for source in found)
        commands_refused += sum(source.commands_refused for source in found)
        after = found[-1].stream
    return PartitionLosses(records_lost, commands_refused)
