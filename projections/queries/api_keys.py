"""API keys as a snapshot answers them."""

from __future__ import annotations

from datetime import datetime

import msgspec

from domain.scope import Scope


class ApiKeyRecord(msgspec.Struct, frozen=True):
    key_id: str
    scope: Scope
    scopes: tuple[str, ...]
    prefix: str
    secret_hash: str
    name: str | None
    issued_at: datetime
    revoked_at: datetime | None
