"""The PromptShuttle dialect, below /promptshuttle."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from fastapi import APIRouter

from api.dialects.promptshuttle.access_refusal import refused_access
from api.dialects.promptshuttle.error_shapes import rendered_problem
from api.dialects.promptshuttle.models.errors import ProblemDetails
from api.dialects.promptshuttle.routes import customers, llm_logs, usage
from api.dialects.promptshuttle.routes.customers import BASE
from api.http.authentication import bearer_key
from api.http.dialect import Dialect, joined_router
from api.http.openapi import COMPONENTS, dialect_document, with_errors
from api.http.problems import PROBLEM_KINDS, PROBLEM_MEDIA_TYPE, Problem

_DESCRIPTION: Final = "The customers, the usage and the invocation log of PromptShuttle."
#: Statuses of errors. What the engine answers 422 is answered 400.
_ERROR_STATUSES: Final = sorted({kind.status for kind in PROBLEM_KINDS.values()} - {422})


async def _no_gateway() -> None:
    raise Problem("no_gateway", "this is no gateway: send usage to POST /v1/events")


def _router() -> APIRouter:
    gateway = APIRouter()
    gateway.add_api_route(f"{BASE}/chat/completions", _no_gateway, methods=["POST"], include_in_schema=False)
    return joined_router((gateway, customers.router, usage.router, llm_logs.router))


_ROUTER: Final = _router()


def _openapi() -> dict[str, Any]:
    document = dialect_document("Meterfold for clients of PromptShuttle", _DESCRIPTION, _ROUTER.routes)
    return with_errors(document, _ERROR_STATUSES, (ProblemDetails,), _error)


def _error(status: int) -> dict[str, Any]:
    schema = {"$ref": f"{COMPONENTS}{ProblemDetails.__name__}"}
    return {"description": HTTPStatus(status).phrase, "content": {PROBLEM_MEDIA_TYPE: {"schema": schema}}}


PROMPTSHUTTLE: Final = Dialect(
    name="promptshuttle",
    title="PromptShuttle",
    base_path=BASE,
    paths=("/promptshuttle",),
    router=_ROUTER,
    key_given=bearer_key,
    render=rendered_problem,
    answer_access=refused_access,
    openapi_path="/promptshuttle/openapi.json",
    openapi=_openapi,
)
