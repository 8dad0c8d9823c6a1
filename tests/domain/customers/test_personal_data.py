"""Personal data is decrypted only with its own key, for its own customer."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.customers.events import SealedPersonal
from domain.customers.personal_data import CustomerSeal, open_personal, seal_personal
from domain.errors import LogCorrupted, PersonalKeyMissing
from domain.scope import DEFAULT_SCOPE, Scope
from tests.fakes.personal_keys import InMemoryPersonalKeys
from tests.fakes.randomness import CountedRandomness

NONCE = bytes(range(12))
PERSONAL = {"name": "Ada", "email": None, "metadata": {"plan": ["a", 1, 1.5, True, None]}}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def _sealed(keys: InMemoryPersonalKeys) -> SealedPersonal:
    return seal_personal(keys.create("k:1"), NONCE, "k:1", DEFAULT_SCOPE, "acme", PERSONAL)


@given(st.dictionaries(st.text(), json_values, max_size=4))
def test_encrypted_data_is_decrypted(personal: dict[str, Any]) -> None:
    keys = InMemoryPersonalKeys()
    sealed = seal_personal(keys.create("k:1"), NONCE, "k:1", DEFAULT_SCOPE, "acme", personal)

    assert open_personal(keys, sealed, DEFAULT_SCOPE, "acme") == personal


def test_the_ciphertext_does_not_contain_the_plain_text() -> None:
    sealed = _sealed(InMemoryPersonalKeys())

    assert b"Ada" not in msgspec.msgpack.encode(sealed)
    assert sealed.nonce == NONCE


def test_data_without_its_key_is_none() -> None:
    keys = InMemoryPersonalKeys()
    sealed = _sealed(keys)

    keys.destroy("k:1")

    assert open_personal(keys, sealed, DEFAULT_SCOPE, "acme") is None
    assert open_personal(InMemoryPersonalKeys(), sealed, DEFAULT_SCOPE, "acme") is None


@pytest.mark.parametrize(
    ("scope", "customer_id"),
    [(DEFAULT_SCOPE, "other"), (Scope("default", "test"), "acme"), (Scope("other", "prod"), "acme")],
)
def test_encrypted_data_cannot_be_moved_to_another_customer(scope: Scope, customer_id: str) -> None:
    keys = InMemoryPersonalKeys()

    with pytest.raises(LogCorrupted):
        open_personal(keys, _sealed(keys), scope, customer_id)


@pytest.mark.parametrize(
    "changes",
    [{"ciphertext": b""}, {"ciphertext": bytes(40)}, {"nonce": bytes(12)}, {"nonce": b""}, {"key_id": "k:2"}],
)
def test_changed_bytes_are_corruption(changes: dict[str, Any]) -> None:
    keys = InMemoryPersonalKeys()
    keys.create("k:2")

    with pytest.raises(LogCorrupted, match="was changed after it was sealed"):
        open_personal(keys, msgspec.structs.replace(_sealed(keys), **changes), DEFAULT_SCOPE, "acme")


def test_two_seals_of_the_same_data_differ() -> None:
    seal = CustomerSeal(InMemoryPersonalKeys(), CountedRandomness(), DEFAULT_SCOPE, "acme")

    first, second = (seal.seal("k:1", PERSONAL, may_create=True) for _ in range(2))

    assert first.nonce != second.nonce
    assert first.ciphertext != second.ciphertext
    assert seal.open(first) == seal.open(second) == PERSONAL


def test_a_lost_key_is_not_replaced_under_the_same_id() -> None:
    keys = InMemoryPersonalKeys()
    seal = CustomerSeal(keys, CountedRandomness(), DEFAULT_SCOPE, "acme")
    seal.seal("k:1", PERSONAL, may_create=True)
    keys.keys.clear()

    with pytest.raises(PersonalKeyMissing, match="restore the key store from its backup"):
        seal.seal("k:1", PERSONAL, may_create=False)
    assert keys.keys == {}
