"""Refused access in LiteLLM's words: status, error shape and message."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from api.dialects.litellm.error_shapes import detail_refusal, error_refusal
from consumers.settings import Settings
from projections.views.budget_state import Access

BLOCKED_STATUS: Final = 400
_LIMITS: Final = {"period_limit": "period", "total_limit": "total"}


def refused_access(access: Access, model: str | None, settings: Settings) -> Response | None:
    """The response to refused access, None when access is allowed.

    Its status is 400 for a blocked customer, otherwise the setting `litellm_over_budget_status`.
    """
    decision, name = access.decision, access.customer_id
    if decision.allowed:
        return None
    if decision.reason == "blocked":
        return detail_refusal(BLOCKED_STATUS, f"User blocked from making LLM API Calls. User={name}").response()
    if decision.reason == "model_limit":
        message = f"LiteLLM End User: {name}, exceeded budget for model={model}"
    else:
        limit = next(limit for limit in decision.limits if limit.name == _LIMITS[decision.reason])
        amounts = f"Spend={float(limit.spent_usd)}, Budget={float(limit.limit_usd)}"
        message = f"ExceededBudget: End User={name} over budget. {amounts}"
    return error_refusal(settings.litellm_over_budget_status, "budget_exceeded", message).response()
