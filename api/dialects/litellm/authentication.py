"""API keys as LiteLLM's clients send them: in one of six headers. Only `Authorization` requires `Bearer `."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Final

from fastapi import Depends
from starlette.requests import Request

from api.dialects.litellm.error_shapes import Refusal, error_refusal
from api.http.authentication import KeyScope
from api.http.state import EngineOf
from domain.api_keys.api_key import KEY_PREFIX
from projections.queries.api_keys import ApiKeyRecord

AUTHORIZATION: Final = "authorization"
#: The headers, in the order in which they are read.
KEY_HEADERS: Final = (
    "x-litellm-api-key",
    AUTHORIZATION,
    "api-key",
    "x-api-key",
    "x-goog-api-key",
    "ocp-apim-subscription-key",
)
_BEARER: Final = "bearer "
_FAILED: Final = "Authentication Error, "


def key_given(request: Request) -> str:
    """Return the secret in the first header that is present; `Refusal` 401 without one."""
    for name in KEY_HEADERS:
        value = request.headers.get(name, "").strip()
        if not value:
            continue
        if value.lower().startswith(_BEARER):
            return value[len(_BEARER) :].strip()
        if name == AUTHORIZATION:
            raise _unauthenticated(f"{_FAILED}Malformed API Key passed in. Ensure Key has `Bearer ` prefix.")
        return value
    raise _unauthenticated(f"{_FAILED}No api key passed in.")


def key_with(needed: KeyScope) -> Callable[..., Awaitable[ApiKeyRecord]]:
    """Make the dependency of a route that needs a key with this scope, or an admin key.

    The secret never becomes part of the answer.
    """

    async def check(request: Request, engine: EngineOf) -> ApiKeyRecord:
        secret = key_given(request)
        if not secret.startswith(KEY_PREFIX):
            raise _unauthenticated(
                f"LiteLLM Virtual Key expected. Received=****, expected to start with '{KEY_PREFIX}'."
            )
        key = engine.authenticate(secret)
        if key is None:
            raise error_refusal(401, "token_not_found_in_db", f"{_FAILED}Invalid API key provided.", "key")
        request.state.key_id = key.key_id
        if needed not in key.scopes and "admin" not in key.scopes:
            raise _unauthenticated(_forbidden(request, key))
        return key

    return check


def _forbidden(request: Request, key: ApiKeyRecord) -> str:
    return (
        f"{_FAILED}Only proxy admin can be used to generate, delete, update info for new users/keys/teams. "
        f"Route={request.scope['path']}. Your role={','.join(key.scopes)}"
    )


def _unauthenticated(message: str) -> Refusal:
    return error_refusal(401, "auth_error", message)


Administrator = Annotated[ApiKeyRecord, Depends(key_with("admin"))]
Reader = Annotated[ApiKeyRecord, Depends(key_with("read"))]
Ingester = Annotated[ApiKeyRecord, Depends(key_with("ingest"))]
