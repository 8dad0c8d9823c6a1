"""The text in which the table of API keys holds what a key may do, and in which further environments it may do it.

Permissions are separated by commas. After a semicolon stand the environments other than that of the key's scope; there
is none where there are no others.
"""

from __future__ import annotations

from collections.abc import Sequence


def permissions_text(permissions: Sequence[str], other_environments: Sequence[str]) -> str:
    """Return the text to store."""
    others = f";{','.join(other_environments)}" if other_environments else ""
    return ",".join(permissions) + others


def permissions_of(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the permissions and the other environments that a text holds."""
    permissions, _, others = text.partition(";")
    return _names(permissions), _names(others)


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(",")) if text else ()
