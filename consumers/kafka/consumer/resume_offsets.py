"""Where reading of a partition starts: what the log says, against what the broker still has. Pure."""

from __future__ import annotations

import msgspec


class OffsetBounds(msgspec.Struct, frozen=True):
    """What a broker has of a partition: offsets from `first` on and below `end`."""

    first: int
    end: int


class Start(msgspec.Struct, frozen=True):
    """Read from `offset` on."""

    offset: int


class Lost(msgspec.Struct, frozen=True):
    """The broker no longer has `from_offset` up to, and without, `to_offset`: to be told, then read from there."""

    from_offset: int
    to_offset: int


class Ahead(msgspec.Struct, frozen=True):
    """The log goes on at `in_log`, but from `end` on the broker has none of what was read: its records are others."""

    in_log: int
    end: int

    def advice(self, topic: str, partition: int, first: int) -> str:
        """Why nothing is read, and the command that accepts it; `first` is the first offset that the broker has."""
        return (
            f"{topic}:{partition} was read up to {self.in_log}, but from {self.end} on the broker's records are others "
            "or missing: it has lost some, or was restored. What was read stays counted. To read what the broker has "
            f"now, which counts nothing twice: meterfold kafka accept --topic {topic} --partition {partition} "
            f"--from-offset {first}"
        )


def starting_place(in_log: int | None, bounds: OffsetBounds, epoch_end: int | None = None) -> Start | Lost | Ahead:
    """Where to start, `in_log` being the offset that the log goes on from; None when it has nothing: the earliest.

    `epoch_end` is where the broker's records end that are as old as the last one that was read, or older (by leader
    epochs); None when that is not known. It tells what bounds cannot, once a broker that lost records has others.
    """
    if in_log is None:
        return Start(bounds.first)
    if epoch_end is not None and epoch_end < in_log:
        return Ahead(in_log, epoch_end)
    if in_log < bounds.first:
        return Lost(in_log, bounds.first)
    if in_log > bounds.end:
        return Ahead(in_log, bounds.end)
    return Start(in_log)
