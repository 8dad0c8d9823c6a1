"""Access decisions in Respan's shape: `limit_info`, with 429 for a customer that is over a budget.

Its values are spending and budget in USD. No estimate of the next request is known here, so that `new_value` is
`current_value`.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from starlette.responses import Response

from api.dialects.respan.views import shown_instant
from consumers.settings import Settings
from domain.budgets.access_decision import Limit
from projections.views.budget_state import Access

BUDGET: Final = "customer_budget"
OVER_BUDGET: Final = "The budget of this customer is used up."
BLOCKED: Final = "This customer is blocked."
_SOFT: Final = "soft"
_OF_MODEL: Final = "model:"


def answered_access(access: Access, model: str | None, settings: Settings) -> Response:
    """The response to a decision: 200, 429 for a customer over a budget, 403 for one that is blocked."""
    decision = access.decision
    info = {
        "is_allowed": decision.allowed,
        "limits": [_limit(limit) for limit in decision.limits if _takes_part(limit, model)],
    }
    body: dict[str, Any] = {"limit_info": info, "rate_limit": access.limits.requests_per_minute}
    if decision.allowed:
        return _response(200, body)
    if decision.reason == "blocked":
        return _response(403, {"detail": BLOCKED, **body})
    return _response(429, {"detail": OVER_BUDGET, **body})


def _takes_part(limit: Limit, model: str | None) -> bool:
    """Whether a limit can refuse: never a soft one, and that of a model only where a model is named."""
    return limit.name != _SOFT and (model is not None or not limit.name.startswith(_OF_MODEL))


def _limit(limit: Limit) -> dict[str, Any]:
    """A budget. `budget` tells which one: period, total, or model and its name."""
    return {
        "name": BUDGET,
        "budget": limit.name,
        "current_value": float(limit.spent_usd),
        "new_value": float(limit.spent_usd),
        "limit_value": float(limit.limit_usd),
        "is_within_limit": not limit.reached,
        "resets_at": None if limit.resets_at is None else shown_instant(limit.resets_at),
    }


def _response(status: int, body: dict[str, Any]) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")
