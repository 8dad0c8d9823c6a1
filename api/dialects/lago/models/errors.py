"""The shapes of errors, as `error_shapes.py` writes them, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


class ApiErrorPlain(BaseModel):
    """An error without a code: status 400 and 401."""

    status: int
    error: str


class ApiError(BaseModel):
    """An error with a code."""

    status: int
    error: str
    code: str
    detail: str | None = Field(None, description="What the engine says of it; not for each status.")


class ApiErrorUnprocessableEntity(BaseModel):
    """Values that break rules."""

    status: int
    error: str
    code: str
    error_details: dict[str, Any] = Field(description="By the name of each invalid field, the codes of its errors.")
