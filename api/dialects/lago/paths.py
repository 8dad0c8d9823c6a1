"""Where the dialect is served, and which resource a path is about: errors name it."""

from __future__ import annotations

from typing import Final

from api.dialects.lago.keys import DIALECT

#: Before the path of each resource. Generated clients have it as their base URL.
BASE: Final = f"/{DIALECT}/api/v1"

#: Resources whose name is not that of their path without the plural's s.
_SINGULARS: Final = {"taxes": "tax", "current_usage": "customer_usage", "past_usage": "customer_usage"}
#: What stands below a customer and is a resource of its own.
_BELOW: Final = frozenset({"current_usage", "past_usage", "applied_coupons"})


def resource_of(path: str) -> str:
    """Return the name, in the singular, of the resource that a path is about: "billable_metric"; "resource" if none."""
    segments = path.removeprefix(BASE).strip("/").split("/")
    below = [one for one in segments[-2:] if one in _BELOW]
    plural = below[-1] if segments[0] == "customers" and below else segments[0]
    return _SINGULARS.get(plural, plural.removesuffix("s")) or "resource"
