"""The Respan dialect, below /respan."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel

from api.dialects.respan.access_answer import answered_access
from api.dialects.respan.error_shapes import rendered_problem
from api.dialects.respan.models.errors import ErrorBody, FailureBody, RateLimitBody
from api.dialects.respan.models.request_logs import RequestLog
from api.dialects.respan.routes import older_paths, request_logs, user_list, users
from api.http.authentication import bearer_key
from api.http.dialect import Dialect, joined_router
from api.http.openapi import COMPONENTS, dialect_document, with_errors
from api.http.problems import PROBLEM_KINDS

_DESCRIPTION: Final = """\
The customer management of Respan (formerly Keywords AI). The base URL is the engine's address and `/respan`."""
#: Statuses of errors: those of the engine's problems, with 400 for 422.
_ERROR_STATUSES: Final = sorted({kind.status for kind in PROBLEM_KINDS.values()} - {422} | {429})
_SHAPES: Final[dict[int, type[BaseModel]]] = {429: RateLimitBody, 500: FailureBody, 503: FailureBody}
#: One customer last: its paths fit those of the others too.
_PARTS: Final = (request_logs, user_list, older_paths, users)

_ROUTER: Final = joined_router(part.router for part in _PARTS)


def _openapi() -> dict[str, Any]:
    document = dialect_document("Meterfold for clients of Respan", _DESCRIPTION, _ROUTER.routes)
    return with_errors(document, _ERROR_STATUSES, (ErrorBody, RateLimitBody, FailureBody, RequestLog), _error)


def _error(status: int) -> dict[str, Any]:
    schema = {"$ref": COMPONENTS + _SHAPES.get(status, ErrorBody).__name__}
    return {"description": HTTPStatus(status).phrase, "content": {"application/json": {"schema": schema}}}


RESPAN: Final = Dialect(
    name="respan",
    title="Respan",
    base_path="/respan",
    paths=("/respan",),
    router=_ROUTER,
    key_given=bearer_key,
    render=rendered_problem,
    answer_access=answered_access,
    openapi_path="/respan/openapi.json",
    openapi=_openapi,
)
