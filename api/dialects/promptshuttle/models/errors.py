"""The shape of errors, as `error_shapes.py` writes it, for the OpenAPI document."""

from __future__ import annotations

from pydantic import BaseModel, Field


class ProblemDetails(BaseModel):
    """An error, in the shape of ASP.NET's ProblemDetails (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: dict[str, list[str]] = Field({}, description="By the name of each invalid value, what is wrong with it.")
    code: str | None = Field(None, description="For refused access: why.")
