"""Paths as messages of the engine show them: without a segment that is a secret, such as the token of a portal link."""

from __future__ import annotations

import re
from typing import Final

#: Below this path the next segment is the token that opens the page.
PORTAL_PATH: Final = "/portal"
#: Stands for a token.
LEFT_OUT: Final = "..."
#: The slash may be an encoded one, or one the wrong way round. Rather too much is left out than a token shown.
_BEFORE_A_TOKEN: Final = re.compile(re.escape(PORTAL_PATH.strip("/")) + r"(?:/|\\|%2f|%5c)", re.IGNORECASE)


def logged_path(path: str) -> str:
    """Return the path without what follows `portal/`, wherever that stands and however it is written.

    A proxy may put a prefix before it, and a link may be typed in other letters: it opens nothing then, but its token
    is still one that does.
    """
    found = _BEFORE_A_TOKEN.search(path)
    return f"{path[: found.end()]}{LEFT_OUT}" if found else path
