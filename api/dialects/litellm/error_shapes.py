"""The three error shapes of LiteLLM, and the rendering of the engine's problems in them.

A  {"error": {"message", "type", "param", "code"}}: keys and most of /customer; `code` is the status as text
B  {"detail": {"error": ...}}: /budget, blocking, daily activity
C  {"detail": [{"type", "loc", "msg"}]}: 422, a value that breaks a rule

Where no route matches: {"detail": "Not Found"} and {"detail": "Method Not Allowed"}.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from starlette.responses import Response

from api.http.authentication import ScopeMissing
from api.http.bodies import InvalidValues, NotJson
from api.http.dialect import Refusal
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
#: What stands before the name of a member that only this dialect knows.
_KEPT: Final = "dialect_fields.litellm."
_FAILED: Final = "Authentication Error, "
_ADMIN_ONLY: Final = "Only proxy admin can be used to generate, delete, update info for new users/keys/teams."
#: pydantic's errors for decimals, which money is read as here, to those for floats, which LiteLLM answers.
_AS_FLOATS: Final = {
    "decimal_parsing": ("float_parsing", "Input should be a valid number, unable to parse string as a number"),
    "decimal_type": ("float_type", "Input should be a valid number"),
}
_MISSING_ROUTES: Final = {"not_found": "Not Found", "method_not_allowed": "Method Not Allowed"}
#: (type, location, message) of a value that breaks a rule.
_Breach = tuple[str, Sequence[str | int], str]
_TYPES: Final = {503: "service_unavailable", 500: "internal_server_error"}


def error_refusal(
    status: int, kind: str, message: str, param: str | None = None, headers: Mapping[str, str] | None = None
) -> Refusal:
    """Make a refusal of shape A."""
    members = {"message": message, "type": kind, "param": param, "code": str(status)}
    return Refusal(status, {"error": members}, headers)


def authentication_refusal(message: str) -> Refusal:
    """Make a refusal of shape A for a key that is missing, malformed or lacks a right."""
    return error_refusal(401, "auth_error", f"{_FAILED}{message}")


def detail_refusal(status: int, message: str) -> Refusal:
    """Make a refusal of shape B."""
    return Refusal(status, {"detail": {"error": message}})


def detail_in_error_refusal(status: int, message: str) -> Refusal:
    """Make a refusal of shape A whose message is shape B as the text of a Python dict, as /customer does for some."""
    return error_refusal(status, "invalid_request_error", str({"error": message}))


def validation_refusal(found: Sequence[_Breach]) -> Refusal:
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
    first, *rest = field.removeprefix(_KEPT).split(".")
    return ["body", SHOWN_NAMES.get(first, first), *rest]


def rendered_problem(problem: Problem, path: str) -> Response:
    """Render the engine's problems on the paths of this dialect, in LiteLLM's shapes."""
    return _refusal(problem, path).response()


def _refusal(problem: Problem, path: str) -> Refusal:
    kind = problem.kind
    match problem:
        case InvalidValues():
            return validation_refusal(list(_breaches(problem)))
        case NotJson():
            return validation_refusal([_not_json(problem.body)])
        case ScopeMissing():
            return authentication_refusal(f"{_ADMIN_ONLY} Route={path}. Your role={','.join(problem.held)}")
        case _ if kind.code == "unauthenticated":
            return error_refusal(401, "token_not_found_in_db", f"{_FAILED}Invalid API key provided.", "key")
        case _ if kind.code in _MISSING_ROUTES:
            return Refusal(kind.status, {"detail": _MISSING_ROUTES[kind.code]}, problem.headers)
        case _ if kind.code in ("invalid", "id_invalid"):
            found = [("value_error", _location(field), f"Value error, {rule}") for field, rule in problem.errors]
            return validation_refusal(found)
        case _:
            shown = _TYPES.get(kind.status, "bad_request")
            return error_refusal(kind.status, shown, problem.detail, headers=problem.headers)


def _breaches(problem: InvalidValues) -> Iterator[_Breach]:
    for one in problem.found:
        kind, message = _AS_FLOATS.get(one["type"], (one["type"], one["msg"]))
        yield kind, one["loc"], message


def _not_json(body: bytes) -> _Breach:
    if not body.strip():
        return "missing", ["body"], "Field required"
    return "json_invalid", ["body", _broken_at(body)], "JSON decode error"


def _broken_at(body: bytes) -> int:
    """The index of the first character that is not JSON; 0 for invalid UTF-8 and for too deep nesting."""
    try:
        json.loads(body)
    except json.JSONDecodeError as failed:
        return failed.pos
    except (ValueError, RecursionError):
        pass
    return 0
