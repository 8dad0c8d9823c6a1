"""Request bodies and queries of PromptShuttle's clients. Unknown members are ignored, as ASP.NET ignores them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class CustomerMembers(BaseModel):
    """The members of a customer that can be changed. One that is null counts as absent."""

    model_config = ConfigDict(extra="ignore", strict=True, alias_generator=to_camel)

    name: str | None = Field(None, description="Empty text clears it.")
    email: str | None = Field(None, description="Empty text clears it.")
    metadata: dict[str, Any] | None = Field(None, description="Replaces the metadata as a whole.")
    is_active: bool | None = Field(None, description="`false` leaves the customer out of usage reports.")


class CustomerCreation(CustomerMembers):
    """The body of POST /customers."""

    external_id: str = Field(description="The id that producers use; unique within the tenant.")


class CustomerUpdate(CustomerMembers):
    """The body of PUT /customers/{id}."""

    external_id: str | None = Field(None, description="Cannot change; must be the present one if it is given.")
