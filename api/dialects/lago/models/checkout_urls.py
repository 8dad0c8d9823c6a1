"""Answers of checkout URLs."""

from __future__ import annotations

from pydantic import BaseModel, Field


class CustomerCheckoutUrl(BaseModel):
    """The URL of a page on which a customer leaves its payment details."""

    lago_customer_id: str
    external_customer_id: str
    payment_provider: str
    payment_provider_code: str | None = Field(None, description="Left out where the customer has none.")
    checkout_url: str


class CheckoutUrlAnswer(CustomerCheckoutUrl):
    """The answer: wrapped, and with the same members at the top, where older clients look for them."""

    customer: CustomerCheckoutUrl
