"""Derived ids are stable and differ between scopes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from domain.customers.derived_id import derived_id, is_derived_id
from domain.scope import Scope

MINE = Scope("acme", "prod")


def test_a_derived_id_is_the_same_for_ever() -> None:
    assert derived_id(MINE, "customer_123") == "b6e2366a662c32bfbf8b6795"
    assert derived_id(MINE, "zoë 😀") == "f9c79fde636d5a9a5984e4fc"


@given(st.text(min_size=1, max_size=50).filter(lambda text: text.isprintable()))
def test_a_derived_id_has_24_hex_digits_and_is_another_one_in_another_scope(customer_id: str) -> None:
    ids = {derived_id(scope, customer_id) for scope in (MINE, Scope("acme", "test"), Scope("acm", "prod"))}
    assert len(ids) == 3
    assert all(map(is_derived_id, ids))


def test_other_texts_have_not_its_form() -> None:
    for text in ("", "0" * 23, "0" * 25, "G" * 24, "A" * 24, "0" * 24 + "\n"):
        assert not is_derived_id(text)
