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
    """The log goes on at `in_log`, above the broker's end: another log of records than the one that was read."""

    in_log: int
    end: int

    def advice(self, topic: str, partition: int) -> str:
        """Why nothing is read, and the command that accepts it."""
        return (
            f"the broker's end of {topic}:{partition} is {self.end}, but up to {self.in_log} was read before: it has "
            "lost records, or was restored. What was read stays counted. To go on with what the broker has now: "
            f"meterfold kafka accept --topic {topic} --partition {partition}"
        )


def starting_place(in_log: int | None, bounds: OffsetBounds) -> Start | Lost | Ahead:
    """Where to start, `in_log` being the offset that the log goes on from; None when it has nothing: the earliest."""
    if in_log is None:
        return Start(bounds.first)
    if in_log < bounds.first:
        return Lost(in_log, bounds.first)
    if in_log > bounds.end:
        return Ahead(in_log, bounds.end)
    return Start(in_log)
