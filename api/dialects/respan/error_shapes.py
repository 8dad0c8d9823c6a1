"""Errors in Respan's shapes: {"detail": text}, with members of their own for some statuses.

400  a member for each field that breaks a rule, with its rules in a list
429  `retry_after`: seconds until the next request is allowed
500  `error_code`: INTERNAL_ERROR; for 503 the code of the engine's problem
"""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from api.http.dialect import Refusal
from api.http.problems import Problem

NOT_FOUND: Final = "Not found."
INVALID_KEY: Final = "Your API key is invalid or expired, please check your API key."
_INTERNAL: Final = "Internal server error"
#: Respan's names of native fields.
SHOWN_NAMES: Final = {
    "customer": "customer_identifier",
    "customer_id": "customer_identifier",
    "period_limit_usd": "period_budget",
    "total_limit_usd": "total_budget",
    "budget_anchor": "period_start",
}
#: The engine's 422, which Respan answers as 400.
_UNPROCESSABLE: Final = 422
_INVALID: Final = 400


def not_found_refusal() -> Refusal:
    """Make the refusal of an unknown customer, which also answers an environment that the key does not have."""
    return Refusal(404, {"detail": NOT_FOUND})


def rate_limit_refusal(retry_after_seconds: int) -> Refusal:
    """Make the refusal of one request too many."""
    body = {"detail": "Rate limit exceeded", "retry_after": retry_after_seconds}
    return Refusal(429, body, {"Retry-After": str(retry_after_seconds)})


def rendered_problem(problem: Problem, path: str) -> Response:
    """Render the engine's problems on the paths of this dialect, in Respan's shapes."""
    return _refusal(problem).response()


def _refusal(problem: Problem) -> Refusal:
    status, code = problem.kind.status, problem.kind.code
    if status == _UNPROCESSABLE:
        return Refusal(_INVALID, _invalid_body(problem), problem.headers)
    if code == "unauthenticated":
        return Refusal(status, {"detail": INVALID_KEY}, problem.headers)
    if code == "not_found":
        return Refusal(status, {"detail": NOT_FOUND}, problem.headers)
    if code == "internal":
        return Refusal(status, {"detail": _INTERNAL, "error_code": "INTERNAL_ERROR"}, problem.headers)
    if status > 500:
        return Refusal(status, {"detail": problem.detail, "error_code": code.upper()}, problem.headers)
    return Refusal(status, {"detail": problem.detail}, problem.headers)


def _invalid_body(problem: Problem) -> dict[str, Any]:
    rules: dict[str, list[str]] = {}
    for field, rule in problem.errors:
        first, _, rest = field.partition(".")
        rules.setdefault(SHOWN_NAMES.get(first, first), []).append(f"{rest} {rule}" if rest else rule)
    detail = "; ".join(f"{field} {rule}" for field, found in rules.items() for rule in found)
    return {**rules, "detail": detail or problem.detail}
