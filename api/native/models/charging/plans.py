"""Request bodies and responses of plans."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from api.native.models.field_types import DecimalText, Instant, InstantGiven, NumberGiven, ReadingView, RequestBody

#: A charge model in a request: an object with `model` and the members of that model. The domain checks it.
PriceGiven = Annotated[
    Any, WithJsonSchema({"type": "object", "examples": [{"model": "standard", "amount": "0.00002"}]})
]


_MODELS: Final = (
    "The charge model: `model` and its members. `standard`: amount. `graduated`, `volume`: ranges, each of from_value, "
    "to_value (null in the last one), per_unit_amount and flat_amount. `package`: amount, package_size, free_units. "
    "`percentage`: rate, fixed_amount, free_units_per_events, free_units_per_total_aggregation, "
    "per_transaction_min_amount, per_transaction_max_amount. `graduated_percentage`: ranges, each of from_value, "
    "to_value, rate and flat_amount."
)


class ChargeFilterGiven(RequestBody):
    """Events with a price of their own. Each event is in one filter: of those with the most keys the first."""

    values: dict[str, list[str]] = Field(
        description="Texts by dotted path into `data`, all of which events must have; no texts: any text."
    )
    price: PriceGiven = Field(description="A charge model, as that of the charge.")
    name: str | None = None


class ChargeGiven(RequestBody):
    """What a plan charges for one meter."""

    code: str = Field(description="Names the charge in the plan.")
    meter: str = Field(description="Code of a meter, built in or the tenant's own.")
    price: PriceGiven = Field(description=_MODELS)
    name: str | None = None
    group_by: list[str] | None = Field(
        None, description="Dotted paths into `data`: each combination of their values is priced by itself."
    )
    minimum_amount: NumberGiven = Field(None, description="The least that the charge costs in a whole period.")
    filters: list[ChargeFilterGiven] | None = Field(
        None, description="Events with another price. One that matches none has the price of the charge."
    )


class PlanPatch(RequestBody):
    """The body of PATCH /v1/plans/{code}, a merge patch; charges are replaced as a whole."""

    name: str | None = None
    description: str | None = None
    charges: list[ChargeGiven] | None = None
    amount: NumberGiven = Field(None, description="The fee of a whole interval. It is not usage: no charge has it.")
    effective_at: InstantGiven = None


class PlanGiven(PlanPatch):
    """The body of POST /v1/plans."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "code": "startup",
                "interval": "monthly",
                "currency": "USD",
                "charges": [
                    {"code": "tokens", "meter": "total_tokens", "price": {"model": "standard", "amount": "0.00002"}}
                ],
            }
        }
    )

    code: str
    interval: str = Field(description="weekly, monthly, quarterly, semiannual or yearly")
    currency: str = Field(description="ISO 4217, such as USD.")


class ChargeFilterView(BaseModel):
    """Events with a price of their own."""

    values: dict[str, list[str]] = Field(description="Texts by dotted path into `data`; no texts: any text.")
    price: dict[str, Any] = Field(description="The charge model: `model` and its members.")
    name: str | None


class ChargeView(BaseModel):
    """What a plan charges for one meter."""

    code: str
    meter: str
    price: dict[str, Any] = Field(description="The charge model: `model` and its members.")
    name: str | None
    group_by: list[str]
    minimum_amount: DecimalText | None
    filters: list[ChargeFilterView]


class PlanView(ReadingView):
    """A plan."""

    code: str
    name: str | None
    description: str | None
    interval: str
    currency: str
    amount: DecimalText | None = Field(description="The fee of a whole interval, which is not usage.")
    charges: list[ChargeView]
    created_at: Instant
    updated_at: Instant


class PlanPage(ReadingView):
    """One page of plans."""

    data: list[PlanView]
    next_cursor: str | None
