"""How a patch is merged into each map field. The other operations on a field set a value or clear it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from domain.values.merge_patch import merge_patched

Merge = Callable[[object, Mapping[str, Any]], dict[str, Any]]


def by_member(value: object, patch: Mapping[str, Any]) -> dict[str, Any]:
    """Return a map with the members of `patch` replaced whole, or removed where they are null."""
    after = dict(_members(value))
    for name, member in patch.items():
        if member is None:
            after.pop(name, None)
        else:
            after[name] = member
    return after


def by_member_of_member(value: object, patch: Mapping[str, Any]) -> dict[str, Any]:
    """Return a map of maps with the members of members in `patch` replaced whole, or removed where they are null.

    A member that is null, or not a map, is removed or replaced whole.
    """
    before = _members(value)
    merged = {
        name: by_member(before.get(name), member) if isinstance(member, Mapping) else member
        for name, member in patch.items()
    }
    return by_member(before, merged)


#: How a patch of each map field is merged; a field that is not named here is never patched.
MERGES: Final[dict[str, Merge]] = {
    "metadata": merge_patched,
    "model_limits": by_member,
    "dialect_fields": by_member_of_member,
    "personal_dialect_fields": by_member_of_member,
}


def _members(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
