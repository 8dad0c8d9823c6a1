"""Exceptions of the consumers room.

ConsumerError
├── BrokerRefused       Kafka answers, and does not do what it was asked: no rights, no such topic
├── BrokerUnreachable   no broker of Kafka answers, or not in time
├── EngineClosing       a rebuild or a verification gives up, as the engine is being stopped
├── FolderOwned         another engine owns the data folder
├── FolderUnusable      the data folder cannot be made, read or written
├── IntakeFull          more is waiting than the bounds allow; try again later
├── KafkaMisconfigured  settings of Kafka are missing or contradict each other
├── IntakeUnavailable   the intake process is not there; what was in flight may be sent again
└── FileUnreadable      a file to ingest, or its map, does not say what it should
"""

from __future__ import annotations

from typing import Any


class ConsumerError(Exception):
    """Root of everything this room raises."""


class BrokerRefused(ConsumerError):
    """Kafka answers, and does not do what it was asked. Trying again does not help; the message says why."""


class BrokerUnreachable(ConsumerError):
    """No broker of Kafka answers, or not in time. Trying again may help."""


class EngineClosing(ConsumerError):
    """A rebuild or a verification gives up, as the engine is being stopped. What was in use stays in use."""


class FolderOwned(ConsumerError):
    """Another engine owns the data folder; `owner` is what it said of itself ({"pid", "url"}), if anything."""

    def __init__(self, message: str, owner: dict[str, Any] | None) -> None:
        super().__init__(message)
        self.owner = owner


class FolderUnusable(ConsumerError):
    """The data folder cannot be made, read or written."""


class IntakeFull(ConsumerError):
    """More requests or bytes are waiting for the log than the bounds allow. Nothing of the request was taken."""


class IntakeUnavailable(ConsumerError):
    """The intake stopped before it answered. The request may be sent again: identities make that safe."""


class KafkaMisconfigured(ConsumerError):
    """Settings of Kafka are missing or contradict each other; the message names their variables, and no secret."""


class FileUnreadable(ConsumerError):
    """A file to ingest, or its map, does not say what it should."""
