"""Exception handlers: every exception becomes a `Problem` that tells callers no secrets and no internals."""

from __future__ import annotations

from typing import cast

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from api.http.bodies import InvalidValues
from api.http.dialect import Refusal
from api.http.middleware.logged_paths import logged_path
from api.http.middleware.request_id import add_request_id
from api.http.problems import Problem
from api.http.state import state_of
from consumers.errors import IntakeFull, IntakeUnavailable
from domain.errors import (
    AlreadyExists,
    CommandRefused,
    Fenced,
    InvalidInput,
    LogUnavailable,
    NotFound,
    PersonalKeyMissing,
)
from projections.errors import HistoryGone, ReadStoreUnavailable, RowsBeingWritten

_logger = structlog.get_logger("meterfold.http")


def problem_for(error: Exception) -> Problem:
    """Map an exception to its problem; `internal` for an exception that is not known."""
    match error:
        case Problem():
            return error
        case InvalidInput():
            return Problem.invalid(error.field, error.rule, error.code)
        case AlreadyExists():
            return Problem("already_exists", str(error) or "something with this id exists")
        case NotFound():
            return Problem("not_found", str(error) or "nothing with this id exists")
        case CommandRefused() | PersonalKeyMissing():
            return Problem("conflict", str(error))
        case HistoryGone():
            return Problem("gone", str(error))
        case IntakeFull():
            return Problem("intake_full", "too many requests are waiting to be written to the log")
        case IntakeUnavailable():
            return Problem("intake_unavailable", "the intake process stopped before it answered")
        case LogUnavailable() | Fenced():
            return Problem("log_unavailable", "the event log cannot be written; nothing was stored")
        case RowsBeingWritten():
            return Problem("rows_being_written", "rows of usage are being written again after a rebuild")
        case ReadStoreUnavailable():
            return Problem("read_store_unavailable", "the read store cannot be read at present")
        case _:
            return Problem("internal", "an unexpected error occurred; the log of the engine has the details")


def install_error_handlers(app: FastAPI) -> None:
    """Register the handlers on the application. Each renders by the dialect of the request's path."""
    for exception in (
        Problem,
        InvalidInput,
        CommandRefused,
        PersonalKeyMissing,
        HistoryGone,
        IntakeFull,
        IntakeUnavailable,
        LogUnavailable,
        Fenced,
        ReadStoreUnavailable,
    ):
        app.add_exception_handler(exception, _answer)
    app.add_exception_handler(Refusal, _answer_refusal)
    app.add_exception_handler(Exception, _answer_unexpected)
    app.add_exception_handler(RequestValidationError, _answer_validation)
    app.add_exception_handler(HTTPException, _answer_http)


def problem_response(request: Request, problem: Problem) -> Response:
    """Render a problem by the dialect of the request's path."""
    return state_of(request).dialects.render(problem, request.scope["path"])


async def _answer(request: Request, error: Exception) -> Response:
    if isinstance(error, LogUnavailable | ReadStoreUnavailable) and not isinstance(error, RowsBeingWritten):
        # The text of the error tells the operator what to do.
        _logger.error("storage_refused", path=logged_path(request.scope["path"]), reason=str(error))
    if isinstance(error, LogUnavailable):
        state_of(request).metrics.append_failed()
        state_of(request).engine.append_refused()
    return problem_response(request, problem_for(error))


async def _answer_refusal(request: Request, error: Exception) -> Response:
    return cast(Refusal, error).response()


async def _answer_unexpected(request: Request, error: Exception) -> Response:
    _logger.error("request_failed", path=logged_path(request.scope["path"]), exc_info=error)
    response = problem_response(request, problem_for(error))
    add_request_id(response)
    return response


async def _answer_validation(request: Request, error: Exception) -> Response:
    return problem_response(request, InvalidValues(cast(RequestValidationError, error).errors()))


async def _answer_http(request: Request, error: Exception) -> Response:
    """Answer an error raised by the framework: no such route, wrong method."""
    refused = cast(HTTPException, error)
    if refused.status_code == 405:
        allowed = ", ".join(sorted(allowed_methods(request)))
        problem = Problem("method_not_allowed", f"the allowed methods are {allowed}", headers={"Allow": allowed})
    elif refused.status_code == 404:
        problem = Problem("not_found", "no route has this path")
    elif refused.status_code == 413:
        problem = Problem("body_too_large", "the body is too large")
    else:
        problem = Problem("json_invalid" if refused.status_code < 500 else "internal", str(refused.detail))
    return problem_response(request, problem)


def allowed_methods(request: Request) -> set[str]:
    """The methods that routes accept for the path of this request."""
    methods: set[str] = set()
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        scope = {**request.scope, "method": method, "path_params": {}}
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.router.routes):
            methods |= {"GET", "HEAD"} if method == "GET" else {method}
    return methods
