"""API keys and scopes as dependencies of routes. The dialect of the path reads the key, everything else is shared."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Annotated, Any, Final, Literal

from fastapi import Depends, Security
from fastapi.security import APIKeyHeader, HTTPBearer
from fastapi.security.utils import get_authorization_scheme_param
from starlette.requests import Request
from structlog.contextvars import bind_contextvars

from api.http.problems import Problem
from api.http.state import EngineOf, StateOf
from consumers.engine import Engine
from domain.scope import DEFAULT_SCOPE
from projections.queries.api_keys import ApiKeyRecord

KeyScope = Literal["admin", "ingest", "read"]
CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="meterfold"'}
API_KEY_HEADER: Final = "X-API-Key"
_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-real-ip")

_bearer = HTTPBearer(auto_error=False, scheme_name="bearer", description="An API key: `Authorization: Bearer sk-...`")
_header = APIKeyHeader(name=API_KEY_HEADER, auto_error=False, scheme_name="apiKey", description="An API key: `sk-...`")
# Parameters of these types only publish in the native OpenAPI document how a key is sent: the dialect reads it.
BearerSent = Annotated[Any, Security(_bearer)]
HeaderSent = Annotated[Any, Security(_header)]


class ScopeMissing(Problem):
    """A valid key that lacks the scope `needed`. `held`: the scopes that it has."""

    def __init__(self, needed: KeyScope, held: tuple[str, ...]) -> None:
        allowed = needed if needed == "admin" else f"{needed} or admin"
        super().__init__("forbidden", f"the key must have the scope {allowed}")
        self.needed = needed
        self.held = held


def bearer_key(request: Request) -> str | None:
    """The secret in `Authorization: Bearer ...`, None without one: how most dialects read a key."""
    scheme, secret = get_authorization_scheme_param(request.headers.get("authorization"))
    return secret if scheme.lower() == "bearer" and secret else None


def bearer_or_header_key(request: Request) -> str | None:
    """The secret in `Authorization: Bearer ...`, otherwise in `X-API-Key`: how the native API reads a key."""
    return bearer_key(request) or request.headers.get(API_KEY_HEADER)


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


def note_client(request: Request, key: ApiKeyRecord) -> None:
    """Note whose request this is: for its access log line, and for all its log messages. Never the secret."""
    request.state.key_id = key.key_id
    tenant, environment = key.scope.tenant, key.scope.environment
    bind_contextvars(tenant=tenant, environment=environment, client=key.name or key.key_id)


def key_with(needed: KeyScope) -> Callable[..., Awaitable[ApiKeyRecord]]:
    """Make the dependency of a route that needs a key with this scope, or an admin key.

    `ScopeMissing` for any other key; `Problem` 401 without a valid one.
    """

    async def check(request: Request, state: StateOf, bearer: BearerSent, header: HeaderSent) -> ApiKeyRecord:
        key = authenticated(state.engine, state.dialects.of(request.scope["path"]).key_given(request))
        note_client(request, key)
        if needed not in key.scopes and "admin" not in key.scopes:
            raise ScopeMissing(needed, key.scopes)
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


async def metrics_reader(request: Request, engine: EngineOf, bearer: BearerSent, header: HeaderSent) -> None:
    """Check access to /metrics, which counts what all tenants do: from this machine without a key, from elsewhere with
    a read or admin key of the default tenant's prod environment.
    """
    if came_over_loopback(request):
        return
    key = authenticated(engine, bearer_or_header_key(request))
    note_client(request, key)
    if key.scope != DEFAULT_SCOPE or not {"read", "admin"} & set(key.scopes):
        raise Problem(
            "forbidden", f"the key must be a read or admin key of {DEFAULT_SCOPE}: this concerns every tenant"
        )
