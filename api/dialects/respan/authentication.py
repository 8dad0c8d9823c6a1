"""Whose data a request is about: the tenant of its key, in the environment that it names or else the key's default."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

import msgspec
from fastapi import Depends
from starlette.requests import Request
from structlog.contextvars import bind_contextvars

from api.dialects.respan.error_shapes import not_found_refusal
from api.dialects.respan.rate_limit import check_rate
from api.http.authentication import KeyScope, key_with
from api.http.problems import Problem
from api.http.state import StateOf
from domain.event import Provenance
from domain.scope import ENVIRONMENTS, Scope
from projections.queries.api_keys import ApiKeyRecord

DIALECT: Final = "respan"
ENVIRONMENT: Final = "environment"


class Client(msgspec.Struct, frozen=True):
    """Who asks: an API key, and the scope that the request is about."""

    key: ApiKeyRecord
    scope: Scope

    @property
    def provenance(self) -> Provenance:
        """The provenance of a change by this key through this dialect."""
        return Provenance(self.key.key_id, DIALECT)


def client_with(needed: KeyScope, *, limited: bool = True) -> Callable[..., Awaitable[Client]]:
    """Make the dependency of a route that needs a key with this scope, or an admin key.

    `limited`: whether requests are limited in number, as those to /users are. An environment that the key does not have
    is refused as an unknown customer is: 404.
    """

    # As a default, not as an annotation, because an annotation cannot name what only this call knows.
    with_scope: Any = Depends(key_with(needed))

    async def check(request: Request, state: StateOf, key: ApiKeyRecord = with_scope) -> Client:
        if limited:
            check_rate(state, key.scope)
        scope = _scope_asked(key, request.query_params.get(ENVIRONMENT))
        bind_contextvars(environment=scope.environment)
        return Client(key, scope)

    return check


def _scope_asked(key: ApiKeyRecord, environment: str | None) -> Scope:
    if environment is None:
        return key.scope
    if environment not in ENVIRONMENTS:
        raise Problem.invalid(ENVIRONMENT, "must be 'prod' or 'test'")
    if environment not in key.environments:
        raise not_found_refusal()
    return Scope(key.scope.tenant, environment)


Reader = Annotated[Client, Depends(client_with("read"))]
#: Of a route that is not below /users, and not limited in number.
Ingester = Annotated[Client, Depends(client_with("ingest", limited=False))]
Administrator = Annotated[Client, Depends(client_with("admin"))]

#: The parameter in an OpenAPI document.
ENVIRONMENT_PARAMETER: Final[dict[str, Any]] = {
    "name": ENVIRONMENT,
    "in": "query",
    "required": False,
    "description": "The environment that is asked about. Default: that of the key.",
    "schema": {"type": "string", "enum": list(ENVIRONMENTS)},
}
