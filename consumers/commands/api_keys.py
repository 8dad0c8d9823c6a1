"""Commands about API keys."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from consumers.commands.handler import CommandHandler, CommandResult
from domain.api_keys.api_key import ApiKey, IssuedKey, checked_secret, key_id_of, new_secret
from domain.event import Provenance
from domain.scope import Scope


class KeyResult(CommandResult[IssuedKey], frozen=True):
    """What issuing a key did. `position` is None when the same key was there already."""

    @property
    def secret(self) -> str:
        """The whole key, to be shown now and never again."""
        return self.state.secret


class KeyCommands(CommandHandler):
    """Keys are issued and revoked; a revoked one never comes back."""

    def issue_key(
        self,
        scope: Scope,
        scopes: Iterable[str],
        provenance: Provenance,
        name: str | None = None,
        secret: str | None = None,
    ) -> KeyResult:
        """Issue a key, with a new secret or a given one (`METERFOLD_ADMIN_KEY`).

        Issuing the same secret again changes nothing. `AlreadyExists` when it is a key with another scope or other
        permissions, `CommandRefused` when it was revoked, `InvalidInput` for a secret or permissions that cannot be.
        """
        whole = new_secret(self._randomness) if secret is None else checked_secret(secret)
        wanted = tuple(scopes)
        result = self._carry_out(
            partial(ApiKey, key_id_of(whole)),
            lambda key: key.issue(scope, wanted, name, whole, self._occasion(provenance)),
        )
        return KeyResult(result.position, result.state.shown_with(whole))

    def revoke_key(self, scope: Scope, key_id: str, provenance: Provenance) -> CommandResult[ApiKey]:
        """Refuse the key from now on; `NotFound` when the scope has no such key."""
        return self._carry_out(partial(ApiKey, key_id), lambda key: key.revoke(scope, self._occasion(provenance)))
