"""Errors in the shape of ASP.NET's ProblemDetails: {type, title, status, detail, errors: {name: [text]}}."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from starlette.responses import Response

from api.http.problems import PROBLEM_MEDIA_TYPE, Problem

#: This dialect's names of native fields.
SHOWN_NAMES: Final = {"customer_id": "externalId", "customer": "id"}
BAD_REQUEST: Final = 400
_UNPROCESSABLE: Final = 422


def rendered_problem(problem: Problem, path: str) -> Response:
    """Render the engine's problems on the paths of this dialect. ASP.NET answers 400 where the engine answers 422."""
    kind = problem.kind
    members = {"type": f"/problems/{kind.code}", "title": kind.title, "detail": problem.detail}
    status = BAD_REQUEST if kind.status == _UNPROCESSABLE else kind.status
    return problem_details(status, members, problem.errors, problem.headers)


def problem_details(
    status: int,
    members: Mapping[str, Any],
    errors: Sequence[tuple[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Make an error response with these members; `errors` are (name, rule) of invalid values."""
    body = {**members, "status": status}
    by_name: dict[str, list[str]] = {}
    for name, rule in errors:
        first, dot, rest = name.partition(".")
        by_name.setdefault(SHOWN_NAMES.get(first, first) + dot + rest, []).append(rule)
    if by_name:
        body["errors"] = by_name
    return Response(msgspec.json.encode(body), status, dict(headers or {}), PROBLEM_MEDIA_TYPE)
