"""From every exception that can reach the edge to the problem that callers see. Secrets and internals stay inside."""

from __future__ import annotations

from typing import cast

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from api.http.bodies import problem_of
from api.http.problems import Problem
from api.http.state import state_of
from consumers.errors import IntakeFull, IntakeUnavailable
from domain.errors import AlreadyExists, CommandRefused, Fenced, InvalidInput, LogUnavailable, NotFound
from projections.errors import HistoryGone, ReadStoreUnavailable

_logger = structlog.get_logger("meterfold.http")


def problem_for(error: Exception) -> Problem:
    """The problem that an exception of the rooms below means; `internal` for those that nobody expected."""
    match error:
        case Problem():
            return error
        case InvalidInput():
            return Problem.invalid(error.field, error.rule, error.code)
        case AlreadyExists():
            return Problem("already_exists", str(error) or "something with this id exists")
        case NotFound():
            return Problem("not_found", str(error) or "nothing with this id exists")
        case CommandRefused():
            return Problem("conflict", str(error))
        case HistoryGone():
            return Problem("gone", str(error))
        case IntakeFull():
            return Problem("intake_full", "more requests are waiting for the log than the engine accepts")
        case IntakeUnavailable():
            return Problem("intake_unavailable", "the intake stopped before it answered")
        case LogUnavailable() | Fenced():
            return Problem("log_unavailable", "the event log did not take this; nothing was stored")
        case ReadStoreUnavailable():
            return Problem("read_store_unavailable", "the read store cannot be read at the moment")
        case _:
            return Problem("internal", "something went wrong that should not have")


def install_failures(app: FastAPI) -> None:
    """Answer every exception with its problem, in the shape of the prefix it came by."""
    for kind in (
        Problem,
        InvalidInput,
        CommandRefused,
        HistoryGone,
        IntakeFull,
        IntakeUnavailable,
        LogUnavailable,
        Fenced,
        ReadStoreUnavailable,
    ):
        app.add_exception_handler(kind, _answer)
    app.add_exception_handler(Exception, _answer_unexpected)
    app.add_exception_handler(RequestValidationError, _answer_validation)
    app.add_exception_handler(HTTPException, _answer_http)


def rendered(request: Request, problem: Problem) -> Response:
    return state_of(request).shapes.render(problem, request.scope["path"])


async def _answer(request: Request, error: Exception) -> Response:
    if isinstance(error, LogUnavailable | ReadStoreUnavailable):
        _logger.error("storage_refused", path=request.scope["path"], reason=str(error))  # it says what to do
    return rendered(request, problem_for(error))


async def _answer_unexpected(request: Request, error: Exception) -> Response:
    _logger.error("request_failed", path=request.scope["path"], exc_info=error)
    return rendered(request, problem_for(error))


async def _answer_validation(request: Request, error: Exception) -> Response:
    # Places begin with "query", "path" or "header", which is not part of the caller's name for it.
    return rendered(request, problem_of(cast(RequestValidationError, error).errors(), skip=1))


async def _answer_http(request: Request, error: Exception) -> Response:
    """What the framework itself refuses."""
    refused = cast(HTTPException, error)
    if refused.status_code == 405:
        allowed = ", ".join(sorted(allowed_methods(request)))
        problem = Problem("method_not_allowed", f"allowed here: {allowed}", headers={"Allow": allowed})
    elif refused.status_code == 404:
        problem = Problem("not_found", "nothing has this address")
    elif refused.status_code == 413:
        problem = Problem("body_too_large", "the body is too large")
    else:
        problem = Problem("json_invalid" if refused.status_code < 500 else "internal", str(refused.detail))
    return rendered(request, problem)


def allowed_methods(request: Request) -> set[str]:
    """All methods that some route has for this path."""
    methods: set[str] = set()
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        scope = {**request.scope, "method": method, "path_params": {}}
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.router.routes):
            methods |= {"GET", "HEAD"} if method == "GET" else {method}
    return methods
