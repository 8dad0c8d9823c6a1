"""Sealing what names a person: AES-256-GCM with the key of one customer life.

The sealed bytes are bound to key, scope and customer, so that they cannot be moved to another one.
"""

from __future__ import annotations

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


class PersonalSeal(Protocol):
    """Seals and opens the personal data of one customer, whose keys somebody keeps."""

    def seal(self, key_id: str, personal: Mapping[str, Any], may_create: bool) -> SealedPersonal:
        """Seal with the key `key_id`; `PersonalKeyMissing` when it is not there and may not be made."""

    def open(self, sealed: SealedPersonal) -> dict[str, Any] | None:
        """What was sealed; None when its key is gone."""


def seal_personal(
    key: bytes, nonce: bytes, key_id: str, scope: Scope, customer_id: str, personal: Mapping[str, Any]
) -> SealedPersonal:
    """`personal` (a JSON object) sealed with `key`. `nonce` is 12 random bytes, never used before with this key."""
    plain = msgspec.json.encode(dict(personal))
    return SealedPersonal(key_id, nonce, AESGCM(key).encrypt(nonce, plain, _bound_to(key_id, scope, customer_id)))


def open_personal(keys: PersonalKeys, sealed: SealedPersonal, scope: Scope, customer_id: str) -> dict[str, Any] | None:
    """What was sealed; None when its key was destroyed or is not in the store, `LogCorrupted` when it was changed."""
    key = keys.key_for(sealed.key_id)
    if key is None:
        return None
    try:
        plain = AESGCM(key).decrypt(sealed.nonce, sealed.ciphertext, _bound_to(sealed.key_id, scope, customer_id))
    except (InvalidTag, ValueError) as error:
        raise LogCorrupted(f"personal data under the key {sealed.key_id} was changed after it was sealed") from error
    return msgspec.json.decode(plain, type=dict[str, Any])


class CustomerSeal:
    """The `PersonalSeal` of one customer over a key store."""

    def __init__(self, keys: PersonalKeys, randomness: Callable[[int], bytes], scope: Scope, customer_id: str) -> None:
        self._keys = keys
        self._randomness = randomness
        self._scope = scope
        self._customer_id = customer_id

    def seal(self, key_id: str, personal: Mapping[str, Any], may_create: bool) -> SealedPersonal:
        key = self._keys.create(key_id) if may_create else self._keys.key_for(key_id)
        if key is None:
            # A new key under the same id would make what the lost one sealed look tampered with.
            raise PersonalKeyMissing(
                f"the key {key_id}, which sealed personal data of this customer, is not in the key store: "
                "restore the store from its backup, or delete the customer and create it again"
            )
        return seal_personal(key, self._randomness(NONCE_BYTES), key_id, self._scope, self._customer_id, personal)

    def open(self, sealed: SealedPersonal) -> dict[str, Any] | None:
        return open_personal(self._keys, sealed, self._scope, self._customer_id)


def _bound_to(key_id: str, scope: Scope, customer_id: str) -> bytes:
    return msgspec.msgpack.encode((key_id, scope.tenant, scope.environment, customer_id))
