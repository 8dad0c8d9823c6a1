"""Commands about API keys: issue and revoke. A revoked key cannot be issued again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from domain.aggregate import CommandContext
from domain.api_keys.api_key import ApiKey, IssuedKey, checked_secret, key_id_of, new_secret
from domain.command import AggregateCommand, Aggregates, Executed, ScopedCommand, SealOf


class IssueApiKey(ScopedCommand[IssuedKey], frozen=True):
    """Issue a key with the permissions `scopes`, with a new secret or a given one (`METERFOLD_ADMIN_KEY`).

    It is valid in the environment of the scope, which is its default, and in those of `environments`.
    Issuing the same secret again changes nothing. `AlreadyExists` when that key has another scope or other permissions,
    `CommandRefused` when it was revoked, `InvalidInput` for an invalid secret or invalid permissions. The state
    answered has the whole secret. The log holds only its hash, so it can be shown only then.
    """

    scopes: tuple[str, ...]
    name: str | None = None
    secret: str | None = None
    environments: tuple[str, ...] = ()

    def with_randomness(self, randomness: Callable[[int], bytes]) -> IssueApiKey:
        """Return the command with a secret, a new one if none was given."""
        secret = new_secret(randomness) if self.secret is None else checked_secret(self.secret)
        return msgspec.structs.replace(self, secret=secret)

    def streams(self, seal_of: SealOf) -> tuple[str, ...]:
        """Return the stream of the key."""
        return (ApiKey(key_id_of(self._whole())).id,)

    def execute(self, aggregates: Aggregates, context: CommandContext) -> Executed[IssuedKey]:
        """Issue the key; no effect when it was issued already."""
        secret = self._whole()
        key = aggregates.load(ApiKey(key_id_of(secret)))
        key.issue(self.scope, self.scopes, self.name, secret, context, self.environments)
        return Executed(key.shown_with(secret), (key,))

    def _whole(self) -> str:
        if self.secret is None:
            raise ValueError("a secret is drawn by with_randomness before the command is executed")
        return self.secret

    def __repr__(self) -> str:
        """Return the command without its secret, which must not reach a log."""
        return f"IssueApiKey({self.scope}, {self.provenance}, scopes={self.scopes}, name={self.name!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Return the members but the secret, for tracebacks of rich."""
        return [("scope", self.scope), ("scopes", self.scopes), ("name", self.name)]


class RevokeApiKey(AggregateCommand[ApiKey], frozen=True):
    """Revoke a key. `NotFound` when the scope has no such key."""

    key_id: str

    def blank(self, seal_of: SealOf) -> ApiKey:
        """Return the key without any events."""
        return ApiKey(self.key_id)

    def apply(self, aggregate: ApiKey, context: CommandContext) -> None:
        """Revoke permanently; no effect when revoked already."""
        aggregate.revoke(self.scope, context)
