"""Request bodies and queries of PromptShuttle's clients. Unknown members are ignored, as ASP.NET ignores them."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from api.http.paging import CURSOR_LENGTH_MAX
from domain.values.time_spans import TEXT_LENGTH_MAX
from projections.queries.snapshot import PAGE_ROWS_MAX

PERIOD_DEFAULT: Final = "30.00:00:00"


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


class ShuttleQuery(BaseModel):
    """Base of queries: values are converted from text."""

    model_config = ConfigDict(extra="ignore", alias_generator=to_camel)


class UsageQuery(ShuttleQuery):
    """Query parameters of usage."""

    period: Annotated[str, Field(max_length=TEXT_LENGTH_MAX)] = Field(
        PERIOD_DEFAULT,
        description="A time span of .NET, which ends now: `7` is seven days, `23:00:00` 23 hours, `24:00:00` 24 days.",
        examples=[PERIOD_DEFAULT, "7"],
    )


PAGE_SIZE_DEFAULT: Final = 50
#: Values of one filter, at most.
VALUES_MAX: Final = 100
Values = Annotated[list[str], Field(max_length=VALUES_MAX)]
_ANY: Final = "May be repeated, as `{0}` or `{0}[]`: one of them is enough."


class LlmLogsQuery(ShuttleQuery):
    """Query parameters of the invocation log. Empty text counts as absent."""

    cursor: Annotated[str, Field(max_length=CURSOR_LENGTH_MAX)] = Field("", description="`nextCursor` of a page.")
    page_size: int = Field(PAGE_SIZE_DEFAULT, ge=1, le=PAGE_ROWS_MAX, description="Entries of a page, at most.")
    from_: str = Field("", alias="from", description="ISO 8601; without an offset in UTC. Inclusive.")
    to: str = Field("", description="In the same format. Exclusive.")
    environments: Values = Field([], description="The event's own `environment`. " + _ANY.format("environments"))
    flows: Values = Field([], description="The event's own `flow` or `flowId`. " + _ANY.format("flows"))
    statuses: Values = Field([], description="Pending, Succeeded or Failed. " + _ANY.format("statuses"))
    tags: Values = Field([], description=_ANY.format("tags"))
    customer_id: str = Field("", description="The `externalId` of the customer.")
    root_only: bool = Field(False, description="Only requests without a parent.")
    parent_request_id: str = Field("", description="Only the children of this request.")
