"""Models of responses for the dialect's OpenAPI document.

Routes make responses as plain objects; tests check those against these models.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class Answer(BaseModel):
    """Base of responses."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", strict=True)


class CustomerResponse(Answer):
    """A customer."""

    id: str = Field(description="The internal id: 24 hex digits.")
    external_id: str = Field(description="The id that producers use.")
    name: str | None
    email: str | None
    metadata: dict[str, Any]
    is_active: bool
    created_at: str
    updated_at: str
