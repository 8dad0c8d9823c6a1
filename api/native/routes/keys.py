"""Routes of API keys: issue (the secret is shown once), list by prefix and last use, revoke."""

from __future__ import annotations

from typing import Annotated, Final

from anyio import to_thread
from fastapi import APIRouter, Depends
from fastapi import Query as FromQuery
from starlette.requests import Request
from starlette.responses import Response

from api.http.authentication import Administrator, is_operator
from api.http.bodies import body_of, body_openapi
from api.http.paging import cursor_text, cursor_values
from api.http.problems import Problem
from api.http.reading import POSITION_HEADER, WAIT_FOR_MIN_POSITION
from api.http.state import StateOf
from api.http.writing import ACCEPTED, ReasonGiven, answer_command, provenance_of
from api.native.models.keys import IssuedKeyView, KeyGiven, KeyPage, KeyQuery, KeyView
from consumers.engine import Engine
from domain.api_keys.commands import IssueApiKey, RevokeApiKey
from domain.scope import Scope, scope_of
from projections.queries.api_keys import ApiKeyRecord

router = APIRouter(tags=["keys"])
_LIST: Final = "keys"


@router.get("/v1/keys", response_model=KeyPage, dependencies=[WAIT_FOR_MIN_POSITION], summary="List API keys")
def list_keys(state: StateOf, key: Administrator, query: Annotated[KeyQuery, FromQuery()]) -> KeyPage:
    """Keys of the tenant and environment of the key used, ordered by id: prefix and last use, never the secret.
    Revoked keys are left out unless `revoked` is true."""
    after = cursor_values(_LIST, query.cursor, str) or ""
    with state.engine.reads.snapshot() as snapshot:
        position = snapshot.point().position
        found = sorted(snapshot.api_keys(key.scope), key=lambda one: one.key_id)
    rows = [one for one in found if one.key_id > after and (query.revoked or one.revoked_at is None)]
    shown = rows[: query.limit]
    return KeyPage(
        position=position,
        data=[key_view(state.engine, one) for one in shown],
        next_cursor=cursor_text(_LIST, shown[-1].key_id) if len(rows) > len(shown) else None,
    )


@router.post(
    "/v1/keys",
    response_model=IssuedKeyView,
    status_code=201,
    openapi_extra=body_openapi(KeyGiven),
    summary="Issue an API key",
)
async def issue_key(
    state: StateOf,
    key: Administrator,
    given: Annotated[KeyGiven, Depends(body_of(KeyGiven))],
    reason: ReasonGiven,
) -> Response:
    """Make a new key. Its secret is only in this answer, which is 201 even when the key is not folded in time. A key of
    another tenant or environment than those of the key used needs an admin key of default/prod (else 403)."""
    scope, environments = _scope_for(key, given), tuple(given.environments or ())
    about = provenance_of(key, reason)
    command = IssueApiKey(scope, about, tuple(given.scopes), given.name, environments=environments)
    issued = await to_thread.run_sync(state.engine.commands.handle, command)
    if issued.position is not None:
        await state.fold.folded(issued.position)
    view = IssuedKeyView(
        id=issued.state.key_id,
        secret=issued.state.secret,
        prefix=issued.state.prefix,
        name=issued.state.name,
        tenant=scope.tenant,
        environment=scope.environment,
        environments=[scope.environment, *(one for one in environments if one != scope.environment)],
        scopes=list(issued.state.scopes),
        position=issued.position,
    )
    headers = {POSITION_HEADER: str(issued.position or 0), "Cache-Control": "no-store"}
    return Response(view.model_dump_json(), 201, headers, "application/json")


@router.delete("/v1/keys/{key_id:segment}", status_code=204, responses=ACCEPTED, summary="Revoke an API key")
async def revoke_key(
    request: Request, state: StateOf, key: Administrator, key_id: str, reason: ReasonGiven
) -> Response:
    """Revoke the key for good: every later request with it is answered 401."""
    return await answer_command(request, state, RevokeApiKey(key.scope, provenance_of(key, reason), key_id))


def _scope_for(key: ApiKeyRecord, given: KeyGiven) -> Scope:
    """The default scope of the new key. Only an operator may issue keys of another tenant or environment."""
    named = given.environments or [given.environment or key.scope.environment]
    scopes = [scope_of(given.tenant or key.scope.tenant, one) for one in named]
    own = {Scope(key.scope.tenant, one) for one in key.environments}
    if not set(scopes) <= own and not is_operator(key):
        raise Problem("forbidden", "issuing a key of another tenant or environment needs an admin key of default/prod")
    return scopes[0]


def key_view(engine: Engine, key: ApiKeyRecord) -> KeyView:
    """Convert an API key to its response, without the secret."""
    return KeyView(
        id=key.key_id,
        prefix=key.prefix,
        name=key.name,
        tenant=key.scope.tenant,
        environment=key.scope.environment,
        environments=list(key.environments),
        scopes=list(key.scopes),
        created_at=key.issued_at,
        last_used_at=engine.last_used_at(key.key_id),
        revoked_at=key.revoked_at,
    )
