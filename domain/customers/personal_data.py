"""Encryption of personal data: AES-256-GCM with one key per customer life.

Key id, scope and customer id are authenticated with the ciphertext, so that it cannot be moved to another customer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.customers.events import SealedPersonal
from domain.customers.personal_keys import PersonalKeys
from domain.errors import LogCorrupted, PersonalKeyMissing
from domain.scope import Scope

NONCE_BYTES: Final = 12


def personal_key_id(stream: str, life: int) -> str:
    """Return the id of the key of a life of the customer with this stream; a hash, which does not reveal its id."""
    return f"{hashlib.sha256(stream.encode()).hexdigest()}:{life}"


class PersonalSeal(Protocol):
    """Encrypts and decrypts the personal data of one customer."""

    def seal(self, key_id: str, personal: Mapping[str, Any], may_create: bool) -> SealedPersonal:
        """Encrypt with the key `key_id`; `PersonalKeyMissing` when it does not exist and must not be created."""

    def open(self, sealed: SealedPersonal) -> dict[str, Any] | None:
        """Decrypt; None when the key no longer exists."""


def seal_personal(
    key: bytes, nonce: bytes, key_id: str, scope: Scope, customer_id: str, personal: Mapping[str, Any]
) -> SealedPersonal:
    """Encrypt a JSON object with `key`. `nonce` is 12 random bytes that were never used before with this key."""
    plain = msgspec.json.encode(dict(personal))
    return SealedPersonal(key_id, nonce, AESGCM(key).encrypt(nonce, plain, _bound_to(key_id, scope, customer_id)))


def open_personal(keys: PersonalKeys, sealed: SealedPersonal, scope: Scope, customer_id: str) -> dict[str, Any] | None:
    """Decrypt personal data; None when its key is not in the store, `LogCorrupted` when the data was changed."""
    key = keys.key_for(sealed.key_id)
    if key is None:
        return None
    try:
        plain = AESGCM(key).decrypt(sealed.nonce, sealed.ciphertext, _bound_to(sealed.key_id, scope, customer_id))
    except (InvalidTag, ValueError) as error:
        raise LogCorrupted(f"personal data under the key {sealed.key_id} was changed after it was sealed") from error
    return msgspec.json.decode(plain, type=dict[str, Any])


class CustomerSeal:
    """The `PersonalSeal` of one customer, with its keys from a key store."""

    def __init__(self, keys: PersonalKeys, randomness: Callable[[int], bytes], scope: Scope, customer_id: str) -> None:
        self._keys = keys
        self._randomness = randomness
        self._scope = scope
        self._customer_id = customer_id

    def seal(self, key_id: str, personal: Mapping[str, Any], may_create: bool) -> SealedPersonal:
        """Encrypt with the key `key_id`, which is created when `may_create` is set."""
        key = self._keys.create(key_id) if may_create else self._keys.key_for(key_id)
        if key is None:
            # With a new key under the same id, data encrypted with the lost key would look tampered with.
            raise PersonalKeyMissing(
                f"the key {key_id} of this customer's personal data is not in the key store: "
                "restore the key store from its backup, or delete the customer and create it again"
            )
        return seal_personal(key, self._randomness(NONCE_BYTES), key_id, self._scope, self._customer_id, personal)

    def open(self, sealed: SealedPersonal) -> dict[str, Any] | None:
        """Decrypt; None when the key no longer exists."""
        return open_personal(self._keys, sealed, self._scope, self._customer_id)


def _bound_to(key_id: str, scope: Scope, customer_id: str) -> bytes:
    """Return the associated data that AES-GCM authenticates."""
    return msgspec.msgpack.encode((key_id, scope.tenant, scope.environment, customer_id))
