"""The API key aggregate, and the secrets of keys: shown once, stored as a hash, valid in one scope."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from domain.aggregate import Aggregate, CommandContext
from domain.api_keys.events import ApiKeyIssued, ApiKeyRevoked
from domain.errors import AlreadyExists, CommandRefused, InvalidInput, NotFound
from domain.event import LifecycleEvent
from domain.scope import ENVIRONMENTS, Scope
from domain.streams import key_stream
from domain.values import field_rules
from domain.values.identifiers import line_problem

KEY_SCOPES: Final = ("admin", "ingest", "read")
KEY_PREFIX: Final = "sk-"
SECRET_RANDOM_BYTES: Final = 32  # 43 characters of base64url
SHOWN_CHARACTERS_MAX: Final = 8
#: The length of a chosen secret, after the prefix.
CHOSEN_LENGTH_MIN: Final = 16
CHOSEN_LENGTH_MAX: Final = 252
_CHOSEN_SECRET = re.compile(rf"{KEY_PREFIX}[!-~]{{{CHOSEN_LENGTH_MIN},{CHOSEN_LENGTH_MAX}}}")


class IssuedKey(msgspec.Struct, frozen=True):
    """A newly issued key as returned to its requester, with the secret that is never shown again."""

    key_id: str
    secret: str
    prefix: str
    scopes: tuple[str, ...]
    name: str | None


def new_secret(randomness: Callable[[int], bytes]) -> str:
    """Generate a secret: `sk-` and 43 URL-safe characters from 256 random bits."""
    return KEY_PREFIX + base64.urlsafe_b64encode(randomness(SECRET_RANDOM_BYTES)).rstrip(b"=").decode()


def checked_secret(secret: str) -> str:
    """Return a secret chosen by an operator if it is `sk-` and enough visible ASCII characters."""
    if _CHOSEN_SECRET.fullmatch(secret) is None:
        raise InvalidInput(
            "key",
            f"must start with '{KEY_PREFIX}', followed by {CHOSEN_LENGTH_MIN} to {CHOSEN_LENGTH_MAX} visible ASCII "
            "characters",
        )
    return secret


def secret_hash(secret: str) -> str:
    """Return the SHA-256 of a secret in hex, which is stored and by which a presented key is looked up."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def key_id_of(secret: str) -> str:
    """Return the key id, which is derived from the secret so that issuing the same secret again finds the same key."""
    return f"key_{hashlib.sha256(b'key id of ' + secret.encode()).hexdigest()[:16]}"


def shown_prefix(secret: str) -> str:
    """Return the first eight characters after `sk-`, to recognize a key by; of a short secret at most a third."""
    body = secret.removeprefix(KEY_PREFIX)
    return body[: min(SHOWN_CHARACTERS_MAX, len(body) // 3)]


def checked_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    """Return the permission scopes, each once and in the order of `KEY_SCOPES`; `InvalidInput` without any."""
    given = set(scopes)
    if not given or given - set(KEY_SCOPES):
        raise InvalidInput("scopes", "must be one or more of 'admin', 'ingest' and 'read'")
    return tuple(scope for scope in KEY_SCOPES if scope in given)


def checked_environments(scope: Scope, others: Iterable[str]) -> tuple[str, ...]:
    """Return the environments of a key, each once, that of its scope first; `InvalidInput` for an unknown name."""
    given = tuple(dict.fromkeys((scope.environment, *others)))
    if set(given) - set(ENVIRONMENTS):
        raise InvalidInput("environments", "must be 'prod' or 'test', or both")
    return given


def _checked_name(name: str) -> str:
    """Return the name of a new key, which stands in tables and messages. Keys issued before this rule keep theirs."""
    problem = line_problem(field_rules.text("name", name))
    if problem is not None:
        raise InvalidInput("name", problem)
    return name


class ApiKey(Aggregate):
    """The state of one key: not issued, issued, or permanently revoked."""

    def __init__(self, key_id: str) -> None:
        super().__init__(key_stream(key_id))
        self.key_id = key_id
        self.issued: ApiKeyIssued | None = None
        self.revoked = False

    def issue(
        self,
        scope: Scope,
        scopes: Iterable[str],
        name: str | None,
        secret: str,
        context: CommandContext,
        environments: Iterable[str] = (),
    ) -> None:
        """Issue the key, for further environments of its tenant too; no effect when it was issued like this already.

        Raises `AlreadyExists` when it was issued with others, and `CommandRefused` when it was revoked.
        """
        wanted, valid_in = checked_scopes(scopes), checked_environments(scope, environments)
        if self.revoked:
            raise CommandRefused("this key was revoked; choose another secret")
        if self.issued is not None:
            if (self.issued.tenant, _environments(self.issued), self.issued.scopes) == (scope.tenant, valid_in, wanted):
                return
            raise AlreadyExists("this secret is in use already, for another tenant or environment or with other scopes")
        self._emit(
            ApiKeyIssued(
                **self._common_fields(context),
                key_id=self.key_id,
                tenant=scope.tenant,
                environment=scope.environment,
                scopes=wanted,
                prefix=shown_prefix(secret),
                secret_hash=secret_hash(secret),
                name=None if name is None else _checked_name(name),
                environments=valid_in,
            )
        )

    def revoke(self, scope: Scope, context: CommandContext) -> None:
        """Revoke the key permanently; no effect when revoked already. `NotFound` when the scope has no such key."""
        if self.issued is None or (self.issued.tenant, self.issued.environment) != _scope_parts(scope):
            raise NotFound(f"key {self.key_id!r} does not exist")
        if not self.revoked:
            self._emit(ApiKeyRevoked(**self._common_fields(context), key_id=self.key_id))

    def shown_with(self, secret: str) -> IssuedKey:
        """Return the issued key with its secret; `NotFound` before it is issued."""
        if self.issued is None:
            raise NotFound(f"key {self.key_id!r} does not exist")
        return IssuedKey(self.key_id, secret, self.issued.prefix, self.issued.scopes, self.issued.name)

    def apply(self, event: LifecycleEvent) -> None:
        """Apply a key event."""
        match event:
            case ApiKeyIssued():
                self.issued = event
            case ApiKeyRevoked():
                self.revoked = True
            case _:
                raise self._unexpected_event(event)


def _environments(issued: ApiKeyIssued) -> tuple[str, ...]:
    return issued.environments or (issued.environment,)


def _scope_parts(scope: Scope) -> tuple[str, str]:
    return scope.tenant, scope.environment
