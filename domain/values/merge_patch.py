"""JSON Merge Patch (RFC 7396) over decoded JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merge_patched(target: object, patch: Mapping[str, Any]) -> dict[str, Any]:
    """Return `target` with `patch` merged in: null removes a member, objects merge, any other value replaces.

    `target` is not changed; one that is not an object counts as empty.
    """
    merged: dict[str, Any] = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, Mapping):
            merged[name] = merge_patched(merged.get(name), value)
        else:
            merged[name] = value
    return merged
