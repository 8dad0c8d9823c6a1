"""The permissions of an API key and its further environments are one text in the table of keys."""

from __future__ import annotations

import pytest

from projections.duckdb.storage.permissions import permissions_of, permissions_text


@pytest.mark.parametrize(
    ("permissions", "others", "text"),
    [
        (("admin", "read"), ("test",), "admin,read;test"),
        (("read",), (), "read"),
        ((), ("prod", "other"), ";prod,other"),
        ((), (), ""),
    ],
)
def test_a_text_holds_what_it_was_made_of(permissions: tuple[str, ...], others: tuple[str, ...], text: str) -> None:
    assert permissions_text(permissions, others) == text
    assert permissions_of(text) == (permissions, others)
