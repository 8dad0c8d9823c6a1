"""The limit of requests to /users: a number a minute for each organization, as the setting says."""

from __future__ import annotations

from math import ceil
from typing import Final

from api.dialects.respan.error_shapes import rate_limit_refusal
from api.http.state import ApiState
from domain.scope import Scope

_SUBJECT: Final = "respan users"


def check_rate(state: ApiState, scope: Scope) -> None:
    """Count a request of the organization; `Refusal` 429, which says when to come again, if it is one too many."""
    limit = state.engine.settings.respan_minute_requests_max
    wait = state.requests_in_a_minute.wait_seconds((_SUBJECT, scope.tenant), limit, state.monotonic()) if limit else 0
    if wait:
        raise rate_limit_refusal(max(1, ceil(wait)))
