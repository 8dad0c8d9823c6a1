"""The three error shapes of LiteLLM, and the rendering of the engine's problems in them.

A  {"error": {"message", "type", "param", "code"}}: keys and most of /customer; `code` is the status as text
B  {"detail": {"error": ...}}: /budget, blocking, daily activity
C  {"detail": [{"type", "loc", "msg"}]}: 422, a value that breaks a rule

Where no route matches: {"detail": "Not Found"} and {"detail": "Method Not Allowed"}.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api.http.problems import Problem
from domain.errors import InvalidInput

#: LiteLLM's names of native fields.
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
    """Ends a request with this status and body."""

    def __init__(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status}")
        self.status = status
        self.body = body
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """The HTTP response."""
        return Response(msgspec.json.encode(self.body), self.status, self.headers, "application/json")


def error_refusal(
    status: int, kind: str, message: str, param: str | None = None, headers: Mapping[str, str] | None = None
) -> Refusal:
    """Make a refusal of shape A."""
    members = {"message": message, "type": kind, "param": param, "code": str(status)}
    return Refusal(status, {"error": members}, headers)


def detail_refusal(status: int, message: str) -> Refusal:
    """Make a refusal of shape B."""
    return Refusal(status, {"detail": {"error": message}})


def detail_in_error_refusal(status: int, message: str) -> Refusal:
    """Make a refusal of shape A whose message is shape B as the text of a Python dict, as /customer does for some."""
    return error_refusal(status, "invalid_request_error", str({"error": message}))


def validation_refusal(found: Sequence[tuple[str, Sequence[str | int], str]]) -> Refusal:
    """Make a refusal of shape C from (type, location, message) of each value that breaks a rule."""
    return Refusal(
        422, {"detail": [{"type": kind, "loc": list(location), "msg": text} for kind, location, text in found]}
    )


def field_refusal(field: str, rule: str) -> Refusal:
    """Make a refusal of shape C for a field that breaks a rule of the engine."""
    return validation_refusal([("value_error", _location(field), f"Value error, {rule}")])


def invalid_input_refusal(problem: InvalidInput) -> Refusal:
    """Make a refusal of shape C from an `InvalidInput` of the engine."""
    return field_refusal(problem.field, problem.rule)


def _location(field: str) -> list[str]:
    first, *rest = field.split(".")
    return ["body", SHOWN_NAMES.get(first, first), *rest]


def rendered_problem(problem: Problem, path: str) -> Response:
    """Render the engine's problems on the paths of this dialect, in LiteLLM's shapes."""
    kind = problem.kind
    if kind.code in _MISSING_ROUTES:
        return Refusal(kind.status, {"detail": _MISSING_ROUTES[kind.code]}, problem.headers).response()
    if kind.code in ("invalid", "id_invalid"):
        return validation_refusal(
            [("value_error", _location(field), f"Value error, {rule}") for field, rule in problem.errors]
        ).response()
    known = _TYPES.get(kind.status, "bad_request")
    return error_refusal(kind.status, known, problem.detail, headers=problem.headers).response()


async def answer_refusal(request: Request, refused: Exception) -> Response:
    """The application's exception handler for `Refusal`."""
    return cast(Refusal, refused).response()
