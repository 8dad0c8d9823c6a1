"""The API key record that a snapshot returns."""

from __future__ import annotations

from datetime import datetime

import msgspec

from domain.scope import Scope


class ApiKeyRecord(msgspec.Struct, frozen=True):
    """An API key without its secret: of that only the hash is stored. `revoked_at` None: still valid.

    `scope`: where it is valid by default. `other_environments` of the tenant: where else, for who asks for them.
    """

    key_id: str
    scope: Scope
    scopes: tuple[str, ...]
    prefix: str
    secret_hash: str
    name: str | None
    issued_at: datetime
    revoked_at: datetime | None
    other_environments: tuple[str, ...] = ()

    @property
    def environments(self) -> tuple[str, ...]:
        """Every environment in which it is valid, the default first."""
        return (self.scope.environment, *self.other_environments)
