"""Refused access in LiteLLM's words: status, error shape and message."""

from __future__ import annotations

from typing import Final

from api.dialects.litellm.error_shapes import Refusal, detail_refusal, error_refusal
from projections.views.budget_state import Access

BLOCKED_STATUS: Final = 400
_LIMITS: Final = {"period_limit": "period", "total_limit": "total"}


def refuse_as_litellm(access: Access, model: str | None, over_budget_status: int) -> None:
    """Raise `Refusal` when access is refused: 400 for a blocked customer, `over_budget_status` for one over budget."""
    decision, name = access.decision, access.customer_id
    if decision.allowed:
        return
    if decision.reason == "blocked":
        raise detail_refusal(BLOCKED_STATUS, f"User blocked from making LLM API Calls. User={name}")
    if decision.reason == "model_limit":
        raise _over_budget(over_budget_status, f"LiteLLM End User: {name}, exceeded budget for model={model}")
    limit = next(limit for limit in decision.limits if limit.name == _LIMITS[decision.reason])
    amounts = f"Spend={float(limit.spent_usd)}, Budget={float(limit.limit_usd)}"
    raise _over_budget(over_budget_status, f"ExceededBudget: End User={name} over budget. {amounts}")


def _over_budget(status: int, message: str) -> Refusal:
    return error_refusal(status, "budget_exceeded", message)
