"""API keys: secrets that are shown once, stored hashed, and belong to one scope."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from domain.aggregate import Aggregate, Occasion
from domain.api_keys.events import ApiKeyIssued, ApiKeyRevoked
from domain.errors import AlreadyExists, CommandRefused, InvalidInput, NotFound
from domain.event import LifecycleEvent
from domain.scope import Scope
from domain.streams import key_stream
from domain.values import field_rules

KEY_SCOPES: Final = ("admin", "ingest", "read")
KEY_MARK: Final = "sk-"
SECRET_RANDOM_BYTES: Final = 32  # 43 characters of base64url
SHOWN_CHARACTERS_MAX: Final = 8
_SECRET = re.compile(r"sk-[!-~]{1,252}")


class IssuedKey(msgspec.Struct, frozen=True):
    """A key as answered to who asked for it, with the secret that is never shown again."""

    key_id: str
    secret: str
    prefix: str
    scopes: tuple[str, ...]
    name: str | None


def new_secret(randomness: Callable[[int], bytes]) -> str:
    """`sk-` and 43 url-safe characters made of 256 random bits."""
    return KEY_MARK + base64.urlsafe_b64encode(randomness(SECRET_RANDOM_BYTES)).rstrip(b"=").decode()


def checked_secret(secret: str) -> str:
    """A secret that somebody chose: `sk-` and 1 to 252 visible ASCII characters."""
    if _SECRET.fullmatch(secret) is None:
        raise InvalidInput("key", "starts with 'sk-', followed by 1 to 252 visible ASCII characters")
    return secret


def secret_hash(secret: str) -> str:
    """What is stored of a secret, and looked for when one is presented: SHA-256, hex."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def key_id_of(secret: str) -> str:
    """The id of the key with this secret. The same secret is the same key, so that issuing it again finds it."""
    return f"key_{hashlib.sha256(b'key id of ' + secret.encode()).hexdigest()[:16]}"


def shown_prefix(secret: str) -> str:
    """The first eight characters after `sk-`, to recognize the key by; of a short one at most a third."""
    body = secret.removeprefix(KEY_MARK)
    return body[: min(SHOWN_CHARACTERS_MAX, len(body) // 3)]


def checked_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    """The scopes, each once, in their usual order; at least one."""
    given = set(scopes)
    if not given or given - set(KEY_SCOPES):
        raise InvalidInput("scopes", "are one or more of 'admin', 'ingest' and 'read'")
    return tuple(scope for scope in KEY_SCOPES if scope in given)


class ApiKey(Aggregate):
    """The state of one key: not issued, issued, or revoked for ever."""

    def __init__(self, key_id: str) -> None:
        super().__init__(key_stream(key_id))
        self.key_id = key_id
        self.issued: ApiKeyIssued | None = None
        self.revoked = False

    def issue(self, scope: Scope, scopes: Iterable[str], name: str | None, secret: str, occasion: Occasion) -> None:
        """Nothing happens when this secret was issued with the same scopes; with others, `AlreadyExists`."""
        wanted = checked_scopes(scopes)
        if self.revoked:
            raise CommandRefused("this key was revoked: choose another secret")
        if self.issued is not None:
            if (self.issued.tenant, self.issued.environment, self.issued.scopes) == (*_parts(scope), wanted):
                return
            raise AlreadyExists("this secret is the key of another scope, or has other permissions")
        self._give(
            ApiKeyIssued(
                **self._place(occasion),
                key_id=self.key_id,
                tenant=scope.tenant,
                environment=scope.environment,
                scopes=wanted,
                prefix=shown_prefix(secret),
                secret_hash=secret_hash(secret),
                name=None if name is None else field_rules.text("name", name),
            )
        )

    def revoke(self, scope: Scope, occasion: Occasion) -> None:
        """Refuse it from now on; nothing happens when revoked already. `NotFound` when the scope has no such key."""
        if self.issued is None or (self.issued.tenant, self.issued.environment) != _parts(scope):
            raise NotFound(f"key {self.key_id!r} does not exist")
        if not self.revoked:
            self._give(ApiKeyRevoked(**self._place(occasion), key_id=self.key_id))

    def shown_with(self, secret: str) -> IssuedKey:
        """The issued key as answered to who asked for it; `NotFound` before it is issued."""
        if self.issued is None:
            raise NotFound(f"key {self.key_id!r} does not exist")
        return IssuedKey(self.key_id, secret, self.issued.prefix, self.issued.scopes, self.issued.name)

    def apply(self, event: LifecycleEvent) -> None:
        match event:
            case ApiKeyIssued():
                self.issued = event
            case ApiKeyRevoked():
                self.revoked = True
            case _:
                raise self._foreign(event)


def _parts(scope: Scope) -> tuple[str, str]:
    return scope.tenant, scope.environment
