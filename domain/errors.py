"""Exceptions of the domain room.

DomainError
├── InvalidInput            a value breaks a rule; names the field and the rule
├── CommandRefused          a command is well formed but the aggregate says no
│   ├── AlreadyExists
│   └── NotFound
└── LogError                the event log cannot do what was asked
    ├── Fenced              another writer has moved the head of this stream
    ├── LogCorrupted        stored bytes do not match their own hashes or the chain
    ├── LogUnavailable      the storage under the log refused (full, read-only, locked)
    ├── UnknownRecord       a record of a topic or class version that this program does not know
    └── PersonalKeyMissing  the key of a customer life is not in the key store
"""

from __future__ import annotations


class DomainError(Exception):
    """Root of everything this room raises."""


class InvalidInput(DomainError):
    """A value breaks a rule. `field` names it as the caller wrote it, `rule` says what would be right."""

    def __init__(self, field: str, rule: str, code: str = "invalid") -> None:
        super().__init__(f"{field}: {rule}")
        self.field = field
        self.rule = rule
        self.code = code


class CommandRefused(DomainError):
    """A well-formed command that the current state does not allow."""


class AlreadyExists(CommandRefused):
    """Something with this id is there and alive."""


class NotFound(CommandRefused):
    """Nothing with this id is there."""


class LogError(DomainError):
    """The event log cannot do what was asked."""


class Fenced(LogError):
    """The stream's head moved since it was read: another writer owns it, or wrote in between."""


class LogCorrupted(LogError):
    """Stored bytes do not match the hashes that were taken of them."""


class LogUnavailable(LogError):
    """The storage under the log refused: disk full, folder read-only, file locked."""


class UnknownRecord(LogError):
    """A record has a topic or a class version that this program does not know: a newer one wrote it."""


class PersonalKeyMissing(LogError):
    """The key of a customer life is not in the key store (it was destroyed, or the store was not restored)."""
