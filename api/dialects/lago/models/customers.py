"""Requests and answers of customers."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from api.dialects.lago.error_shapes import MANDATORY
from api.dialects.lago.models.field_types import (
    Country,
    Currency,
    Email,
    Identifier,
    Name,
    Text,
    TimeZone,
    Truth,
    WholeNumber,
    broken,
    one_of,
    text_of,
)
from api.dialects.lago.models.meta import PaginationMeta
from api.dialects.lago.request_reading import Input

#: Entries of metadata that a request may have.
METADATA_MAX: Final = 5
#: Entries of any other list.
LIST_MAX: Final = 100
#: The systems that a customer may be in as well.
INTEGRATION_TYPES: Final = ("netsuite", "anrok", "xero")


def _needed(value: Any) -> str:
    text = text_of(value)
    if not text:
        raise broken(MANDATORY)
    return text


class AddressInput(Input):
    """An address."""

    address_line1: Text = None
    address_line2: Text = None
    city: Text = None
    state: Text = None
    zipcode: Text = None
    country: Country = None


class BillingConfigurationInput(Input):
    """What another system needs to bill a customer. Here it decides on checkout URLs alone."""

    invoice_grace_period: WholeNumber = None
    subscription_invoice_issuing_date_anchor: Annotated[
        str | None, one_of("current_period_end", "next_period_start")
    ] = None
    subscription_invoice_issuing_date_adjustment: Annotated[
        str | None, one_of("align_with_finalization_date", "keep_anchor")
    ] = None
    payment_provider: Annotated[str | None, one_of("stripe", "adyen", "gocardless")] = None
    payment_provider_code: Text = None
    provider_customer_id: Text = None
    sync: Truth = None
    sync_with_provider: Truth = None
    document_locale: Text = None
    provider_payment_methods: list[Text] | None = Field(None, max_length=LIST_MAX)


class IntegrationCustomerInput(Input):
    """A customer in another system. It is kept and shown, and has no effect here."""

    id: Text = None
    integration_type: Annotated[str, one_of(*INTEGRATION_TYPES), BeforeValidator(_needed)]
    integration_code: Text = None
    external_customer_id: Text = None
    sync_with_provider: Truth = None
    subsidiary_id: Text = None
    targeted_object: Text = None
    email: Text = None


class MetadataInput(Input):
    """An entry of the metadata. `id`: the entry that it takes the place of."""

    id: Text = None
    key: Annotated[str, BeforeValidator(_needed)]
    value: Annotated[str, BeforeValidator(_needed)]
    display_in_invoice: Truth = None


class CustomerInput(AddressInput):
    """A customer to be created or changed. An absent member stays as it is, null clears it."""

    external_id: Identifier
    name: Name = None
    firstname: Name = None
    lastname: Name = None
    email: Email = None
    currency: Currency = None
    timezone: TimeZone = None
    account_type: Annotated[str | None, one_of("customer", "partner")] = None
    customer_type: Annotated[str | None, one_of("company", "individual")] = None
    legal_name: Text = None
    legal_number: Text = None
    logo_url: Text = None
    url: Text = None
    phone: Text = None
    tax_identification_number: Text = None
    external_salesforce_id: Text = None
    tax_codes: list[Text] | None = Field(None, max_length=LIST_MAX)
    billing_entity_code: Text = None
    net_payment_term: WholeNumber = None
    finalize_zero_amount_invoice: Annotated[str | None, one_of("inherit", "skip", "finalize", code="invalid_value")] = (
        None
    )
    skip_invoice_custom_sections: Truth = None
    invoice_custom_section_codes: list[Text] | None = Field(None, max_length=LIST_MAX)
    billing_configuration: BillingConfigurationInput | None = None
    shipping_address: AddressInput | None = None
    integration_customers: list[IntegrationCustomerInput] | None = Field(None, max_length=LIST_MAX)
    metadata: list[MetadataInput] | None = None

    @field_validator("metadata", mode="before")
    @classmethod
    def _few(cls, given: Any) -> Any:
        if isinstance(given, list) and len(given) > METADATA_MAX:
            raise broken("invalid_count")
        return given

    @field_validator("integration_customers")
    @classmethod
    def _one_of_each_type(cls, given: list[IntegrationCustomerInput] | None) -> list[IntegrationCustomerInput] | None:
        types = [one.integration_type for one in given or ()]
        if len(set(types)) < len(types):
            raise broken("invalid_count_per_integration_type")
        return given


class CustomerMetadata(BaseModel):
    """An entry of the metadata."""

    lago_id: str
    key: str
    value: str
    display_in_invoice: bool
    created_at: str


class CustomerObject(BaseModel):
    """A customer."""

    model_config = ConfigDict(extra="allow")

    lago_id: str
    sequential_id: int
    slug: str
    external_id: str
    billing_entity_code: str
    name: str | None
    firstname: str | None
    lastname: str | None
    account_type: str
    customer_type: str | None
    email: str | None
    currency: str | None
    timezone: str | None
    applicable_timezone: str
    address_line1: str | None
    address_line2: str | None
    city: str | None
    state: str | None
    zipcode: str | None
    country: str | None
    legal_name: str | None
    legal_number: str | None
    logo_url: str | None
    url: str | None
    phone: str | None
    tax_identification_number: str | None
    external_salesforce_id: str | None
    net_payment_term: int | None
    finalize_zero_amount_invoice: str
    skip_invoice_custom_sections: bool
    billing_configuration: dict[str, Any] = Field(description="What was set of it.")
    shipping_address: dict[str, Any] = Field(description="What was set of it.")
    integration_customers: list[dict[str, Any]]
    metadata: list[CustomerMetadata]
    taxes: list[Any] = Field(description="Always empty: nothing is taxed.")
    applicable_invoice_custom_sections: list[Any]
    error_details: list[Any]
    created_at: str
    updated_at: str


class CustomerAnswer(BaseModel):
    """The answer about one customer."""

    customer: CustomerObject


class CustomersAnswer(BaseModel):
    """A page of customers."""

    customers: list[CustomerObject]
    meta: PaginationMeta
