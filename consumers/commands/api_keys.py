"""API key commands: issue and revoke."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from consumers.commands.handler import CommandHandler, CommandResult
from domain.api_keys.api_key import ApiKey, IssuedKey, checked_secret, key_id_of, new_secret
from domain.event import Provenance
from domain.scope import Scope


class KeyResult(CommandResult[IssuedKey], frozen=True):
    """Result of issuing a key. `position` is None when the same key already existed."""

    @property
    def secret(self) -> str:
        """The complete key. The log holds only its hash, so it can be shown only now."""
        return self.state.secret


class KeyCommands(CommandHandler):
    """Issue and revoke API keys. A revoked key cannot be issued again."""

    def issue_key(
        self,
        scope: Scope,
        scopes: Iterable[str],
        provenance: Provenance,
        name: str | None = None,
        secret: str | None = None,
    ) -> KeyResult:
        """Issue a key, with a new secret or a given one (`METERFOLD_ADMIN_KEY`).

        Issuing the same secret again changes nothing. Raises `AlreadyExists` when that key has another scope or other
        permissions, `CommandRefused` when it was revoked, `InvalidInput` for an invalid secret or invalid permissions.
        """
        whole = new_secret(self._randomness) if secret is None else checked_secret(secret)
        wanted = tuple(scopes)
        result = self._execute(
            partial(ApiKey, key_id_of(whole)),
            lambda key: key.issue(scope, wanted, name, whole, self._context(provenance)),
        )
        return KeyResult(result.position, result.state.shown_with(whole))

    def revoke_key(self, scope: Scope, key_id: str, provenance: Provenance) -> CommandResult[ApiKey]:
        """Revoke a key. Raises `NotFound` when the scope has no such key."""
        return self._execute(partial(ApiKey, key_id), lambda key: key.revoke(scope, self._context(provenance)))
