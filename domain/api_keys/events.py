"""Events of API keys."""

from __future__ import annotations

from typing import Final

from domain.event import LifecycleEvent

#: Topics of these events in the log, which never change.
KEY_ISSUED: Final = "key.issued"
KEY_REVOKED: Final = "key.revoked"


class ApiKeyIssued(LifecycleEvent, frozen=True, kw_only=True):
    """An API key was issued for one tenant, in one environment or several.

    `environments`: all of them, the first one (`environment`) by default; empty in events of older logs, where it is
    that one alone.
    """

    key_id: str
    tenant: str
    environment: str
    scopes: tuple[str, ...]  # of admin, ingest, read
    prefix: str  # the first characters of the secret, to recognize the key by
    secret_hash: str  # SHA-256 of the whole key, hex
    name: str | None = None
    environments: tuple[str, ...] = ()


class ApiKeyRevoked(LifecycleEvent, frozen=True, kw_only=True):
    """An API key was permanently revoked."""

    key_id: str
