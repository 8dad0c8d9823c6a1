"""The answer with a link to the customer portal."""

from __future__ import annotations

from pydantic import BaseModel, Field


class CustomerPortal(BaseModel):
    """A link to the portal of a customer."""

    portal_url: str = Field(description="Opens the portal for twelve hours, for whoever has it.")


class CustomerPortalAnswer(BaseModel):
    """The answer about the portal of one customer."""

    customer: CustomerPortal
