"""Bodies of request logs, and their answer. Unknown members are ignored."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from api.dialects.respan.models.field_types import Identifier
from api.dialects.respan.models.requests import CustomerFields
from api.http.logs.log_numbers import whole_number
from api.http.receipts import ReceiptView

_Count = Annotated[Any, BeforeValidator(whole_number), WithJsonSchema({"type": "integer", "minimum": 0})]


def _none_for_empty(value: Any) -> Any:
    return None if value == "" else value


class CustomerParams(CustomerFields):
    """`customer_params`: the customer of a log, and facts about it from the time of the log on."""

    name: Annotated[str | None, BeforeValidator(_none_for_empty)] = Field(None, description="Customer display name.")
    email: Annotated[str | None, BeforeValidator(_none_for_empty)] = Field(None, description="Customer email address.")
    group_identifier: Annotated[Identifier | None, BeforeValidator(_none_for_empty)] = Field(
        None, description="The group that the customer belongs to."
    )
    rate_limit: _Count | None = Field(None, description="Requests per minute. Told by access; the caller enforces it.")


class RequestLog(BaseModel):
    """One logged request, for the document of this dialect: a log is read without it, item by item."""

    model_config = ConfigDict(extra="allow")

    model: str | None = None
    customer_identifier: Identifier | None = Field(None, description="The customer of the request.")
    customer_params: CustomerParams | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    usage: dict[str, Any] | None = None
    cost: float | None = Field(None, description="US dollars. Default: by the prices of the model.")
    timestamp: str | None = Field(None, description="When the request completed, ISO 8601. Default: now.")
    unique_id: str | None = Field(None, description="A log that is sent again under its id counts once.")


class LogsAnswer(ReceiptView):
    """The answer once the logs are counted."""

    message: str
    unique_id: str | None = Field(None, description="The id of the log, when one was sent.")
