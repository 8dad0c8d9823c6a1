"""Refused access in PromptShuttle's words."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from api.dialects.promptshuttle.error_shapes import problem_details
from api.dialects.promptshuttle.views import credits_of
from consumers.settings import Settings
from projections.views.budget_state import Access

OVER_LIMIT_STATUS: Final = 402
BLOCKED_STATUS: Final = 403
#: The one documented code of the product's errors.
COST_LIMIT_EXCEEDED: Final = "COST_LIMIT_EXCEEDED"
CUSTOMER_BLOCKED: Final = "CUSTOMER_BLOCKED"


def refused_access(access: Access, model: str | None, settings: Settings) -> Response | None:
    """The response to refused access, None when access is allowed."""
    decision, name = access.decision, access.customer_id
    if decision.allowed:
        return None
    if decision.reason == "blocked":
        detail = f"customer {name!r} is blocked"
        return problem_details(BLOCKED_STATUS, _members("Customer blocked", CUSTOMER_BLOCKED, detail))
    limit_name = f"model:{model}" if decision.reason == "model_limit" else decision.reason.removesuffix("_limit")
    limit = next(one for one in decision.limits if one.name == limit_name)
    detail = (
        f"customer {name!r} has used {credits_of(limit.spent_usd)} of {credits_of(limit.limit_usd)} credits "
        f"({limit_name})"
    )
    return problem_details(OVER_LIMIT_STATUS, _members("Cost limit exceeded", COST_LIMIT_EXCEEDED, detail))


def _members(title: str, code: str, detail: str) -> dict[str, Any]:
    return {"type": "about:blank", "title": title, "detail": detail, "code": code}
