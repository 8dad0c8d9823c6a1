"""Request bodies and responses of API keys. The secret of a key is shown once, when it is issued."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from api.native.models.field_types import Instant, PageQuery, PositionedView, RequestBody


class KeyGiven(RequestBody):
    """The body of POST /v1/keys."""

    model_config = ConfigDict(json_schema_extra={"example": {"scopes": ["ingest"], "name": "gateway"}})

    scopes: list[str] = Field(description="Any of admin, ingest, read.")
    name: str | None = None
    tenant: str | None = Field(
        None, description="Default: the tenant of the key used. Another tenant needs an admin key of default/prod."
    )
    environment: str | None = Field(None, description="prod or test. Default: the environment of the key used.")


class KeyQuery(PageQuery):
    """Query parameters of GET /v1/keys."""

    revoked: bool = Field(False, description="Include revoked keys.")


class KeyView(BaseModel):
    """An API key without its secret."""

    id: str
    prefix: str = Field(description="The first characters of the secret, to recognize the key by.")
    name: str | None
    tenant: str
    environment: str
    scopes: list[str]
    created_at: Instant | None
    last_used_at: Instant | None = Field(description="To the minute; null when it was never used.")
    revoked_at: Instant | None


class IssuedKeyView(BaseModel):
    """A new API key with its secret."""

    id: str
    secret: str = Field(description="The key itself. It is shown only in this response.", examples=["sk-..."])
    prefix: str
    name: str | None
    tenant: str
    environment: str
    scopes: list[str]
    position: int | None = Field(
        description="Log position of the new key; the key is accepted once this position is folded."
    )


class KeyPage(PositionedView):
    """One page of API keys."""

    data: list[KeyView]
    next_cursor: str | None
