"""API keys as LiteLLM's clients send them: in one of six headers. Only `Authorization` requires `Bearer `."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request

from api.dialects.litellm.error_shapes import authentication_refusal, error_refusal
from domain.api_keys.api_key import KEY_PREFIX

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


def key_given(request: Request) -> str:
    """Return the secret in the first header that is present; `Refusal` 401 without one, or when it is no key at all."""
    secret = _sent(request)
    if not secret.startswith(KEY_PREFIX):
        message = f"LiteLLM Virtual Key expected. Received=****, expected to start with '{KEY_PREFIX}'."
        raise error_refusal(401, "auth_error", message)
    return secret


def _sent(request: Request) -> str:
    for name in KEY_HEADERS:
        value = request.headers.get(name, "").strip()
        if not value:
            continue
        if value.lower().startswith(_BEARER):
            return value[len(_BEARER) :].strip()
        if name == AUTHORIZATION:
            raise authentication_refusal("Malformed API Key passed in. Ensure Key has `Bearer ` prefix.")
        return value
    raise authentication_refusal("No api key passed in.")
