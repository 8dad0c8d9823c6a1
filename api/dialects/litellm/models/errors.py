"""The shapes of errors, as `error_shapes.py` writes them, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


class ErrorMembers(BaseModel):
    """What went wrong."""

    message: str
    type: str
    param: str | None
    code: str = Field(description="The HTTP status, as text.")


class ErrorBody(BaseModel):
    """Errors of keys, and most errors below /customer."""

    error: ErrorMembers


class ErrorDetail(BaseModel):
    """What went wrong."""

    error: Any


class DetailBody(BaseModel):
    """Errors below /budget, of blocking and of daily activity."""

    detail: ErrorDetail


class BrokenRule(BaseModel):
    """A value that breaks a rule."""

    type: str
    loc: list[str | int]
    msg: str


class ValidationBody(BaseModel):
    """Values that break rules."""

    detail: list[BrokenRule]


class TextBody(BaseModel):
    """A path or a method that does not exist."""

    detail: str
