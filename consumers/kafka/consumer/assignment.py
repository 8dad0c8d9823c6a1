"""Rebalance listener: records which partitions the group assigns to a consumer and revokes from it.

The library calls the listener in its own thread, which must not ask the broker or the log. So a new partition is only
paused there, at offset 0, until the consumer's own thread has found the offset to start from. The committed offset is
never used for that.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable
from typing import Literal, Protocol

import msgspec
from kafka import ConsumerRebalanceListener, TopicPartition


class Seekable(Protocol):
    """The part of a client that is needed here."""

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Set the next offset to fetch."""

    def pause(self, *partitions: TopicPartition) -> None:
        """Fetch nothing of these partitions."""


class AssignmentChange(msgspec.Struct, frozen=True):
    """Partitions that were assigned or revoked together, sorted."""

    kind: Literal["assigned", "revoked"]
    partitions: tuple[TopicPartition, ...]


class Assignment(ConsumerRebalanceListener):  # type: ignore[misc]
    """Queues assignment changes until the consumer takes them. Safe to call from several threads."""

    def __init__(self, client: Seekable) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._changes: list[AssignmentChange] = []

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Pause new partitions, whose offset is not known yet."""
        for partition in assigned:
            self._client.seek(partition, 0)
            self._client.pause(partition)
        self._note("assigned", assigned)

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Queue the revocation."""
        self._note("revoked", revoked)

    def take_changes(self) -> list[AssignmentChange]:
        """Return the changes since the last call, in order."""
        with self._lock:
            changes, self._changes = self._changes, []
        return changes

    def _note(self, kind: Literal["assigned", "revoked"], partitions: Iterable[TopicPartition]) -> None:
        with self._lock:
            self._changes.append(AssignmentChange(kind, tuple(sorted(partitions))))
