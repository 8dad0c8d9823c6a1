"""The pydantic model of a usage event, from which the published JSON Schema is made.

It accepts and refuses exactly what the decoder does, because it is made of the same rules. It is four times slower, so
it serves for documentation and tests, and the decoder reads events. Use `parse_usage_event` to read one: numbers must
reach the model in their written form, not as floats.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    Tag,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from domain.errors import InvalidInput
from domain.usage.block_schema import REQUEST_TYPE
from domain.usage.decoding.single_event import EVENT_BYTES_MAX, read_event
from domain.usage.quantity_rules import (
    REQUESTS_MAX,
    UNIT_LENGTH_MAX,
    RequestQuantities,
    request_quantities,
    requests_of,
)
from domain.usage.rules import (
    COST_MAGNITUDE_MAX,
    DURATION_MAGNITUDE_MAX,
    FUTURE_TOLERANCE,
    SPECVERSION,
    STATUS_DEFAULT,
    STATUSES,
    TAG_LENGTH_MAX,
    TAGS_MAX,
    TOKENS_MAX,
    check_customer_of_subscription,
    checked_specversion,
    cost_of,
    customer_of,
    duration_microseconds,
    instant_microseconds,
    name_of,
    optional_id,
    required_id,
    status_of,
    tags_of,
    time_in_range,
    token_count,
)
from domain.values.identifiers import ID_LENGTH_MAX, MODEL_LENGTH_MAX
from domain.values.instants import EPOCH, epoch_microseconds

JsonSchema = dict[str, Any]

_NULL: Final[JsonSchema] = {"type": "null"}
_ID: Final[JsonSchema] = {
    "type": "string",
    "minLength": 1,
    "maxLength": ID_LENGTH_MAX,
    "pattern": r"^[^\u0000]*$",
    "not": {"enum": [".", ".."]},
}
_NAME: Final[JsonSchema] = {
    "type": "string",
    "minLength": 1,
    "maxLength": MODEL_LENGTH_MAX,
    "pattern": r"^[^\u0000]*$",
}
_TOKENS: Final[JsonSchema] = {"type": "integer", "minimum": 0, "maximum": TOKENS_MAX}
_COST: Final[JsonSchema] = {
    "anyOf": [
        {"type": "string", "pattern": r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$"},
        {"type": "number", "minimum": 0, "exclusiveMaximum": 10**COST_MAGNITUDE_MAX},
    ]
}
_MILLISECONDS: Final[JsonSchema] = {
    "type": "number",
    "minimum": 0,
    "exclusiveMaximum": 10**DURATION_MAGNITUDE_MAX,
}
_TAGS: Final[JsonSchema] = {
    "type": "array",
    "maxItems": TAGS_MAX,
    "items": {"type": "string", "maxLength": TAG_LENGTH_MAX, "pattern": r"^[^\u0000]*$"},
}


class Arrival(BaseModel):
    """What intake knows about an arriving event; the context of validation."""

    model_config = ConfigDict(frozen=True)

    recorded_at: datetime
    customer_header: str | None = None
    future_tolerance: timedelta = FUTURE_TOLERANCE


def _rule(rule: Callable[[Any], object]) -> PlainValidator:
    """A function of `domain.usage.rules` as a validator, whose error context holds the reason code."""

    def validate(value: Any) -> object:
        try:
            return rule(value)
        except InvalidInput as problem:
            raise _custom(problem) from problem

    return PlainValidator(validate)


def _custom(problem: InvalidInput) -> PydanticCustomError:
    return PydanticCustomError("reason", "{rule}", {"reason": problem.code, "rule": problem.rule})


def _or_null(schema: JsonSchema) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [schema, _NULL]})


def _arrival(info: ValidationInfo) -> Arrival:
    if not isinstance(info.context, Arrival):
        raise TypeError("usage events are validated with an Arrival as context")
    return info.context


def _instant(value: object, info: ValidationInfo) -> datetime | None:
    if value is None:
        return None
    arrival = _arrival(info)
    try:
        until = epoch_microseconds(arrival.recorded_at + arrival.future_tolerance)
        return EPOCH + timedelta(microseconds=time_in_range(instant_microseconds(value), until))
    except InvalidInput as problem:
        raise _custom(problem) from problem


def _no_base64(value: object) -> None:
    if value is not None:
        raise InvalidInput("data_base64", "must not be sent: send the JSON object as data", "data_invalid")


def _id_of(member: str) -> Callable[[object], str | None]:
    return lambda value: optional_id(f"data.{member}", value, "data_invalid")


def _tokens(member: str) -> Callable[[object], int | None]:
    return lambda value: None if value is None else token_count(member, value)


def _lenient(rule: Callable[[Any], Any]) -> PlainValidator:
    """The value that `rule` returns, or None if it refuses the value."""

    def read(value: Any) -> Any:
        try:
            return rule(value)
        except InvalidInput:
            return None

    return PlainValidator(read)


_ANYTHING: Final = WithJsonSchema({})
_REQUESTS: Final[JsonSchema] = {"type": "integer", "minimum": 1, "maximum": REQUESTS_MAX}
_UNITS: Final = WithJsonSchema({"propertyNames": {"minLength": 1, "maxLength": UNIT_LENGTH_MAX}})
_Reference = _or_null(_ID)
_Count = _or_null(_TOKENS)
_Duration = _or_null(_MILLISECONDS)


class UsageData(BaseModel):
    """A JSON object. Members of types other than `llm.request` are the producer's own and are kept unchanged."""

    model_config = ConfigDict(extra="allow", frozen=True)


class OtherData(UsageData):
    """`data` of another type. Members that an `llm.request` has too are read if they are valid, and never refused."""

    provider: Annotated[str | None, _lenient(partial(name_of, "provider")), _ANYTHING] = None
    model: Annotated[str | None, _lenient(partial(name_of, "model")), _ANYTHING] = None
    cost_usd: Annotated[Decimal | None, _lenient(cost_of), _ANYTHING] = None
    subscription: Annotated[str | None, _lenient(_id_of("subscription")), _ANYTHING] = None
    parent_request: Annotated[str | None, _lenient(_id_of("parent_request")), _ANYTHING] = None
    hold_id: Annotated[str | None, _lenient(_id_of("hold_id")), _ANYTHING] = None
    tags: Annotated[list[str] | None, _lenient(tags_of), _ANYTHING] = None


class RequestData(UsageData):
    """`data` of an `llm.request`: one call of a language model. Members not named here are kept."""

    provider: Annotated[str | None, _rule(partial(name_of, "provider")), _or_null(_NAME)] = Field(
        None, description="The provider that ran the model, such as openai."
    )
    model: Annotated[str | None, _rule(partial(name_of, "model")), _or_null(_NAME)] = Field(
        None, description="The provider's name for the model."
    )
    cost_usd: Annotated[Decimal | None, _rule(cost_of), _or_null(_COST)] = Field(
        None,
        description="Cost in US dollars, as decimal text or a number; kept to 12 decimals. Overrides every price.",
    )
    subscription: Annotated[str | None, _rule(_id_of("subscription")), _Reference] = None
    parent_request: Annotated[str | None, _rule(_id_of("parent_request")), _Reference] = None
    hold_id: Annotated[str | None, _rule(_id_of("hold_id")), _Reference] = None
    tags: Annotated[list[str] | None, _rule(tags_of), _or_null(_TAGS)] = None

    input_tokens: Annotated[int | None, _rule(_tokens("input_tokens")), _Count] = Field(
        None, description="Tokens of the prompt, including cached ones."
    )
    cached_input_tokens: Annotated[int | None, _rule(_tokens("cached_input_tokens")), _Count] = Field(
        None, description="Number of input tokens that were read from a cache."
    )
    cache_write_tokens: Annotated[int | None, _rule(_tokens("cache_write_tokens")), _Count] = Field(
        None, description="Number of input tokens that were written to a cache."
    )
    output_tokens: Annotated[int | None, _rule(_tokens("output_tokens")), _Count] = Field(
        None, description="Tokens of the answer, including reasoning."
    )
    reasoning_tokens: Annotated[int | None, _rule(_tokens("reasoning_tokens")), _Count] = Field(
        None, description="Number of output tokens that were reasoning."
    )
    status: Annotated[str, _rule(status_of), _or_null({"enum": list(STATUSES)})] = Field(
        STATUS_DEFAULT, description="Status of the request. Failed requests are counted too."
    )
    latency_ms: Annotated[int | None, _rule(partial(duration_microseconds, "latency_ms")), _Duration] = Field(
        None, description="Milliseconds until the answer was complete; stored as whole microseconds."
    )
    ttft_ms: Annotated[int | None, _rule(partial(duration_microseconds, "ttft_ms")), _Duration] = Field(
        None, description="Milliseconds until the first token; stored as whole microseconds."
    )

    requests: Annotated[int, _rule(requests_of), _or_null(_REQUESTS)] = Field(
        1, description="Number of requests that the event stands for."
    )
    units: Annotated[Any, _UNITS] = Field(
        None, description="Quantities of other units by unit, such as web_searches; or members of their own."
    )
    service_tier: Annotated[Any, _ANYTHING] = Field(
        None, description="The tier of service that chooses the price, such as flex, batch or priority."
    )

    @model_validator(mode="after")
    def _quantities_fit(self) -> Self:
        try:
            self.quantities()
        except InvalidInput as problem:
            raise _custom(problem) from problem
        return self

    def quantities(self) -> RequestQuantities:
        """What the request used, by all members that say something about it."""
        told = {name: getattr(self, name) for name in self.model_fields_set}
        return request_quantities(told | (self.model_extra or {}))


class _CloudEvent(BaseModel):
    """The attributes of CloudEvents 1.0; extension attributes are kept."""

    model_config = ConfigDict(extra="allow", frozen=True)

    specversion: Annotated[str, _rule(checked_specversion), WithJsonSchema({"const": SPECVERSION})]
    id: Annotated[str, _rule(partial(required_id, "id")), WithJsonSchema(_ID)] = Field(
        description="Id of the event, unique within its source for ever."
    )
    source: Annotated[str, _rule(partial(required_id, "source")), WithJsonSchema(_ID)] = Field(
        description="The gateway or service that reports the event and made its id."
    )
    subject: Annotated[
        str | None, _rule(lambda value: optional_id("subject", value, "subject_invalid")), _Reference
    ] = Field(
        None,
        description="The customer. Without it the customer header, data.customerId or data.user is used."
        " Must be absent where source is lago/ and the id in data.subscription: it is that of the subscription.",
    )
    time: Annotated[datetime | None, PlainValidator(_instant), _or_null({"type": "string", "format": "date-time"})] = (
        Field(None, description="Time of the usage (RFC 3339), 1980-01-01 or later; by default the time of arrival.")
    )
    datacontenttype: Any = Field(None, description="application/json, if given.")
    dataschema: Any = None
    data_base64: Annotated[None, _rule(_no_base64), WithJsonSchema(_NULL)] = Field(
        None, description="Must not be sent: send the JSON object as data."
    )

    def _check_customer(self, data: RequestData | OtherData | None, info: ValidationInfo) -> None:
        try:
            self._customer_of(data, _arrival(info))
        except InvalidInput as problem:
            raise _custom(problem) from problem

    def customer(self, arrival: Arrival) -> str | None:
        """The customer of the event; None: that of its subscription, see `check_customer_of_subscription`."""
        return self._customer_of(getattr(self, "data", None), arrival)

    def _customer_of(self, data: RequestData | OtherData | None, arrival: Arrival) -> str | None:
        if check_customer_of_subscription(self.source, None if data is None else data.subscription, self.subject):
            return None
        return customer_of(self.subject, arrival.customer_header, {} if data is None else data.model_extra or {})


class RequestEvent(_CloudEvent):
    """A call of a language model, metered by the built-in meters."""

    type: Literal["llm.request"]
    data: RequestData | None = None

    @model_validator(mode="after")
    def _has_customer(self, info: ValidationInfo) -> Self:
        self._check_customer(self.data, info)
        return self


class OtherEvent(_CloudEvent):
    """Any other usage, metered by the meters that name its type."""

    type: Annotated[
        str,
        _rule(partial(required_id, "type")),
        WithJsonSchema({**_ID, "not": {"enum": [".", "..", REQUEST_TYPE]}}),
    ]
    data: OtherData | None = None

    @model_validator(mode="after")
    def _has_customer(self, info: ValidationInfo) -> Self:
        self._check_customer(self.data, info)
        return self


def _variant_of(value: Any) -> str:
    event_type = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return "request" if event_type == REQUEST_TYPE else "other"


UsageEvent = Annotated[
    Annotated[RequestEvent, Tag("request")] | Annotated[OtherEvent, Tag("other")], Discriminator(_variant_of)
]
USAGE_EVENT: Final[TypeAdapter[RequestEvent | OtherEvent]] = TypeAdapter(UsageEvent)


def parse_usage_event(
    raw: bytes, arrival: Arrival, event_bytes_max: int = EVENT_BYTES_MAX
) -> RequestEvent | OtherEvent:
    """Return the event in `raw`; raise `InvalidInput` if it is no JSON object, `ValidationError` if it breaks rules."""
    if len(raw) > event_bytes_max:
        raise InvalidInput("event", f"must be at most {event_bytes_max} bytes", "event_too_large")
    return USAGE_EVENT.validate_python(read_event(raw), context=arrival)


def reasons_of(error: ValidationError) -> set[str]:
    """The reason codes of all problems in a `ValidationError` of this model."""
    return {_reason(problem["type"], problem["loc"], problem.get("ctx", {})) for problem in error.errors()}


def _reason(error_type: str, location: tuple[int | str, ...], context: dict[str, Any]) -> str:
    if error_type == "reason":
        return str(context["reason"])
    if error_type == "missing":
        return "specversion_unsupported" if location[-1] == "specversion" else f"{location[-1]}_missing"
    return "data_invalid"


def usage_event_json_schema() -> JsonSchema:
    """JSON Schema (2020-12) of one usage event in structured JSON."""
    schema = USAGE_EVENT.json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Usage event", **schema}
