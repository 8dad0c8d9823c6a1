"""Exceptions of the consumers package.

ConsumerError
├── BrokerRefused       Kafka answered with a refusal: missing rights, no such topic
├── BrokerUnreachable   no Kafka broker answered in time
├── EngineClosing       a rebuild or verification was cancelled because the engine is stopping
├── FolderOwned         another engine owns the data folder
├── FolderUnusable      the data folder cannot be created, read or written
│   ├── FolderTooNew    a newer release has written the data folder
│   └── PersonalKeysLost the key store of the log's personal data is missing, or another one
├── IntakeFull          too many requests or bytes are pending; retry later
├── KafkaMisconfigured  Kafka settings are missing or contradict each other
├── IntakeUnavailable   the intake process is not running; requests in flight may be retried
├── RangeInvalid        a replay was asked for a range or a folder that cannot be used
├── FileUnreadable      a file to ingest, or its map file, cannot be understood
└── SettingsInvalid     environment variables or options name no setting, or have values that break a rule
"""

from __future__ import annotations

from typing import Any


class ConsumerError(Exception):
    """Base of the exceptions defined in consumers."""


class BrokerRefused(ConsumerError):
    """Kafka answered with a refusal. A retry does not help; the message gives the reason."""


class BrokerUnreachable(ConsumerError):
    """No Kafka broker answered in time. A retry may help."""


class ClientOutdated(ConsumerError):
    """A Kafka client has to be replaced: what it fetched may be of a topic or log that the broker no longer has."""


class EngineClosing(ConsumerError):
    """A rebuild or verification was cancelled because the engine is stopping. The read store in use stays in use."""


class FolderOwned(ConsumerError):
    """Another engine owns the data folder; `owner` is what it announced ({"pid", "url"}), or None."""

    def __init__(self, message: str, owner: dict[str, Any] | None) -> None:
        super().__init__(message)
        self.owner = owner


class FolderUnusable(ConsumerError):
    """The data folder cannot be created, read or written."""


class FolderTooNew(FolderUnusable):
    """A newer release has written the data folder; the message names it. Nothing in the folder was changed."""


class PersonalKeysLost(FolderUnusable):
    """The log holds personal data, and its key store is missing or another one. Nothing in the folder was changed."""


class IntakeFull(ConsumerError):
    """More requests or bytes are pending than the settings allow. Nothing of this request was taken."""


class IntakeUnavailable(ConsumerError):
    """The intake stopped before it answered. The request may be retried: deduplication makes that safe."""


class KafkaMisconfigured(ConsumerError):
    """Kafka settings are missing or contradict each other; the message names the variables and shows no secret."""


class RangeInvalid(ConsumerError):
    """A replay was asked for a range, or a folder, that cannot be used: `field` is from, to or into."""

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field} {rule}")
        self.field = field
        self.rule = rule


class LogNotPublishable(ConsumerError):
    """A log holds what a replay into Kafka cannot express."""


class FileUnreadable(ConsumerError):
    """A file to ingest, or its map file, cannot be understood."""


class SettingsInvalid(ConsumerError):
    """Environment variables or options name no setting, or have values that break a rule: `problems`, a line each."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
