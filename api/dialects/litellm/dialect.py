"""The LiteLLM dialect, on root paths."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel

from api.dialects.litellm.access_refusal import refused_access
from api.dialects.litellm.authentication import key_given
from api.dialects.litellm.error_shapes import rendered_problem
from api.dialects.litellm.models.errors import DetailBody, ErrorBody, TextBody, ValidationBody
from api.dialects.litellm.routes import budgets, customers, health, logs, spend_logs
from api.dialects.litellm.routes import customer_list as listing
from api.dialects.litellm.routes import daily_activity as activity
from api.http.dialect import Dialect, joined_router
from api.http.openapi import COMPONENTS, dialect_document, with_errors
from api.http.problems import PROBLEM_KINDS

_KEY: Final = {
    "APIKeyHeader": {"type": "apiKey", "in": "header", "name": "x-litellm-api-key", "description": "Bearer sk-..."}
}
_DESCRIPTION: Final = """\
The customer management of LiteLLM, served at the engine's root. A key may also be sent as `Authorization: Bearer`,
`x-api-key`, `API-Key`, `x-goog-api-key` or `Ocp-Apim-Subscription-Key`."""


#: Statuses of errors: those of the engine's problems, and 400, which LiteLLM answers to much.
_ERROR_STATUSES: Final = sorted({400} | {kind.status for kind in PROBLEM_KINDS.values()})
_SHAPES_BY_STATUS: Final[dict[int, tuple[type[BaseModel], ...]]] = {401: (ErrorBody,), 422: (ValidationBody, ErrorBody)}

_OF_CUSTOMERS: Final = (
    customers.customer_routes,
    customers.blocking_routes,
    listing.listing_routes,
    activity.activity_routes,
)


_ROUTER: Final = joined_router(
    (
        *(routes(prefix) for prefix in ("/customer", "/end_user") for routes in _OF_CUSTOMERS),
        customers.blocking_routes("/user"),
        *(part.router for part in (budgets, spend_logs, logs, health)),
    )
)


def _openapi() -> dict[str, Any]:
    document = dialect_document("Meterfold for clients of LiteLLM", _DESCRIPTION, _ROUTER.routes, _KEY)
    return with_errors(document, _ERROR_STATUSES, (ErrorBody, DetailBody, ValidationBody, TextBody), _error)


def _error(status: int) -> dict[str, Any]:
    """The error response with this status, which has one of the shapes of `error_shapes.py`."""
    shapes = _SHAPES_BY_STATUS.get(status, (ErrorBody, DetailBody, TextBody))
    any_of = [{"$ref": f"{COMPONENTS}{shape.__name__}"} for shape in shapes]
    return {"description": HTTPStatus(status).phrase, "content": {"application/json": {"schema": {"anyOf": any_of}}}}


LITELLM: Final = Dialect(
    name="litellm",
    title="LiteLLM",
    base_path="",
    paths=("/customer", "/end_user", "/user", "/budget", "/spend", "/litellm"),
    router=_ROUTER,
    key_given=key_given,
    render=rendered_problem,
    answer_access=refused_access,
    openapi_path="/litellm/openapi.json",
    openapi=_openapi,
)
