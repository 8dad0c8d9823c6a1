"""Exceptions of the domain.

DomainError
├── InvalidInput            a value breaks a rule; names the field and the rule
├── CommandRefused          a well-formed command that the current state does not allow
│   ├── AlreadyExists
│   ├── ChangedMeanwhile
│   └── NotFound
└── LogError                the event log cannot be read or written
    ├── Fenced              another writer has advanced the head of this stream
    ├── LogCorrupted        stored bytes do not match their hashes or the hash chain
    ├── LogUnavailable      the storage of the log refused (full, read-only, locked)
    ├── UnknownRecord       a record of a topic or class version that this program does not know
    └── PersonalKeyMissing  the encryption key of a customer life is not in the key store
"""

from __future__ import annotations


class DomainError(Exception):
    """Base of the exceptions defined in the domain."""


class InvalidInput(DomainError):
    """A value breaks a rule.

    `field` is the name as the caller wrote it; `rule` completes the sentence that begins with it ("must be ...").
    """

    def __init__(self, field: str, rule: str, code: str = "invalid") -> None:
        super().__init__(f"{field}: {rule}")
        self.field = field
        self.rule = rule
        self.code = code


class CommandRefused(DomainError):
    """A well-formed command that the current state does not allow."""


class AlreadyExists(CommandRefused):
    """Something with this id exists already."""


class ChangedMeanwhile(CommandRefused):
    """A change was made of a state that another change has replaced since it was read."""


class NotFound(CommandRefused):
    """Nothing with this id exists."""


class LogError(DomainError):
    """The event log cannot be read or written."""


class Fenced(LogError):
    """The stream's head moved since it was read: another writer owns the stream, or wrote in between."""


class LogCorrupted(LogError):
    """Stored bytes do not match their hashes, or a record does not belong where it stands."""


class LogUnavailable(LogError):
    """The storage of the log refused: disk full, folder read-only, file locked."""


class UnknownRecord(LogError):
    """A record has a topic or class version that this program does not know, because a newer program wrote it."""


class PersonalKeyMissing(LogError):
    """The encryption key of a customer life is not in the key store: destroyed, or the store was not restored."""
