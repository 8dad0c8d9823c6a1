"""API key authentication and scopes: `Authorization: Bearer sk-...` or `X-API-Key: sk-...`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Annotated, Final, Literal

from fastapi import Depends, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import Request

from api.http.problems import Problem
from api.http.state import EngineOf
from consumers.engine import Engine
from domain.scope import DEFAULT_SCOPE
from projections.queries.api_keys import ApiKeyRecord

KeyScope = Literal["admin", "ingest", "read"]
CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="meterfold"'}
_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-real-ip")

bearer = HTTPBearer(auto_error=False, scheme_name="bearer", description="An API key: `Authorization: Bearer sk-...`")
api_key = APIKeyHeader(name="X-API-Key", auto_error=False, scheme_name="apiKey", description="An API key: `sk-...`")
BearerGiven = Annotated[HTTPAuthorizationCredentials | None, Security(bearer)]
ApiKeyGiven = Annotated[str | None, Security(api_key)]


def authenticated(engine: Engine, secret: str | None) -> ApiKeyRecord:
    """Return the key with this secret; `Problem` 401 when it is missing, unknown or revoked.

    The secret never becomes part of the answer.
    """
    if not secret:
        raise Problem("unauthenticated", "no API key was given", headers=CHALLENGE)
    key = engine.authenticate(secret)
    if key is None:
        raise Problem("unauthenticated", "the API key is unknown or was revoked", headers=CHALLENGE)
    return key


def check_scope(key: ApiKeyRecord, needed: KeyScope) -> None:
    """Raise `Problem` 403 unless the key has the scope `needed` or admin."""
    if needed not in key.scopes and "admin" not in key.scopes:
        raise Problem("forbidden", f"the key must have the scope {needed} or admin")


def key_with(needed: KeyScope) -> Callable[..., Awaitable[ApiKeyRecord]]:
    """Make the dependency of a route that needs a key with this scope."""

    async def check(request: Request, engine: EngineOf, token: BearerGiven, header: ApiKeyGiven) -> ApiKeyRecord:
        key = authenticated(engine, token.credentials if token else header)
        request.state.key_id = key.key_id
        check_scope(key, needed)
        return key

    return check


Reader = Annotated[ApiKeyRecord, Depends(key_with("read"))]
Ingester = Annotated[ApiKeyRecord, Depends(key_with("ingest"))]
Administrator = Annotated[ApiKeyRecord, Depends(key_with("admin"))]


def is_operator(key: ApiKeyRecord) -> bool:
    """Whether the key may operate the whole engine: an admin key of the default tenant's prod environment."""
    return "admin" in key.scopes and key.scope == DEFAULT_SCOPE


async def _operator(key: Administrator) -> ApiKeyRecord:
    if not is_operator(key):
        raise Problem("forbidden", f"the key must be an admin key of {DEFAULT_SCOPE}: this concerns every tenant")
    return key


Operator = Annotated[ApiKeyRecord, Depends(_operator)]


def came_over_loopback(request: Request) -> bool:
    """Whether the client is on this machine; False for a request that a proxy forwarded."""
    if request.client is None or any(name in request.headers for name in _FORWARDED):
        return False
    try:
        return ip_address(request.client.host).is_loopback
    except ValueError:
        return False


async def metrics_reader(request: Request, engine: EngineOf, token: BearerGiven, header: ApiKeyGiven) -> None:
    """Check access to /metrics: from this machine without a key, from elsewhere with any valid key."""
    if not came_over_loopback(request):
        authenticated(engine, token.credentials if token else header)
