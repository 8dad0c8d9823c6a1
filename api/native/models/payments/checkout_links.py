"""Request body and response of checkout links."""

from __future__ import annotations

from pydantic import BaseModel, Field

from api.native.models.field_types import Instant, RequestBody
from consumers.settings import HTTP_URL


class CheckoutLinkGiven(RequestBody):
    """The body of POST /v1/customers/{customer_id}/checkout-links; it may be left out."""

    success_url: str | None = Field(
        None,
        pattern=HTTP_URL,
        max_length=2_000,
        description="Where the page leads when the customer is done. Default: METERFOLD_CHECKOUT_SUCCESS_URL.",
        examples=["https://app.example.com/billing"],
    )


class CheckoutLinkView(BaseModel):
    """A link to a page of the payment provider."""

    customer: str
    payment_provider: str = Field(examples=["stripe"])
    url: str = Field(description="Send the customer there. Whoever has it can use it.")
    expires_at: Instant | None = Field(description="Until when it can be used; null when the provider does not say.")
