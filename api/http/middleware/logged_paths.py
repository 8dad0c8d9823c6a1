"""Paths as messages of the engine show them: without a segment that is a secret, such as the token of a portal link."""

from __future__ import annotations

from typing import Final

#: Below this path the next segment is the token that opens the page.
PORTAL_PATH: Final = "/portal"
#: Stands for a token.
LEFT_OUT: Final = "..."


def logged_path(path: str) -> str:
    """Return the path without what follows `/portal/`, wherever that stands: a proxy may put a prefix before it."""
    before, found, _ = path.partition(PORTAL_PATH + "/")
    return f"{before}{found}{LEFT_OUT}" if found else path
