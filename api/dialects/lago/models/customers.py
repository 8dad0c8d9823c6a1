"""Requests and answers of customers."""

from __future__ import annotations

from pydantic import BaseModel


class CustomerObject(BaseModel):
    """A customer."""

    lago_id: str
    external_id: str
    name: str | None
    email: str | None
    currency: str | None
    timezone: str | None
    applicable_timezone: str
    created_at: str
    updated_at: str


class CustomerAnswer(BaseModel):
    """The answer about one customer."""

    customer: CustomerObject
