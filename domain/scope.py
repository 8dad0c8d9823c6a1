"""The scope of all data: a tenant and one of its two environments."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from domain.errors import InvalidInput

ENVIRONMENTS: Final = ("prod", "test")
TENANT_LENGTH_MAX: Final = 64
_TENANT = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class Scope(msgspec.Struct, frozen=True, order=True):
    """A tenant and an environment. No data crosses from one scope into another."""

    tenant: str
    environment: str

    def __str__(self) -> str:
        return f"{self.tenant}/{self.environment}"


DEFAULT_SCOPE: Final = Scope("default", "prod")


def scope_of(tenant: str, environment: str) -> Scope:
    """Return the scope with these names; `InvalidInput` when one of them is not allowed."""
    if _TENANT.fullmatch(tenant) is None:
        raise InvalidInput(
            "tenant", "must be 1 to 64 characters of a-z, 0-9, '-' and '_', and start with a letter or digit"
        )
    if environment not in ENVIRONMENTS:
        raise InvalidInput("environment", "must be 'prod' or 'test'")
    return Scope(tenant, environment)
