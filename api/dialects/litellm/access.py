"""How LiteLLM tells a customer that it may not go on."""

from __future__ import annotations

from typing import Final

from api.dialects.litellm.error_shapes import Refusal, detail, error
from projections.views.budget_state import Access

BLOCKED_STATUS: Final = 400
_LIMITS: Final = {"period_limit": "period", "total_limit": "total"}


def refuse_as_litellm(access: Access, model: str | None, over_budget_status: int) -> None:
    """`Refusal` for who is refused: 400 for the blocked, `over_budget_status` for who spent its budget."""
    decision, name = access.decision, access.customer_id
    if decision.allowed:
        return
    if decision.reason == "blocked":
        raise detail(BLOCKED_STATUS, f"User blocked from making LLM API Calls. User={name}")
    if decision.reason == "model_limit":
        raise _over_budget(over_budget_status, f"LiteLLM End User: {name}, exceeded budget for model={model}")
    limit = next(limit for limit in decision.limits if limit.name == _LIMITS[decision.reason])
    amounts = f"Spend={float(limit.spent_usd)}, Budget={float(limit.limit_usd)}"
    raise _over_budget(over_budget_status, f"ExceededBudget: End User={name} over budget. {amounts}")


def _over_budget(status: int, message: str) -> Refusal:
    return error(status, "budget_exceeded", message)
