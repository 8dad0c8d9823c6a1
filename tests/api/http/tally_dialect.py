"""A dialect of one route, for the clients of a product that does not exist: the whole of it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from api.http.authentication import Reader
from api.http.bodies import InvalidValues, body_of, body_openapi
from api.http.dialect import Dialect, Refusal
from api.http.openapi import dialect_document
from api.http.problems import Problem
from api.http.state import StateOf
from consumers.settings import Settings
from projections.views.budget_state import Access
from projections.views.current_usage import current_usage

KEYS = {"tally": {"type": "apiKey", "in": "header", "name": "X-Tally-Key"}}
router = APIRouter(prefix="/tally/v2")


class UsageAsked(BaseModel):
    account: str


@router.post("/usage", openapi_extra=body_openapi(UsageAsked), summary="Show usage")
def usage(state: StateOf, key: Reader, asked: Annotated[UsageAsked, Depends(body_of(UsageAsked))]) -> dict[str, Any]:
    with state.engine.reads.snapshot() as snapshot:
        found = current_usage(snapshot, key.scope, asked.account, state.engine.now())
    if found is None:
        raise Refusal(404, {"ok": False, "code": "account_not_found"})
    return {"ok": True, "account": asked.account, "calls": found.usage.requests}


def render(problem: Problem, path: str) -> Response:
    details = {one["loc"][-1]: one["type"] for one in problem.found} if isinstance(problem, InvalidValues) else {}
    body = {"ok": False, "code": problem.kind.code, "details": details}
    return JSONResponse(body, problem.kind.status, problem.headers)


def answer_access(access: Access, model: str | None, settings: Settings) -> Response | None:
    return JSONResponse({"ok": access.decision.allowed, "code": access.decision.reason, "model": model})


TALLY = Dialect(
    name="tally",
    title="Tally",
    base_path="/tally/v2",
    paths=("/tally",),
    router=router,
    key_given=lambda request: request.headers.get("x-tally-key"),
    render=render,
    answer_access=answer_access,
    openapi_path="/tally/openapi.json",
    openapi=lambda: dialect_document("Tally", "For clients of Tally.", router.routes, KEYS),
)
