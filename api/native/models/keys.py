"""API keys: the secret is shown once."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from api.native.models.field_types import Given, Instant, PageQuery, PositionOnly


class KeyGiven(Given):
    model_config = ConfigDict(json_schema_extra={"example": {"scopes": ["ingest"], "name": "gateway"}})

    scopes: list[str] = Field(description="Of admin, ingest, read.")
    name: str | None = None
    tenant: str | None = Field(
        None, description="Default: the asking key's. Another one needs an admin key of default/prod."
    )
    environment: str | None = Field(None, description="prod or test. Default: the asking key's.")


class KeyQuery(PageQuery):
    revoked: bool = Field(False, description="Show revoked keys too.")


class KeyView(BaseModel):
    id: str
    prefix: str = Field(description="The first characters, to recognize it by.")
    name: str | None
    tenant: str
    environment: str
    scopes: list[str]
    created_at: Instant | None
    last_used_at: Instant | None = Field(description="To the minute; null: never.")
    revoked_at: Instant | None


class IssuedKeyView(BaseModel):
    id: str
    secret: str = Field(description="The key itself. Shown this once.", examples=["sk-..."])
    prefix: str
    name: str | None
    tenant: str
    environment: str
    scopes: list[str]
    position: int | None = Field(description="Log position of it; the key opens once that is folded.")


class KeyPage(PositionOnly):
    data: list[KeyView]
    next_cursor: str | None
