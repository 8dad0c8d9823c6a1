"""Decide where reading of a partition resumes, from the log's checkpoint and the broker's offsets. Pure."""

from __future__ import annotations

import msgspec

from consumers.kafka.reading.reader import OffsetBounds


class ResumeAt(msgspec.Struct, frozen=True):
    """Resume at `offset`."""

    offset: int


class OffsetGap(msgspec.Struct, frozen=True):
    """The broker dropped unread records, `from_offset` <= offset < `to_offset`. Record it and resume at `to_offset`."""

    from_offset: int
    to_offset: int


class BrokerTruncated(msgspec.Struct, frozen=True):
    """The log continues from `in_log`, but from `end` on the broker lacks what was read, or has other records."""

    in_log: int
    end: int

    def advice(self, topic: str, partition: int, first: int) -> str:
        """Explain why nothing is read, with the command that accepts it. `first`: the broker's first offset."""
        return (
            f"{topic}:{partition} was read up to {self.in_log}, but from {self.end} on the broker's records are "
            "missing or different: it lost some, or was restored. What was read stays counted. To read what the broker "
            f"has now, which counts nothing twice: meterfold kafka accept --topic {topic} --partition {partition} "
            f"--from-offset {first}"
        )


def resume_point(
    in_log: int | None, bounds: OffsetBounds, epoch_end: int | None = None
) -> ResumeAt | OffsetGap | BrokerTruncated:
    """Return where to resume. `in_log`: the offset that the log continues from; None for an empty log: the earliest.

    `epoch_end` is the end offset of the broker's records up to the leader epoch of the last record read; None when it
    is not known. It shows what offsets alone cannot: that a broker lost records and has others at their offsets.
    """
    if in_log is None:
        return ResumeAt(bounds.first)
    if epoch_end is not None and epoch_end < in_log:
        return BrokerTruncated(in_log, epoch_end)
    if in_log < bounds.first:
        return OffsetGap(in_log, bounds.first)
    if in_log > bounds.end:
        return BrokerTruncated(in_log, bounds.end)
    return ResumeAt(in_log)
