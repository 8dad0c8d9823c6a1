"""Errors in Lago's shapes: {"status": 404, "error": "Not Found", "code": "customer_not_found"}.

400  `error` tells what is wrong; no `code`
401  no `code`
403  `code`: <read|write>_action_not_allowed_for_<resource>
404  `code`: <resource>_not_found; resource_not_found where no route has the path
422  `code`: validation_errors; `error_details`: {field: [code, ...]}
422  `code`: third_party_error; `error_details`: {third_party, thirdparty_error}; 503 where it gave no answer
429  `code`: too_many_provider_requests; `error_details`: {provider_name, message}

Any other status has the engine's own code as `code`, and as `detail` what the engine says of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from starlette.responses import Response

from api.dialects.lago.paths import resource_of
from api.http.authentication import ScopeMissing
from api.http.bodies import InvalidValues
from api.http.dialect import Refusal
from api.http.problems import RETRY_AFTER_SECONDS, Problem

#: Codes in `error_details`.
MANDATORY: Final = "value_is_mandatory"
INVALID: Final = "value_is_invalid"
ALREADY_EXISTS: Final = "value_already_exist"
#: All codes that a rule of a model may have as its type (`PydanticCustomError`), besides the two that others become.
_CODES: Final = frozenset(
    {
        MANDATORY,
        INVALID,
        ALREADY_EXISTS,
        "invalid_format",
        "invalid_count",
        "invalid_count_per_integration_type",
        "invalid_value",
        "invalid_email_format",
        "invalid_date",
        "value_is_not_valid_number",
        "value_is_too_long",
        "value_is_missing_or_already_exists",
        "not_supported",
        "invalid_expression",
        "not_compatible_with_aggregation_type",
        "invalid_aggregation_type_or_charge_model",
        "no_events",
        "too_many_events",
    }
)
_ERRORS: Final = {
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    410: "Gone",
    413: "Payload Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Entity",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
#: This dialect's names of native fields.
SHOWN_NAMES: Final = {
    "time_zone": "timezone",
    "customer_id": "external_id",
    "customer": "external_id",
    "payment_provider_name": "billing_configuration.payment_provider",
    "payment_provider_customer_id": "billing_configuration.provider_customer_id",
    "dialect_fields": "base",
    "personal_dialect_fields": "base",
}
#: What stands before the name of a member that only this dialect knows.
KEPT_BEFORE: Final = "dialect_fields.lago."
_UNPROCESSABLE: Final = 422
_UNAVAILABLE: Final = 503
#: Fields named in one answer, at most.
_FIELDS_MAX: Final = 100


def refusal(status: int, code: str | None = None, headers: Mapping[str, str] | None = None, **more: Any) -> Refusal:
    """Make a refusal with this status, in the shape of all of them. `more` are further members."""
    body = {"status": status, "error": _ERRORS[status]}
    return Refusal(status, body | ({} if code is None else {"code": code}) | more, headers)


def not_found(resource: str) -> Refusal:
    """Make the refusal of something that does not exist: `not_found("customer")`."""
    return refusal(404, f"{resource}_not_found")


def not_allowed(code: str) -> Refusal:
    """Make the refusal of what the present state does not allow, which Lago answers with status 405."""
    return refusal(405, code)


def bad_request(message: str) -> Refusal:
    """Make the refusal of a request that cannot be read."""
    return Refusal(400, {"status": 400, "error": f"BadRequest: {message}"})


def param_missing(name: str) -> Refusal:
    """Make the refusal of a body without the object that holds everything else."""
    return bad_request(f"param is missing or the value is empty or invalid: {name}")


def validation_refusal(details: Mapping[str, Any] | str) -> Refusal:
    """Make the refusal of values that break rules: `{field: [code, ...]}`, all of them at once.

    For an event by whose values an expression fails, Lago has text in that place.
    """
    return refusal(_UNPROCESSABLE, "validation_errors", error_details=details)


def third_party_failure(status: int, third_party: str, error: str) -> Refusal:
    """Make the refusal of what a service beside the engine refused, or gave no answer to."""
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status == _UNAVAILABLE else None
    details = {"third_party": third_party, "thirdparty_error": error}
    return refusal(status, "third_party_error", headers, error_details=details)


def provider_limited(provider: str, message: str) -> Refusal:
    """Make the refusal of a request that a payment provider had no time for."""
    body = {"status": 429, "error": "Too Many Provider Requests", "code": "too_many_provider_requests"}
    return Refusal(429, body | {"error_details": {"provider_name": provider, "message": message}})


def rendered_problem(problem: Problem, path: str) -> Response:
    """Render the engine's problems on the paths of this dialect."""
    return _refusal(problem, path).response()


def _refusal(problem: Problem, path: str) -> Refusal:
    status, code = problem.kind.status, problem.kind.code
    if isinstance(problem, ScopeMissing):
        mode = "read" if problem.needed == "read" else "write"
        return refusal(403, f"{mode}_action_not_allowed_for_{resource_of(path)}")
    if status == _UNPROCESSABLE:
        return validation_refusal(invalid_fields(problem))
    if status == 400:
        return bad_request(problem.detail)
    if status == 401:
        return refusal(401)
    if code == "not_found":
        return not_found("resource")
    return refusal(status, code, problem.headers, detail=problem.detail)


def invalid_fields(problem: Problem) -> dict[str, list[str]]:
    """Return the codes of a problem by the name of the field, as `error_details` shows them."""
    details: dict[str, list[str]] = {}
    for field, code in _broken(problem):
        codes = details.setdefault(field, [])
        if code not in codes:
            codes.append(code)
    return dict(list(details.items())[:_FIELDS_MAX]) or {"base": [INVALID]}


def _broken(problem: Problem) -> Iterator[tuple[str, str]]:
    if isinstance(problem, InvalidValues):
        for one in problem.found:
            kind = one["type"]
            code = MANDATORY if kind == "missing" else kind if kind in _CODES else INVALID
            yield _shown(".".join(str(part) for part in one["loc"][1:]) or "base"), code
        return
    for field, _ in problem.errors:
        yield _shown(field), INVALID


def _shown(field: str) -> str:
    if field.startswith(KEPT_BEFORE):
        return field.removeprefix(KEPT_BEFORE)
    first, dot, rest = field.partition(".")
    return SHOWN_NAMES.get(first, first) + dot + rest
