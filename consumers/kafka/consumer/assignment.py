"""Which partitions the group gives to a consumer, and takes from it.

The library calls the listener in its own thread, in which nothing may be asked of broker or log. So a new partition is
only held there, paused at a place of no meaning, until the consumer's own thread has found where reading starts: the
committed offset is never used for that.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable
from typing import Literal, Protocol

import msgspec
from kafka import ConsumerRebalanceListener, TopicPartition


class Seekable(Protocol):
    """What is needed of a client here."""

    def seek(self, partition: TopicPartition, offset: int) -> None: ...

    def pause(self, *partitions: TopicPartition) -> None: ...


class AssignmentChange(msgspec.Struct, frozen=True):
    """Partitions that came, or that went, in this order."""

    kind: Literal["assigned", "revoked"]
    partitions: tuple[TopicPartition, ...]


class Assignment(ConsumerRebalanceListener):  # type: ignore[misc]
    """Changes of an assignment, noted until the consumer takes them. Safe to call from several threads."""

    def __init__(self, client: Seekable) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._changes: list[AssignmentChange] = []

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        for partition in assigned:
            self._client.seek(partition, 0)
            self._client.pause(partition)
        self._note("assigned", assigned)

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        self._note("revoked", revoked)

    def take_changes(self) -> list[AssignmentChange]:
        """What changed since this was asked last, in order."""
        with self._lock:
            changes, self._changes = self._changes, []
        return changes

    def _note(self, kind: Literal["assigned", "revoked"], partitions: Iterable[TopicPartition]) -> None:
        with self._lock:
            self._changes.append(AssignmentChange(kind, tuple(sorted(partitions))))
