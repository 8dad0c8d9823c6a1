"""The request and the answer of a link to the portal of a customer."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from api.native.models.field_types import Instant, PositionedView, RequestBody
from domain.portal.link import VALID_SECONDS_DEFAULT, VALID_SECONDS_MAX, VALID_SECONDS_MIN


class PortalLinkGiven(RequestBody):
    """The body of POST /v1/customers/{customer_id}/portal-links."""

    model_config = ConfigDict(json_schema_extra={"example": {"valid_seconds": 3600}})

    valid_seconds: int = Field(
        VALID_SECONDS_DEFAULT,
        ge=VALID_SECONDS_MIN,
        le=VALID_SECONDS_MAX,
        description="How long the link opens the portal: a minute to seven days, twelve hours by default.",
    )


class PortalLinkView(PositionedView):
    """A link to the portal of a customer. Whoever has it can open the portal until it expires or is revoked."""

    customer: str
    url: str = Field(
        description="Below METERFOLD_PUBLIC_URL, else below the address that the request was sent to.",
        examples=["https://meter.example.com/portal/..."],
    )
    expires_at: Instant
