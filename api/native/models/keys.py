"""Request bodies and responses of API keys. The secret of a key is shown once, when it is issued."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.native.models.field_types import Instant, PageQuery, PositionedView, RequestBody
from domain.scope import ENVIRONMENTS


class KeyGiven(RequestBody):
    """The body of POST /v1/keys."""

    model_config = ConfigDict(json_schema_extra={"example": {"scopes": ["ingest"], "name": "gateway"}})

    scopes: list[str] = Field(description="Any of admin, ingest, read.")
    name: str | None = None
    tenant: str | None = Field(
        None, description="Default: the tenant of the key used. Another tenant needs an admin key of default/prod."
    )
    environment: str | None = Field(None, description="prod or test. Default: the environment of the key used.")
    environments: list[str] | None = Field(
        None,
        max_length=len(ENVIRONMENTS),
        description="prod and test, for a key of both: the first is its default. In place of `environment`.",
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.environment is not None and self.environments is not None:
            raise ValueError("environment must not be given beside environments")
        return self


class KeyQuery(PageQuery):
    """Query parameters of GET /v1/keys."""

    revoked: bool = Field(False, description="Include revoked keys.")


class KeyView(BaseModel):
    """An API key without its secret."""

    id: str
    prefix: str = Field(description="The first characters of the secret, to recognize the key by.")
    name: str | None
    tenant: str
    environment: str = Field(description="The environment in which it is valid by default.")
    environments: list[str] = Field(description="Every environment in which it is valid, the default first.")
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
    environment: str = Field(description="The environment in which it is valid by default.")
    environments: list[str] = Field(description="Every environment in which it is valid, the default first.")
    scopes: list[str]
    position: int | None = Field(
        description="Log position of the new key; the key is accepted once this position is folded."
    )


class KeyPage(PositionedView):
    """One page of API keys."""

    data: list[KeyView]
    next_cursor: str | None
