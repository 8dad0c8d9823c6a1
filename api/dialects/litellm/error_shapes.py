"""The three shapes that errors have in LiteLLM, and which one the engine's own problems take.

A  {"error": {"message", "type", "param", "code"}}: keys and most of /customer; `code` is the status as text
B  {"detail": {"error": ...}}: /budget, blocking, daily activity
C  {"detail": [{"type", "loc", "msg"}]}: 422, a value that breaks a rule

Beside them {"detail": "Not Found"} and {"detail": "Method Not Allowed"} where no route is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api.http.problems import Problem
from domain.errors import InvalidInput

#: Native names of fields as LiteLLM's clients know them.
SHOWN_NAMES: Final = {
    "name": "alias",
    "customer_id": "user_id",
    "allowed_region": "allowed_model_region",
    "opening_spend_usd": "spend",
    "period_limit_usd": "max_budget",
    "total_limit_usd": "max_budget",
    "soft_limit_usd": "soft_budget",
    "model_limits": "model_max_budget",
    "budget_anchor": "budget_reset_at",
    "requests_per_minute": "rpm_limit",
    "tokens_per_minute": "tpm_limit",
    "parallel_requests_max": "max_parallel_requests",
}
_MISSING_ROUTES: Final = {"not_found": "Not Found", "method_not_allowed": "Method Not Allowed"}
_TYPES: Final = {503: "service_unavailable", 500: "internal_server_error"}


class Refusal(Exception):
    """A request ends here, with this status and body."""

    def __init__(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status}")
        self.status = status
        self.body = body
        self.headers = dict(headers or {})

    def response(self) -> Response:
        return Response(msgspec.json.encode(self.body), self.status, self.headers, "application/json")


def error(
    status: int, kind: str, message: str, param: str | None = None, headers: Mapping[str, str] | None = None
) -> Refusal:
    """Shape A."""
    told = {"message": message, "type": kind, "param": param, "code": str(status)}
    return Refusal(status, {"error": told}, headers)


def detail(status: int, message: str) -> Refusal:
    """Shape B."""
    return Refusal(status, {"detail": {"error": message}})


def detail_in_error(status: int, message: str) -> Refusal:
    """Shape A around shape B, as /customer shows what was raised for another shape: the text of a Python dict."""
    return error(status, "invalid_request_error", str({"error": message}))


def breaches(found: Sequence[tuple[str, Sequence[str | int], str]]) -> Refusal:
    """Shape C: (type, place, message) of each value that breaks a rule."""
    return Refusal(422, {"detail": [{"type": kind, "loc": list(place), "msg": text} for kind, place, text in found]})


def breach(field: str, rule: str) -> Refusal:
    """Shape C for a rule of the engine's own."""
    return breaches([("value_error", _place(field), f"Value error, {rule}")])


def breach_of(problem: InvalidInput) -> Refusal:
    return breach(problem.field, problem.rule)


def _place(field: str) -> list[str]:
    first, *rest = field.split(".")
    return ["body", SHOWN_NAMES.get(first, first), *rest]


def rendered_problem(problem: Problem, path: str) -> Response:
    """The renderer of all paths of this dialect, for what its routes do not refuse themselves."""
    kind = problem.kind
    if kind.code in _MISSING_ROUTES:
        return Refusal(kind.status, {"detail": _MISSING_ROUTES[kind.code]}, problem.headers).response()
    if kind.code in ("invalid", "id_invalid"):
        return breaches(
            [("value_error", _place(field), f"Value error, {rule}") for field, rule in problem.errors]
        ).response()
    known = _TYPES.get(kind.status, "bad_request")
    return error(kind.status, known, problem.detail, headers=problem.headers).response()


async def answer_refusal(request: Request, refused: Exception) -> Response:
    """The handler of the application."""
    return cast(Refusal, refused).response()
